"""The sections of a verdict in the terminal that stand beside its answer: people, simple models, controls, lengths."""

import math
from typing import TYPE_CHECKING

import numpy as np

from analysis.verdict_sentence import change, share

if TYPE_CHECKING:
    from analysis.verdict_record import Verdict

FIRST, NARROW = 38, 30  # widths of the first column


def sections(verdict: "Verdict") -> list[str]:
    """All of them that there is something for, a blank line before each."""
    found = [part(verdict) for part in (_baselines, _instead, _controls, _lengths, _new_clips)]
    return [line for rows in found if rows for line in ("", *rows)]


def _baselines(verdict: "Verdict") -> list[str]:
    if not verdict.baselines:
        return []
    rows = [f"{'Simple models, test set':<{FIRST}}{'accuracy':>9}  95 % over people"]
    for b in verdict.baselines:
        name = f"  {b.label}{' *' if b.transductive else ''}"
        rows.append(f"{name:<{FIRST}}{b.balanced_accuracy:>9.3f}  {_interval(b.low, b.high)}".rstrip())
    for name, values in (("without", verdict.accuracy.baseline), ("with", verdict.accuracy.treated)):
        rows.append(f"{f'  the decoder {name}':<{FIRST}}{np.mean(values):>9.3f}")
    if any(b.transductive for b in verdict.baselines):
        rows.append("  * transductive: it has looked at unlabelled trials of the test people.")
    return rows


def _instead(verdict: "Verdict") -> list[str]:
    """Measured on the runs of this very verdict, so it stands only where the strategy does not help."""
    found = verdict.instead
    if found is None or verdict.judgement == "helps":
        return []
    gain = f"{found.gain:+.3f} {_interval(found.low, found.high, form='+.3f')}"
    return [
        f"{'What would help instead':<{FIRST}}{'accuracy':>9}  minus one run, 95 % over people",
        f"{f'  a vote of the {found.members} without it':<{FIRST}}{found.accuracy:>9.3f}  {gain}",
        # A vote may gain on clips that training saw; the folds over clips have too few runs to vote.
        f"  at {found.members} times the compute, on the clips of this test;",
        "  on clips nobody trained on it is not measured",
    ]


def _controls(verdict: "Verdict") -> list[str]:
    if not verdict.controls:
        return []
    rows = [f"{'The same loss, other targets':<{NARROW}}{'accuracy':>9}  {'minus none':<25}axis minus it"]
    for c in verdict.controls:
        own, axis = change(c.change, c.change_judged), change(c.against, c.judged)
        rows.append(f"{f'  {c.name}':<{NARROW}}{np.mean(c.accuracy):>9.3f}  {own:<25}{axis}")
    return rows


def _lengths(verdict: "Verdict") -> list[str]:
    found = verdict.lengths
    if found is None:
        return []
    rows = [f"{'By training length':<{FIRST}}{'without':>9}{'with':>7}  {'difference [95 %]':<26}still rising"]
    for a in found.at:
        n, (before, after) = a.paired.n, a.still_rising
        values = f"{np.mean(a.baseline):>9.3f}{np.mean(a.treated):>7.3f}"
        text = f"{change(a.paired, a.judged):<26}{before}/{n} {after}/{n}"
        rows.append(f"{f'  {a.epochs} epochs':<{FIRST}}{values}  {text}")
    own = {a.epochs: (np.mean(a.baseline), np.mean(a.treated)) for a in found.at}
    values = f"{own[found.best[0]][0]:>9.3f}{own[found.best[1]][1]:>7.3f}"
    name = f"  own best ({found.best[0]}, {found.best[1]} epochs)"
    return [*rows, f"{name:<{FIRST}}{values}  {change(found.own_best, found.judged)}"]


def _new_clips(verdict: "Verdict") -> list[str]:
    found = verdict.new_clips
    if found is None:
        return []
    rows = [f"{'Seen and new clips':<{FIRST}}{'seen':>9}{'new':>7}{'survives':>10}"]
    for name, arm in (("without", found.without), ("with", found.treated)):
        rows.append(f"{f'  {name}':<{FIRST}}{arm.seen:>9.3f}{arm.new:>7.3f}{share(arm):>10}")
        if arm.clips_seen is not None and arm.clips_new is not None:
            rows.append(f"{'    whole clips, not windows':<{FIRST}}{arm.clips_seen:>9.3f}{arm.clips_new:>7.3f}")
    folds = f"mean of {len(found.folds)} folds, " if len(found.folds) > 1 else ""
    return [*rows, f"  {folds}chance {found.chance:.3f}; difference on new clips {change(found.paired, found.judged)}"]


def _interval(low: float, high: float, *, form: str = ".3f") -> str:
    return f"[{low:{form}}, {high:{form}}]" if math.isfinite(low) and high > low else ""
