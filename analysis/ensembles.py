"""What is a vote of runs worth, which members make it so, and is it more than longer training? With what chance gives.

Reads finished runs that were tested on the same trials:

    python -m analysis ensembles RUN... [--members 10] [--out DIR]

Growth of the vote with its size, what each member adds and whether its within-class residual says so, agreement of
members, runs with an alignment loss mixed in, votes of equal cost, and members chosen on validation people.
"""

import argparse
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from analysis.base import Findings, Number
from analysis.converging import read
from analysis.ensembles_check import calibrate as calibrate
from analysis.ensembles_check import recover as recover
from analysis.ensembles_text import text
from analysis.ensembling import (
    ROLES,
    Agreement,
    Bar,
    Regression,
    Residuals,
    add_aligned,
    agreement,
    bars,
    growth,
    mixing,
    regression,
    selected,
)
from analysis.gather import gather
from analysis.pools import Pool, pool
from analysis.selection import Selected, residual_likeness
from analysis.stimuli import Positions, final, on_validation, positions_of
from measures.alignment import with_null, within_class_residual
from measures.clustered import Association
from measures.votes import Estimate
from records.run import Run

# arXiv 2606.00129, section 5, and the archive beside its revision of September 2026; by role or name of the number.
PUBLISHED: dict[str, dict[str, dict[str, Any]]] = {
    "faced": {
        "half": {"v1": 0.6798, "revision": 0.6798, "note": "5 x 100"},
        "whole": {"v1": None, "revision": 0.6838, "note": "10 x 100, archive"},
        "half of longer": {"v1": None, "revision": 0.6919, "note": "5 x 150, archive"},
        "mixed": {"v1": 0.6948, "revision": 0.6948, "note": "5 x 100 + 5 x 150"},
        "residual_contribution_published": {"v1": 0.743, "revision": None, "note": "10 members, p .014"},
    }
}


