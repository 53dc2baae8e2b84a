"""What the runs of both arms warned of themselves, each once, with how many of them said it."""

from collections.abc import Sequence

from records.heard import BEST_IS_LAST, WITHIN_WARMUP
from records.run import Run


def said(*, without: Sequence[Run], treated: Sequence[Run]) -> list[str]:
    """A line a warning, in the order in which the runs gave them.

    How runs ended is counted from their curves (``analysis.training``) and not told twice.

    Args:
        without: runs of the arm without the strategy.
        treated: of the arm with it.
    """
    texts = dict.fromkeys(text for run in (*without, *treated) for text in run.warnings)
    return [
        f"{_count(without, text)} without and {_count(treated, text)} with said: {text}"
        for text in texts
        if text != BEST_IS_LAST and WITHIN_WARMUP not in text
    ]


def _count(runs: Sequence[Run], text: str) -> str:
    return f"{sum(text in run.warnings for run in runs)} of {len(runs)}"
