"""What a benchmark hands to the table: a row of ours, of what users do today and of the limit, or a cost by size."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Row:
    """One thing that is measured, both sides and the limit in the same run.

    Attributes:
        what: is done.
        unit: of the three numbers; "ms" and "s" (less is better), or something a second.
        ours: None where this machine cannot say.
        today: what users have today; None where there is nothing to compare with.
        today_is: it in words.
        limit: what the machine allows.
        limit_is: it in words.
        note: what else the reader should know.
    """

    what: str
    unit: str
    ours: float | None
    today: float | None = None
    today_is: str = ""
    limit: float | None = None
    limit_is: str = ""
    note: str = ""

    @property
    def rate(self) -> bool:
        return "/" in self.unit

    @property
    def ratio(self) -> float | None:
        """How many times better than today."""
        return self._better(self.ours, self.today)

    @property
    def of_limit(self) -> float | None:
        """Share of the limit."""
        return self._better(self.ours, self.limit)

    def _better(self, ours: float | None, other: float | None) -> float | None:
        if not ours or not other:
            return None
        return ours / other if self.rate else other / ours


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Time of the same thing at three sizes or more.

    Attributes:
        what: is done.
        by: what there is more of: people, trials, runs.
        sizes: how many.
        seconds: it took.
    """

    what: str
    by: str
    sizes: tuple[int, ...]
    seconds: tuple[float, ...]

    @property
    def exponent(self) -> float:
        """Slope of log time over log size: 1 is twice as long for twice as many."""
        return float(np.polyfit(np.log(self.sizes), np.log(self.seconds), 1)[0])


def number(value: float | None) -> str:
    """Three digits, or a dash."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def line(row: Row) -> str:
    """One row for a terminal."""
    three = f"{number(row.ours):>9} {number(row.today):>9} {number(row.limit):>9} {row.unit:<10}"
    ratio = "" if row.ratio is None else f"x {row.ratio:.2f}"
    share = "" if row.of_limit is None else f"{row.of_limit:.0%} of the limit"
    return f"{row.what:<52} {three} {ratio:<8} {share}"