@dataclass(frozen=True, kw_only=True)
class Ensembles:
    """All that is known of the votes of some runs.

    Attributes:
        pool: every run.
        plain: those without a strategy, whose contributions are taken apart and among whom is chosen.
        growth: group to the accuracy of votes of 1, 2, ... of it; all plain runs together as well.
        regression: contribution against residual; None without an axis or with fewer than four members.
        selected: rule to the set it chose.
        size: members of these sets.
        agreement: kappa.
        mixing: group to the gain of adding it, and of putting it in the place of half.
        bars: votes at their cost.
        differences: between them.
        missing: what bars lack.
        aligned: the gain of adding every run with a strategy at once.
        roles: names of the numbers that are half a vote, a whole one, and so on, whatever their members and epochs.
    """

    pool: Pool
    plain: Pool
    growth: dict[str, list[Estimate]]
    regression: Regression | None
    selected: dict[str, Selected]
    size: int
    agreement: Agreement
    mixing: dict[str, tuple[Estimate, Estimate]]
    bars: list[Bar]
    differences: dict[str, Estimate]
    missing: list[str]
    aligned: Estimate | None
    roles: dict[str, str]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Sizes, the axis and the nulls."""
    parser.add_argument("--members", type=int, default=10, help="members of a full vote in the bars (%(default)s)")
    parser.add_argument(
        "--choose", type=int, metavar="M", help="members that a rule chooses (default: 70 %% of the runs)"
    )
    parser.add_argument(
        "--axis", type=Path, metavar="FILE", help="the axis of the runs (default: that in a checkpoint)"
    )
    parser.add_argument("--draws", type=int, default=1000, help="permutations in each null (%(default)s)")


def main(args: argparse.Namespace) -> Findings:
    """Read the runs, vote, and draw the figure with ``--out``."""
    found = gather(args.runs)
    everything = pool(found.runs)
    plain = everything.only(everything.plain or list(everything.groups))
    note, positions = found.note, None
    try:
        positions = positions_of(plain.runs, args.axis)
    except FileNotFoundError as error:
        if args.axis:
            raise
        note += f"no axis, so nothing about residuals ({error}); --axis FILE names it\n"
    residuals = None if positions is None else read_residuals(plain.runs, positions, draws=args.draws)
    result = ensembles(everything, plain, residuals, members=args.members, choose=args.choose, draws=args.draws)
    if args.out:
        from analysis.ensembles_figure import figure

        args.out.mkdir(parents=True, exist_ok=True)
        figure(result, simulated=found.simulated).savefig(args.out / "ensembles.png", dpi=150, facecolor="white")
    return Findings(
        text=note + text(result, simulated=found.simulated),
        numbers=numbers(result, simulated=found.simulated),
        detail={
            "dataset": found.runs[0].result["dataset"],
            "published": _published(found.runs[0].result["dataset"], result.roles, members=args.members),
            "notes": result.missing,
            "roles": result.roles,
            "members": [str(run.path) for run in plain.runs],
            "selected": {name: [str(plain.runs[m].path) for m in s.members] for name, s in result.selected.items()},
        },
    )


def ensembles(
    everything: Pool, plain: Pool, residuals: Residuals | None, *, members: int, choose: int | None, draws: int
) -> Ensembles:
    """All of it.

    Args:
        everything: the runs.
        plain: those among which members are chosen.
        residuals: of the plain ones.
        members: of a full vote in the bars.
        choose: members that a rule chooses; None for seven of ten.
        draws: permutations in each null.

    Raises:
        ValueError: fewer than three runs, or more to choose than there are.
    """
    n = len(plain.runs)
    size = choose or max(1, round(0.7 * n))
    if n < 3 or not 0 < size < n:
        raise ValueError(
            f"{n} runs without a strategy, of which {size} are to be chosen; name three or more, --choose less"
        )
    if members < 2:
        raise ValueError(f"--members is {members}; a vote has two or more")
    found = bars(everything, members=members)
    curves = {name: growth(plain.votes["test"], own) for name, own in plain.groups.items()}
    if len(plain.groups) > 1:
        curves["all of them"] = growth(plain.votes["test"], range(n))
    return Ensembles(
        pool=everything,
        plain=plain,
        growth=curves,
        regression=None if residuals is None else regression(plain, residuals, draws=draws),
        selected=selected(plain, residuals, m=size),
        size=size,
        agreement=agreement(everything, draws=draws),
        mixing=mixing(everything),
        bars=found.made,
        differences=found.differences,
        missing=found.missing,
        aligned=add_aligned(everything),
        roles=found.roles,
    )


def read_residuals(runs: list[Run], positions: Positions, *, draws: int) -> Residuals:
    """Within-class residuals of runs, on test people and within validation people."""
    v, class_of, stimuli = positions.v, positions.class_of, len(positions.v)
    free = with_null(v, class_of, draws=draws, seed=0)
    inside = with_null(v, class_of, draws=draws, seed=0, move_classes=False)
    test, val, features = [], [], []
    for run in runs:
        test.append(read(final(run, recipe="", stimuli=stimuli), class_of, free=free, inside=inside)[1])
        one, other, whole = on_validation(run, stimuli=stimuli)
        val.append(within_class_residual(one, other, v, class_of, draws=1).value)
        features.append(whole)
    return Residuals(test=np.array(test), val=np.array(val), likeness=residual_likeness(features, class_of))


def numbers(result: Ensembles, *, simulated: bool) -> dict[str, Number]:
    """All of it by name, for the JSON file."""
    rows: dict[str, Number | None] = {}
    for name, curve in result.growth.items():
        for m, estimate in enumerate(curve, start=1):
            rows[f"vote[{name}][{m}]"] = _estimate(estimate, simulated=simulated)
    for bar in result.bars:
        rows[f"bar[{bar.label}]"] = _estimate(bar.accuracy, simulated=simulated)
    for name, estimate in result.differences.items():
        rows[f"difference[{name}]"] = _estimate(estimate, simulated=simulated, p=True)
    for name, (added, replaced) in result.mixing.items():
        rows[f"added[{name}]"] = _estimate(added, simulated=simulated, p=True)
        rows[f"replaced[{name}]"] = _estimate(replaced, simulated=simulated, p=True)
    if result.aligned:
        rows["added_all_aligned"] = _estimate(result.aligned, simulated=simulated, p=True)
    for (first, second), estimate in result.agreement.blocks.items():
        rows[f"kappa[{first} | {second}]"] = _estimate(estimate, simulated=simulated)
    kappa = result.agreement
    if math.isfinite(kappa.gap_p):
        rows["kappa_within_minus_across"] = Number(
            value=kappa.gap,
            n=len(kappa.matrix),
            simulated=simulated,
            null_mean=kappa.gap_null[0],
            null_95=kappa.gap_null[1],
            p_value=kappa.gap_p,
        )
    if kappa.same_seed:
        rows["kappa_same_seed_minus_others"] = _estimate(kappa.same_seed, simulated=simulated, p=True)
    for name, chosen in result.selected.items():
        rows[f"chosen[{name}]"] = Number(
            value=chosen.test.value,
            n=len(chosen.members),
            simulated=simulated,
            null_mean=chosen.random_test,
            null_95=chosen.random_95,
            p_value=chosen.p,
            interval=(chosen.test.low, chosen.test.high),
        )
        rows[f"optimism[{name}]"] = _estimate(chosen.optimism, simulated=simulated, p=True)
    found = result.regression
    if found:
        for run, estimate in zip(result.plain.runs, found.contribution):
            rows[f"contribution[{run.path}]"] = _estimate(estimate, simulated=simulated, p=True)
        for name in ("published", "shuffled", "within", "axes"):
            rows[f"residual_contribution_{name}"] = _association(getattr(found, name), simulated=simulated)
    return {name: number for name, number in rows.items() if number}


def _published(dataset: str, roles: dict[str, str], *, members: int) -> dict[str, dict[str, Any]]:
    """What was published of votes of ten and five, by the name of our number; nothing beside votes of other sizes."""
    said = PUBLISHED.get(dataset, {})
    return {roles.get(name, name): value for name, value in said.items() if members == 10 or name not in ROLES}


def _estimate(found: Estimate, *, simulated: bool, p: bool = False) -> Number | None:
    if not math.isfinite(found.low):
        return None
    return Number(
        value=found.value,
        n=found.n,
        simulated=simulated,
        interval=(found.low, found.high),
        p_value=found.p if p else None,
    )


def _association(found: Association, *, simulated: bool) -> Number | None:
    if not math.isfinite(found.r) or not math.isfinite(found.p):
        return None
    null = {"null_mean": found.null_mean, "null_95": found.null_95}
    return Number(
        value=found.r,
        n=found.n,
        simulated=simulated,
        p_value=found.p,
        interval=(found.low, found.high) if math.isfinite(found.low) else None,
        **{name: value for name, value in null.items() if math.isfinite(value)},
    )
