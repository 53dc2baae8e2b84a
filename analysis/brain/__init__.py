"""What the EEG of a cohort says of the axis, from band features alone; ``analysis.eeg_map`` is the command."""
