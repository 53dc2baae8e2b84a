"""Alignment strategies: one plug-in a file; the file name is the flag."""
