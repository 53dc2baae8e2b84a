"""Facts and signal mathematics of EEG; imports nothing else of this project."""
