"""Which runs are worth pictures of their own."""

import time

import lightning as L

from records.launched import by_a_study
from records.trial_channel import trial_number

LONG = 60.0  # processor seconds of a run; its pictures take about half a second


def worth_pictures(trainer: L.Trainer) -> bool:
    """False for trials of a sweep, and for runs that a study has started as long as they are short.

    Those are looked at together: W&B has their curves and scores, and the run directory every prediction. What a
    person starts is drawn however short it is. All ranks get the answer of the first: what is drawn is gathered, and
    their clocks differ. It changes while a run grows longer, so it is asked for in ``setup`` and not at each batch.

    Args:
        trainer: of the run; every rank must ask.
    """
    short = by_a_study() and time.process_time() < LONG
    return trainer.strategy.broadcast(trial_number() is None and not short)
