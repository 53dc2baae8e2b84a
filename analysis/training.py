"""Was a run trained to its end? Read from its validation curve, with what a verdict must warn of."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from measures.names import ACCURACY
from measures.outcome import MARGIN
from records.run import Run

CURVE = f"val/{ACCURACY.logged}"


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How the training of one run ended.

    Attributes:
        seed: of the run.
        epochs: length of the phase in which the run was scored.
        best_epoch: of the checkpoint that was scored, counted from 0 within that phase.
        rise: change of a straight line through the last quarter of the validation accuracy, from its start to its end.
        still_rising: the best epoch lies in that quarter and the line rises by ``MARGIN`` or more: a longer run may
            have changed the verdict by as much as would matter.
        best_is_last: no epoch was better than the last one.
        warmup_epochs: of the learning rate; NaN where the settings do not say.
    """

    seed: int
    epochs: int
    best_epoch: int
    rise: float
    still_rising: bool
    best_is_last: bool
    warmup_epochs: float

    @property
    def within_warmup(self) -> bool:
        """The learning rate never reached its full height."""
        return self.warmup_epochs >= self.epochs


def ending(run: Run) -> Ending:
    """How a run ended.

    Raises:
        FileNotFoundError: the run has lost its metrics.csv.
        KeyError: it logged no validation accuracy.
    """
    logged = run.series(CURVE)
    curve = logged[-run.result["epochs"] :]  # pretraining and the like come before and are not what was scored
    kept = run.result.get("best_epoch")
    best = int(np.nanargmax(curve)) if kept is None else int(kept) - (len(logged) - len(curve))
    # Three points at least: the last quarter of a short run would be one epoch, which has no slope.
    first = len(curve) - max(3, math.ceil(len(curve) / 4))
    epochs = np.arange(max(0, first), len(curve))
    seen = epochs[np.isfinite(curve[epochs])]
    rise = float(np.polyfit(seen, curve[seen], 1)[0] * np.ptp(seen)) if len(seen) > 1 else math.nan
    return Ending(
        seed=run.seed,
        epochs=len(curve),
        best_epoch=best,
        rise=rise,
        still_rising=best >= first and rise >= MARGIN,
        best_is_last=best == len(curve) - 1,
        warmup_epochs=_warmup(run),
    )


def warnings_of(training: Mapping[str, Sequence[Ending]]) -> list[str]:
    """What a reader must hear of two arms, ``without`` and ``with``, before believing their difference."""
    found, both = [], [end for arm in training.values() for end in arm]
    said = {name: f"{sum(end.within_warmup for end in arm)} of {len(arm)}" for name, arm in training.items()}
    if any(end.within_warmup for end in both):
        found.append(
            f"{_arms(said)} runs end within their warm-up: the full learning rate is never reached; train longer or "
            "lower model.optimisation.warmup_epochs."
        )
    said = {name: f"{sum(end.still_rising for end in arm)} of {len(arm)}" for name, arm in training.items()}
    if any(end.still_rising for end in both):
        found.append(
            f"{_arms(said)} runs were still rising at their end (best epoch in the last quarter, validation accuracy "
            f"up by {MARGIN:g} or more over it): the difference may be one of speed; train longer."
        )
    said = {name: f"{sum(end.best_is_last for end in arm)} of {len(arm)}" for name, arm in training.items()}
    if 2 * sum(end.best_is_last for end in both) >= len(both) > 0:
        found.append(f"{_arms(said)} runs have their last epoch as the best one; a longer run may have a better one.")
    return found


def _arms(said: Mapping[str, str]) -> str:
    return " and ".join(f"{count} {name}" for name, count in said.items())


def _warmup(run: Run) -> float:
    try:
        return float(run.settings["model"]["optimisation"]["warmup_epochs"])
    except (KeyError, TypeError):
        return math.nan  # runs of other programs have their own settings, or none
