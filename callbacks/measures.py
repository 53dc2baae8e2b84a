"""Measures that are a file in ``measures/`` and nothing else: computed at the end of every evaluation."""

import importlib
from collections.abc import Callable

import lightning as L

from callbacks.trials import TrialCallback, Trials, axis_of, log_measures
from callbacks.view import decoder_of
from measures.base import Evaluated, Measure
from measures.names import in_files


class Measures(TrialCallback):
    """Logs what the ``measure`` function of each file in ``measures/`` with a ``ROW`` returns, beside its null.

    ``docs/extending/measure.md`` shows such a file.

    Args:
        draws: null draws of each.
    """

    def __init__(self, *, draws: int = 1000) -> None:
        super().__init__()
        self.draws = draws
        self.functions = {row.key: _function(file) for file, row in in_files("measures").items()}

    def wanted(self, trainer: L.Trainer) -> bool:
        """Without such files nothing is collected."""
        return bool(self.functions) and super().wanted(trainer)

    def on_split(self, trainer: L.Trainer, pl_module: L.LightningModule, split: str, trials: Trials) -> None:
        v, class_of = axis_of(pl_module)
        evaluated = Evaluated(
            h=trials.h,
            logits=trials.logits,
            y=trials.y,
            stimulus=trials.stimulus,
            subject=trials.subject,
            features=trials.features(decoder_of(pl_module).spec),
            v=v,
            class_of=class_of,
        )
        self.measures[split] = {key: function(evaluated, draws=self.draws) for key, function in self.functions.items()}
        log_measures(pl_module, split, self.measures[split])


def _function(file: str) -> Callable[..., Measure]:
    function = getattr(importlib.import_module(f"measures.{file}"), "measure", None)
    if function is None:
        raise ValueError(f"measures/{file}.py has a ROW but no function measure(evaluated, *, draws); write it")
    return function
