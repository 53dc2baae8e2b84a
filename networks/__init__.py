"""Encoders from EEG to tokens: one architecture a file."""
