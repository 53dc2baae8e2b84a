"""Whether a person has started a run, or a study that starts many."""

import os

VARIABLE = "VAXIS_STUDY"  # in the environment of a run that a launcher has started


def by_a_study() -> bool:
    """True in the runs of a verdict, a search and the paper's tables."""
    return VARIABLE in os.environ
