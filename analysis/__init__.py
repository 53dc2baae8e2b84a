"""Reads finished runs; never trains. A file here that is a command runs as ``python -m analysis NAME RUN...``."""
