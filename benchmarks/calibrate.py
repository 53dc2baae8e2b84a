"""Are the p-values and intervals of the analyses what they say? ``python -m benchmarks.calibrate --cohorts 500``.

Every file of ``analysis/`` with two functions takes part; a new analysis is calibrated by having them::

    def calibrate(*, cohorts: int, seed: int) -> dict[str, list[float]]: ...   # p-values of cohorts without an effect
    def recover(*, cohorts: int, seed: int) -> dict[str, float]: ...           # of cohorts with a planted one

A p-value is calibrated if at most 5 % of null cohorts fall at or below .05, within the binomial interval, and its
distribution is nowhere above that of a uniform one; fewer is conservative and said so. Names that begin with
``beside: `` or ``as_published`` are statistics known to fail, the paper's own above all, shown beside those that repair
them and not judged. A recovered number is judged by its name: ``coverage`` must reach .95 within its binomial interval
(more is conservative), ``cos`` or ``cosine`` reach .95; others are shown. SIMULATED throughout. The exit code is 1 if
anything that is judged fails.
"""

import importlib
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.base import BESIDE, calibrations
from console.arguments import Arguments
from console.errors import one_line_errors

LEVEL, NOMINAL, COSINE = 0.05, 0.95, 0.95
NOT_JUDGED = (BESIDE, "as_published")
HEAD = (
    "| analysis | SIMULATED | cohorts | p <= .05, or value | 95 % interval | KS p | |",
    "|---|---|---|---|---|---|---|",
)
STRICT = 0.001  # of each row's own tests: there are some fifty rows, and none of them should fail by chance


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table.

    Attributes:
        analysis: file it belongs to.
        name: of the number.
        cohorts: how many it was computed on.
        found: share at or below .05, or the recovered number.
        interval: 95 % binomial interval of a share; None for other numbers.
        ks: two-sided Kolmogorov-Smirnov p against the uniform distribution; None for recovered numbers.
        judgement: ``uniform``, ``holds``, ``conservative``, ``shown`` or ``FAILS``.
    """

    analysis: str
    name: str
    cohorts: int
    found: float
    interval: tuple[float, float] | None
    ks: float | None
    judgement: str


def null_row(analysis: str, name: str, p_values: Sequence[float]) -> Row:
    """Judge the p-values of null cohorts; NaN (a test that could not be made) is left out and not counted."""
    from scipy import stats

    p = np.asarray(p_values, dtype=np.float64)
    p = p[np.isfinite(p)]
    if not len(p):
        return Row(analysis=analysis, name=name, cohorts=0, found=np.nan, interval=None, ks=None, judgement="FAILS")
    low = int((p <= LEVEL + 1e-12).sum())
    counted = stats.binomtest(low, len(p), LEVEL)
    too_small = stats.binomtest(low, len(p), LEVEL, alternative="greater").pvalue < STRICT
    # One-sided: p-values of permutations are stochastically larger than uniform by their grid, which is no fault.
    too_small |= stats.kstest(p, "uniform", alternative="greater").pvalue < STRICT
    both = float(stats.kstest(p, "uniform").pvalue)
    judgement = "FAILS" if too_small else "uniform" if both >= STRICT else "conservative"
    return Row(
        analysis=analysis,
        name=name.removeprefix(BESIDE),
        cohorts=len(p),
        found=low / len(p),
        interval=tuple(counted.proportion_ci()),
        ks=both,
        judgement="shown" if name.startswith(NOT_JUDGED) else judgement,
    )


def planted_row(analysis: str, name: str, value: float, *, cohorts: int) -> Row:
    """Judge a number of cohorts with a planted effect by its name."""
    from scipy import stats

    interval, judgement = None, "shown"
    if name.startswith(NOT_JUDGED):
        name = name.removeprefix(BESIDE)
    elif "coverage" in name:
        held = stats.binomtest(round(value * cohorts), cohorts, NOMINAL)
        interval = tuple(held.proportion_ci())
        judgement = "holds" if held.pvalue >= STRICT else "FAILS" if value < NOMINAL else "conservative"
    elif "cosine" in name or name.startswith("cos"):
        judgement = "holds" if value >= COSINE else "FAILS"
    return Row(
        analysis=analysis, name=name, cohorts=cohorts, found=value, interval=interval, ks=None, judgement=judgement
    )  # fmt: skip


def rows_of(module: str, *, cohorts: int, seed: int) -> list[Row]:
    """All rows of one file of ``analysis/``."""
    own = importlib.import_module(f"analysis.{module}")
    null: Mapping[str, Sequence[float]] = own.calibrate(cohorts=cohorts, seed=seed)
    planted: Mapping[str, float] = own.recover(cohorts=cohorts, seed=seed)
    rows = [null_row(module, name, values) for name, values in null.items()]
    return rows + [planted_row(module, name, value, cohorts=cohorts) for name, value in planted.items()]


def table(rows: Sequence[Row]) -> str:
    """In Markdown."""
    return "\n".join([*HEAD, *map(_line, rows)])


def _line(row: Row) -> str:
    interval = f"{row.interval[0]:.3f} to {row.interval[1]:.3f}" if row.interval else ""
    ks = "" if row.ks is None else f"{row.ks:.3f}"
    name = row.name.replace("|", "\\|")
    cells = (row.analysis, name, str(row.cohorts), f"{row.found:.3f}", interval, ks, row.judgement)
    return "| " + " | ".join(cells) + " |"


def main(argv: list[str]) -> int:
    """Calibrate and print the table; returns the exit code.

    Args:
        argv: words of the command line.
    """
    parser = Arguments("python -m benchmarks.calibrate", about=__doc__)
    parser.add_argument("--cohorts", type=int, default=500, metavar="N", help="simulated cohorts of each kind (500)")
    parser.add_argument("--seed", type=int, default=0, help="of the first cohort")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="files of analysis/; by default all that can")
    args = parser.parse_args(argv)
    known = calibrations()
    if unknown := set(args.only or ()) - set(known):
        raise ValueError(f"--only {', '.join(sorted(unknown))}: no such calibration; there is {', '.join(known)}")
    if args.cohorts < 10:
        raise ValueError(f"--cohorts {args.cohorts}: shares of fewer than 10 cohorts say nothing")
    rows: list[Row] = []
    print("\n".join(HEAD), flush=True)
    for module in args.only or known:
        started = time.monotonic()
        own = rows_of(module, cohorts=args.cohorts, seed=args.seed)
        # Analysis by analysis: the whole takes long, and what is done is not lost with the rest.
        print("\n".join(map(_line, own)), flush=True)
        print(f"{module}: {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
        rows += own
    return int(any(row.judgement == "FAILS" for row in rows))


if __name__ == "__main__":
    with one_line_errors():
        sys.exit(main(sys.argv[1:]))
