"""Do two epochs tell which losses will hurt? Early signs beside the final change, over losses and cohorts.

    python -m analysis early_signs RUN... [--epochs 2] [--margin 0.01] [--out DIR]

Reads finished runs with and without losses, paired by seed inside each recipe and cohort. A loss hurts there if its
mean change of test balanced accuracy is below minus the margin. Each sign is known after a few epochs: the size of the
weighted alignment gradient at the tokens beside that of the task, and the change on validation people so far. The area
under the ROC curve (chance .5) is taken inside each cohort, so that hard cohorts do not pass for bad losses, and
meaned; its interval draws losses again, its null deals the signs among the losses. The rule of a pruner needs a
threshold: it is chosen on the other cohorts and scored on the one held out.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.arms import strategy
from analysis.base import Findings, Number
from analysis.gather import gather, recipe
from measures.outcome import MARGIN
from records.run import NotRecorded, Run

SIGNS = {
    "gradient": "weight x alignment gradient / task gradient",
    "alignment": "weight x alignment gradient",
    "validation": "loss of validation accuracy so far",
}
DRAWS = 2000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of the analysis."""
    parser.add_argument("--epochs", type=int, default=2, help="that are looked at (default: 2)")
    parser.add_argument("--margin", type=float, default=MARGIN, help="a loss hurts beyond it (default: 0.01)")


@dataclass(frozen=True, kw_only=True)
class Case:
    """One loss in one cohort.

    Attributes:
        loss: its name and weight.
        cohort: position of the cohort.
        change: of the final test accuracy, mean over paired seeds.
        signs: values after the early epochs, higher = worse; mean over seeds.
    """

    loss: str
    cohort: int
    change: float
    signs: dict[str, float]


def main(args: argparse.Namespace) -> Findings:
    """Pair the runs and score the signs.

    Raises:
        ValueError: no pairs, or no cohort in which some losses hurt and others do not.
    """
    found = gather(args.runs)
    cases, left_out = _cases(found.runs, epochs=args.epochs)
    hurts = np.array([case.change < -args.margin for case in cases])
    numbers: dict[str, Number] = {}
    lines = ["SIMULATED data: this checks the machinery and says nothing about brains."] if found.simulated else []
    cohorts = sorted({case.cohort for case in cases})
    lines.append(
        f"{len(cases)} losses x cohorts ({len(cohorts)} cohorts), {int(hurts.sum())} hurt beyond {args.margin:g}"
    )
    lines += [f"left out: {text}" for text in left_out]
    lines.append(f"{'sign after ' + str(args.epochs) + ' epochs':<46}{'AUC':>6}  {'95 % over losses':<18}{'p':>7}"
                 f"{'held-out rule':>15}")  # fmt: skip
    for name, label in SIGNS.items():
        values = np.array([case.signs[name] for case in cases])
        number = auc_of(cases, values, hurts, simulated=found.simulated)
        numbers[name] = number
        rule = held_out(cases, values, hurts)
        low, high = number.interval or (np.nan, np.nan)
        numbers[f"{name}_rule"] = Number(value=rule, n=len(cases), simulated=found.simulated, null_mean=0.5,
                                         p_value=number.p_value)  # fmt: skip
        lines.append(
            f"{label:<46}{number.value:>6.2f}  [{low:.2f}, {high:.2f}]{'':<6}{number.p_value:>7.3f}{rule:>15.2f}"
        )
    lines.append("held-out rule: mean of the shares of hurting and harmless losses that a threshold from the other "
                 "cohorts tells; chance .50")  # fmt: skip
    lines += ["", f"{'loss':<34}{'ratio':>8}  change by cohort"]
    for loss in sorted({case.loss for case in cases}, key=lambda n: -np.mean(_of(cases, n, "gradient"))):
        own = [case for case in cases if case.loss == loss]
        lines.append(f"{loss:<34}{np.mean(_of(cases, loss, 'gradient')):>8.2f}  "
                     + ", ".join(f"{case.change:+.3f}" for case in own))  # fmt: skip
    detail = {"cases": [vars(case) for case in cases], "margin": args.margin, "epochs": args.epochs}
    return Findings(text="\n".join(lines), numbers=numbers, detail=detail)


def _of(cases: Sequence[Case], loss: str, sign: str) -> list[float]:
    return [case.signs[sign] for case in cases if case.loss == loss]


def auc(values: np.ndarray, hurts: np.ndarray) -> float:
    """Probability that a hurting loss shows more of the sign than a harmless one; ties count half. NaN without both."""
    bad, good = values[hurts], values[~hurts]
    if not (len(bad) and len(good)):
        return float("nan")
    return float((np.sign(bad[:, None] - good).mean() + 1) / 2)


