"""The commands of ``python -m vaxis``, one a file."""
