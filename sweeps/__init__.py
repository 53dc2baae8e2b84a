"""Starts many runs over the devices of a machine."""
