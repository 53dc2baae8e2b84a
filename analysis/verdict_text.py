"""A verdict in the terminal: the closing summary of an experiment, at most 96 columns wide."""

import math
from collections.abc import Sequence
from textwrap import wrap
from typing import TYPE_CHECKING

import numpy as np

from analysis.verdict_sections import sections
from measures.names import LABEL_WIDTH, WITHIN_CLASS, known

if TYPE_CHECKING:
    from analysis.comparison import Comparison
    from analysis.verdict_record import Verdict

SIMULATED = "SIMULATED data: this checks the machinery and says nothing about brains."
WIDTH = 96


def summary(verdict: "Verdict", *, verbose: bool = False) -> str:
    """The whole summary: the answer, what it speaks for and what speaks against it, then the numbers.

    Args:
        verdict: the verdict.
        verbose: with where the gradients of the losses point.
    """
    said = [f"VERDICT: {verdict.sentence}", *([SIMULATED] if verdict.simulated else []), *verdict.scope]
    said += [*(f"WARNING: {text}" for text in verdict.warnings), *verdict.notes]
    lines = [line for text in said for line in wrap(text, WIDTH)]
    title = f"{verdict.loss} (weight {verdict.weight:g}) against {verdict.baseline_loss}: "
    lines += ["", f"{title}{verdict.dataset}, {verdict.features}, {verdict.epochs} epochs", "=" * WIDTH]
    lines += [*_accuracy(verdict), *sections(verdict), "", *_exploratory(verdict)]
    return "\n".join([*lines, *(_gradients(verdict) if verbose else [])])


def spread(values: Sequence[float], *, places: int = 3) -> str:
    """Mean and standard deviation over runs."""
    return (
        f"{np.mean(values):.{places}f} ± {np.std(values, ddof=1):.{places}f}"
        if len(values) > 1
        else f"{values[0]:.{places}f}"
    )


def label(c: "Comparison") -> str:
    """What people call the measure."""
    return known()[c.name].label


def decimals(c: "Comparison") -> int:
    """Three, and fewer for a measure that is not a share: an effective rank of 25.3 has no use for them."""
    largest = max((abs(value) for value in (*c.baseline, *c.treated)), default=0.0)
    return 3 if largest < 10 else 2 if largest < 100 else 1


def difference(c: "Comparison") -> str:
    """Mean difference with its 95 % interval; only where a pair of runs defines the measure."""
    d, places = c.paired, decimals(c)
    assert d is not None
    return f"{d.mean:+.{places}f} [{d.low:+.{places}f}, {d.high:+.{places}f}]"


def p_text(p: float) -> str:
    """A p-value to three decimals, smaller ones by their power of ten."""
    return "n/a" if math.isnan(p) else f"{p:.3f}" if p >= 0.001 else f"{p:.0e}"


def sign_flip_text(verdict: "Verdict") -> str:
    """The exact p, with its floor where that is above 5 %: then it can never speak up, whatever the data."""
    d = verdict.paired
    floor = f" (at least {d.p_sign_flip_floor:.3g} with {d.n} pairs)" if d.p_sign_flip_floor > 0.05 else ""
    return f"{p_text(d.p_sign_flip)}{floor}"


def residual_text(verdict: "Verdict") -> str:
    """What a within-class residual can be about at most; empty where the verdict has none or the clips are others.

    From the 123 public rating files of FACED (After_remarks): class means explain 97.8 % of the variance of the clips'
    mean valence, as the authors' revision of September 2026 says of arXiv 2606.00129.
    """
    if verdict.dataset != "faced" or not any(c.name == WITHIN_CLASS.key for c in verdict.others):
        return ""
    return (
        "Class means explain 97.8 % of the variance of human valence over FACED's clips (public ratings): a "
        "within-class residual concerns the other 2.2 %."
    )


def equivalence_text(verdict: "Verdict") -> str:
    """The margin, and the test against it where the number of seeds was fixed before."""
    answer = verdict.judged
    tested = len(answer.looks) == 1 and not math.isnan(answer.p_equivalence)
    p = f", two one-sided tests p = {p_text(answer.p_equivalence)}" if tested else ""
    return f"margin of equivalence ±{answer.margin:g}{p}"


def _accuracy(verdict: "Verdict") -> list[str]:
    a, d, answer = verdict.accuracy, verdict.paired, verdict.judged
    interval = f"95 % interval [{d.low:+.3f}, {d.high:+.3f}], sd of differences {d.sd:.3f}"
    looks = f"  over all looks [{answer.low:+.3f}, {answer.high:+.3f}]" if len(answer.looks) > 1 else ""
    return [
        f"Test balanced accuracy, {d.n} paired seeds, chance {verdict.chance:.3f}",
        f"  without      {spread(a.baseline)}",
        f"  with         {spread(a.treated)}",
        f"  difference  {d.mean:+.3f}   {interval}",
        *([looks] if looks else []),
        f"  t({d.n - 1}) = {d.t:.2f}, p = {p_text(d.p)}; exact sign-flip p = {sign_flip_text(verdict)}",
        f"  {equivalence_text(verdict)}",
    ]


def _exploratory(verdict: "Verdict") -> list[str]:
    head = f"{'Exploratory, test set':<27}{'without':>8}{'with':>7}  {'difference [95 %]':<24}{'p Holm':>7}"
    rows = [f"{head}  {'null 95 %':<9}  above it", *(_row(c) for c in verdict.others)]
    means = [
        f"{label(c)} {c.null_mean[0]:.{decimals(c) - 1}f} / {c.null_mean[1]:.{decimals(c) - 1}f}"
        for c in verdict.others
        if c.null_mean
    ]
    if means:
        rows += wrap(f"Without any relation they would score, on average (without / with): {', '.join(means)}.", WIDTH)
    return rows + wrap(residual_text(verdict), WIDTH)


def _row(c: "Comparison") -> str:
    name = f"  {label(c):<{LABEL_WIDTH}}"
    if c.paired is None:
        return f"{name} not defined in any pair of runs"
    places = decimals(c)
    row = f"{name}{np.mean(c.baseline):>8.{places}f}{np.mean(c.treated):>7.{places}f}  {difference(c):<24}"
    row += f"{p_text(c.p_holm):>7}"
    if c.null_95 and c.above_null:
        (low, high), (before, after), n = c.null_95, c.above_null, c.paired.n
        row += f"  {f'{low:.{places - 1}f} {high:.{places - 1}f}':<9}  {before}/{n} {after}/{n}"
    return row


def _gradients(verdict: "Verdict") -> list[str]:
    if not verdict.gradients:
        return []
    rows = ["", f"{'Gradient in class means':<27}{'features':>9}{'chance':>8}{'samples':>10}{'chance':>8}"]
    for g in verdict.gradients:
        label = f"  {g.label}"
        features, samples = f"{g.feature_share:>9.3f}{g.feature_chance:>8.3f}", f"{g.sample_share:>10.3f}"
        rows.append(f"{label:<27}{features}{samples}{g.sample_chance:>8.3f}")
    return rows
