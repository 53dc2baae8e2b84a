"""A verdict in the terminal: the closing summary of an experiment, at most 96 columns wide."""

import math
from collections.abc import Sequence
from textwrap import wrap
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from analysis.verdict import Comparison, Verdict

LABELS = {
    "balanced_accuracy": "balanced accuracy",
    "kappa": "Cohen's kappa",
    "vaxis_cosine": "V-axis cosine",
    "class_pc1": "class PC1 |r|",
    "within_class_residual": "within-class residual |r|",
}
SIMULATED = "SIMULATED data: this checks the machinery and says nothing about brains."
WIDTH = 96


def summary(verdict: "Verdict") -> str:
    """The whole summary."""
    title = f"{verdict.loss} (weight {verdict.weight:g}) against {verdict.baseline_loss}: "
    lines = [f"{title}{verdict.dataset}, {verdict.features}, {verdict.epochs} epochs", "=" * WIDTH]
    lines += [SIMULATED] if verdict.simulated else []
    lines += [line for note in verdict.notes for line in wrap(note, WIDTH)]
    return "\n".join([*lines, *_accuracy(verdict), "", *_exploratory(verdict), *_gradients(verdict)])


def spread(values: Sequence[float]) -> str:
    """Mean and standard deviation over runs."""
    return f"{np.mean(values):.3f} ± {np.std(values, ddof=1):.3f}" if len(values) > 1 else f"{values[0]:.3f}"


def p_text(p: float) -> str:
    """A p-value to three decimals, smaller ones by their power of ten."""
    return "n/a" if math.isnan(p) else f"{p:.3f}" if p >= 0.001 else f"{p:.0e}"


def sign_flip_text(verdict: "Verdict") -> str:
    """The exact p, with its floor where that is above 5 %: then it can never speak up, whatever the data."""
    d = verdict.accuracy.paired
    floor = f" (at least {d.p_sign_flip_floor:.3g} with {d.n} pairs)" if d.p_sign_flip_floor > 0.05 else ""
    return f"{p_text(d.p_sign_flip)}{floor}"


def _accuracy(verdict: "Verdict") -> list[str]:
    a, d = verdict.accuracy, verdict.accuracy.paired
    return [
        f"Test balanced accuracy, {d.n} paired seeds, chance {verdict.chance:.3f}",
        f"  without      {spread(a.baseline)}",
        f"  with         {spread(a.treated)}",
        f"  difference  {d.mean:+.3f}   95 % interval [{d.low:+.3f}, {d.high:+.3f}], sd of differences {d.sd:.3f}",
        f"  t({d.n - 1}) = {d.t:.2f}, p = {p_text(d.p)}; exact sign-flip p = {sign_flip_text(verdict)}",
        "",
        *wrap(f"VERDICT: {verdict.sentence}", WIDTH),
    ]


def _exploratory(verdict: "Verdict") -> list[str]:
    head = f"{'Exploratory, test set':<27}{'without':>8}{'with':>7}  {'difference [95 %]':<24}{'p Holm':>7}"
    rows = [f"{head}  {'null 95 %':<9}  above it", *(_row(c) for c in verdict.others)]
    means = [f"{LABELS[c.name]} {c.null_mean[0]:.2f} / {c.null_mean[1]:.2f}" for c in verdict.others if c.null_mean]
    if means:
        rows += wrap(f"Without any relation they would score, on average (without / with): {', '.join(means)}.", WIDTH)
    return rows


def _row(c: "Comparison") -> str:
    label = f"  {LABELS[c.name]:<25}"
    if c.paired is None:
        return f"{label}not defined in any pair of runs"
    interval = f"{c.paired.mean:+.3f} [{c.paired.low:+.3f}, {c.paired.high:+.3f}]"
    row = f"{label}{np.mean(c.baseline):>8.3f}{np.mean(c.treated):>7.3f}  {interval:<24}{p_text(c.p_holm):>7}"
    if c.null_95:
        (low, high), (before, after), n = c.null_95, c.above_null, c.paired.n
        row += f"  {f'{low:.2f} {high:.2f}':<9}  {before}/{n} {after}/{n}"
    return row


def _gradients(verdict: "Verdict") -> list[str]:
    if not verdict.gradients:
        return []
    rows = ["", f"{'Gradient in class means':<27}{'features':>9}{'chance':>8}{'samples':>10}{'chance':>8}"]
    for g in verdict.gradients:
        label = f"  {g.source} loss, {g.arm}"
        features, samples = f"{g.feature_share:>9.3f}{g.feature_chance:>8.3f}", f"{g.sample_share:>10.3f}"
        rows.append(f"{label:<27}{features}{samples}{g.sample_chance:>8.3f}")
    return rows
