"""Which runs are worth pictures of their own."""

import time

from records.launched import by_a_study
from records.trial_channel import trial_number

LONG = 60.0  # processor seconds of a run; its pictures take about half a second


def worth_pictures(*, asked: bool = False) -> bool:
    """False for trials of a sweep, and for short runs that a study has started.

    Those are looked at together: W&B has their curves and scores, and the run directory every prediction. What a
    person starts is drawn however short it is. The answer changes while a run grows longer; ask once an evaluation.

    Args:
        asked: pictures were asked for by a flag.
    """
    if trial_number() is not None:
        return False
    return asked or not by_a_study() or time.process_time() >= LONG