def auc_of(cases: Sequence[Case], values: np.ndarray, hurts: np.ndarray, *, simulated: bool) -> Number:
    """The mean AUC inside cohorts, with its interval over losses and its p-value.

    Raises:
        ValueError: no cohort has both kinds.
    """
    cohort = np.array([case.cohort for case in cases])
    names = np.array([case.loss for case in cases])
    losses, rng = np.unique(names), np.random.default_rng(0)

    def inside(sign: np.ndarray, rows: np.ndarray) -> float:
        each = [auc(sign[own], hurts[own]) for c in np.unique(cohort) if len(own := rows[cohort[rows] == c])]
        return float(np.nanmean(each)) if np.isfinite(each).any() else float("nan")

    every = np.arange(len(cases))
    value = inside(values, every)
    if not np.isfinite(value):
        raise ValueError("no cohort has losses that hurt and losses that do not; name more runs, or another --margin")
    rows_of = {loss: np.flatnonzero(names == loss) for loss in losses}
    drawn, dealt = [], []
    for _ in range(DRAWS):
        drawn.append(inside(values, np.concatenate([rows_of[loss] for loss in rng.choice(losses, len(losses))])))
        # A loss keeps its signs over cohorts in the null too: whole losses are dealt, not single cases.
        places = dict(zip(losses, rng.permutation(losses)))
        swapped = np.array([_value_at(rows_of[places[n]], values, cohort, c) for n, c in zip(names, cohort)])
        dealt.append(inside(swapped, every))
    low, high = np.nanquantile(drawn, [0.025, 0.975])
    p = (1 + sum(one >= value for one in dealt)) / (1 + DRAWS)
    null = float(np.mean(dealt)), float(np.quantile(dealt, 0.95))
    return Number(value=value, n=len(losses), simulated=simulated, null_mean=null[0], null_95=null[1], p_value=p,
                  interval=(float(low), float(high)))  # fmt: skip


def _value_at(rows: np.ndarray, values: np.ndarray, cohort: np.ndarray, wanted: int) -> float:
    """The sign of another loss in the same cohort, or its mean where it was not run there."""
    own = rows[cohort[rows] == wanted]
    return float(values[own if len(own) else rows].mean())


def held_out(cases: Sequence[Case], values: np.ndarray, hurts: np.ndarray) -> float:
    """Balanced accuracy of "above the threshold hurts", the threshold being the best on all other cohorts."""
    cohort, scores = np.array([case.cohort for case in cases]), []
    for c in np.unique(cohort):
        rest, own = cohort != c, cohort == c
        if len(set(hurts[own])) == 2 and len(set(hurts[rest])) == 2:
            best = max(np.unique(values[rest]), key=lambda t: _balanced(values[rest] >= t, hurts[rest]))
            scores.append(_balanced(values[own] >= best, hurts[own]))
    return float(np.mean(scores)) if scores else float("nan")


def _balanced(called: np.ndarray, hurts: np.ndarray) -> float:
    return float((called[hurts].mean() + (~called[~hurts]).mean()) / 2)


def _cases(runs: Sequence[Run], *, epochs: int) -> tuple[list[Case], list[str]]:
    """Every loss of every recipe and cohort that has its baseline, and what had to be left out."""
    groups: dict[tuple, list[Run]] = {}
    for run in runs:
        groups.setdefault(tuple(sorted(recipe(run).items())), []).append(run)
    cases, left_out = [], []
    for place, own in enumerate(groups.values()):
        plain = {run.seed: run for run in own if run.loss == "none"}
        arms: dict[tuple, list[Run]] = {}
        for run in own:
            if run.loss != "none" and run.seed in plain:
                arms.setdefault(strategy(run), []).append(run)
        alone = {run.loss for run in own if run.loss != "none" and run.seed not in plain}
        left_out += [f"{loss}: no run without it under the same recipe, data and seed" for loss in sorted(alone)]
        for (loss, weight, control), pairs in arms.items():
            if control:
                continue
            name = f"{loss} {weight:g}"
            try:
                signs = [_signs(run, plain[run.seed], epochs=epochs) for run in pairs]
            except NotRecorded as error:
                left_out.append(f"{name}: {error}")
                continue
            change = np.mean(
                [run.score("balanced_accuracy") - plain[run.seed].score("balanced_accuracy") for run in pairs]
            )
            means = {key: float(np.mean([one[key] for one in signs])) for key in SIGNS}
            cases.append(Case(loss=name, cohort=place, change=float(change), signs=means))
    if not cases:
        raise ValueError(
            "no run with a loss has one without it under the same recipe, data and seed; name both folders"
        )
    return cases, left_out


def _accuracy(run: Run) -> float:
    return run.score("balanced_accuracy")


def _signs(run: Run, plain: Run, *, epochs: int) -> dict[str, float]:
    """What the early epochs of a run show.

    Raises:
        NotRecorded: the loss has a phase of its own first, or no gradient was measured by then.
    """
    if len(run.result.get("phases") or [0]) > 1:
        raise NotRecorded("it begins with a phase of its own")
    early = [run.metrics.get(f"grad/{name}_norm", np.array([]))[:epochs] for name in ("alignment", "task")]
    ours, task = (float(np.nanmean(norms)) if np.isfinite(norms).any() else float("nan") for norms in early)
    if not (np.isfinite(ours) and task > 0):
        raise NotRecorded("no gradient of it was measured in these epochs")
    before, now = (one.series("val/balanced_accuracy")[epochs - 1] for one in (plain, run))
    return {"gradient": run.weight * ours / task, "alignment": run.weight * ours, "validation": float(before - now)}
