"""The first thing that a warm process imports: from here on it dies with its launcher, also while it still imports."""

from studies.processes import follow_parent

follow_parent()
