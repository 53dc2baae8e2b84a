"""Arms of paired runs: in the order of their seeds, checked, and compared by test balanced accuracy."""

import warnings
from collections.abc import Sequence
from itertools import pairwise

from measures.paired import Paired, paired
from records.run import Run


def arm(runs: Sequence[Run], *, name: str) -> list[Run]:
    """Runs in seed order.

    Raises:
        ValueError: there are none, a seed is repeated, or they mix strategies.
    """
    if not runs:
        raise ValueError(f"the {name} arm is empty: no runs")
    ordered = sorted(runs, key=lambda run: run.seed)
    for a, b in pairwise(ordered):
        if a.seed == b.seed:
            raise ValueError(f"seed {a.seed} is twice in the {name} arm: {a.path} and {b.path}; keep one")
        if strategy(a) != strategy(b):
            raise ValueError(
                f"the {name} arm mixes {_words(a)} ({a.path}) with {_words(b)} ({b.path}); one verdict is about one "
                "strategy at one weight"
            )
    return ordered


def strategy(run: Run) -> tuple[str, float, str | None]:
    """Loss, weight and control: what all runs of an arm share."""
    return run.loss, run.weight, run.result.get("control")


def same_seeds(a: Sequence[Run], b: Sequence[Run], *, names: tuple[str, str]) -> tuple[int, ...]:
    """The seeds of two arms.

    Raises:
        ValueError: a seed is in one of them only.
    """
    seeds = tuple(run.seed for run in a)
    if only := sorted(set(seeds) ^ {run.seed for run in b}):
        raise ValueError(
            f"seeds {only} are in one arm only ({names[0]} or {names[1]}); run the same seeds with and without the "
            "strategy"
        )
    return seeds


def accuracies(runs: Sequence[Run], split: str = "test") -> tuple[float, ...]:
    """Balanced accuracy of each run, in the order given."""
    return tuple(run.score("balanced_accuracy", split) for run in runs)


def quietly_paired(before: Sequence[float], after: Sequence[float]) -> Paired:
    """``paired`` without its warning of equal differences, which the primary comparison has given."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return paired(before, after)


def _words(run: Run) -> str:
    loss, weight, control = strategy(run)
    return f"{loss} at weight {weight:g}" + (f" with target {control}" if control else "")
