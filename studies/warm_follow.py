"""The first thing that a warm process imports: from here on it dies with its launcher, also while it still imports."""

import signal

from studies.processes import follow_parent

follow_parent()
signal.signal(signal.SIGINT, signal.SIG_IGN)  # who has started it ends with Ctrl-C, and so does this one
