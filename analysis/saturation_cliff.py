"""Does a loss cost more where the decoder is better? Difference against base over recipes, errors of both taken out.

Reads finished runs with and without losses under several recipes (networks, lengths, signals), paired by their seeds:

    python -m analysis saturation_cliff RUN... [--out DIR]

The base accuracy is on both sides: a lucky base makes a small difference. So the naive slope is negative where there is
nothing; it stands beside the corrected one.
"""

import argparse
import math
from typing import Any

from analysis.base import Findings, Number
from analysis.cliff import PUBLISHED_SLOPE, Cliff, answer, cliff, points_of
from analysis.gather import gather
from analysis.saturation_cliff_check import calibrate as calibrate
from analysis.saturation_cliff_check import recover as recover
from measures.errors_in_variables import Slope

PUBLISHED: dict[str, dict[str, dict[str, Any]]] = {
    "faced": {"slope_published": {"v1": PUBLISHED_SLOPE, "revision": None, "note": "topography, two bases"}}
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The nulls."""
    parser.add_argument("--draws", type=int, default=2000, help="permutations of recipes beyond seven (%(default)s)")


def main(args: argparse.Namespace) -> Findings:
    """Read the runs, fit, and draw the figure with ``--out``."""
    found = gather(args.runs)
    points, networks, left_out = points_of(found.runs)
    result = cliff(points, networks=networks, left_out=left_out, draws=args.draws)
    if args.out:
        from analysis.saturation_cliff_figure import figure

        args.out.mkdir(parents=True, exist_ok=True)
        figure(result, simulated=found.simulated).savefig(args.out / "saturation_cliff.png", dpi=150, facecolor="white")
    return Findings(
        text=found.note + text(result, simulated=found.simulated),
        numbers=numbers(result, simulated=found.simulated),
        detail={
            "dataset": found.runs[0].result["dataset"],
            "published": PUBLISHED.get(found.runs[0].result["dataset"], {}),
            "notes": answer(result),
            "aicc": {fit.name: fit.aicc for fit in result.fits},
            "step": {fit.name: {"at": fit.at, "between": list(fit.between)} for fit in result.fits[2:]},
            "reliability_of_bases": None if result.slope is None else result.slope.reliability,
            "left_out": result.left_out,
        },
    )


def text(result: Cliff, *, simulated: bool) -> str:
    """The table, the slopes, the models and the answer."""
    lines = [
        f"{len(result.points)} points: {len(result.recipes)} recipes, strategies "
        + ", ".join(dict.fromkeys(p.strategy for p in result.points))
        + (" - SIMULATED data, no evidence about brains" if simulated else ""),
        "",
        f"{'recipe':<44}{'strategy':<26}{'base':>6}{'difference':>12}  95 %",
    ]
    for name in result.recipes:
        for point, p in zip(result.points, result.paired):
            if point.recipe == name:
                ends = f"[{p.low:+.3f}, {p.high:+.3f}] n {p.n}"
                lines.append(f"{name:<44}{point.strategy:<26}{point.base.mean():>6.3f}{p.mean:>+12.4f}  {ends}")
    lines += [*(f"left out: {line}" for line in result.left_out), ""]
    for label, found in (("slope", result.slope), ("strategies that every recipe has", result.matched)):
        if found:
            lines += _slope(label, found)
    if result.slope:
        lines.append("models (AICc less that of the constant, 95 % over seeds; below -2 speaks for the model)")
        for fit in result.fits:
            low, high = result.support.get(fit.name, (math.nan, math.nan))
            step = f"  step between {fit.between[0]:.3f} and {fit.between[1]:.3f}" if math.isfinite(fit.at) else ""
            ends = f" [{low:+.1f}, {high:+.1f}]" if math.isfinite(low) else ""
            gain = fit.aicc - result.fits[0].aicc
            lines.append(
                f"  {fit.name:<20}{gain:+.1f}{ends}{step}" if math.isfinite(gain) else f"  {fit.name:<20}too few points"
            )
    for i in result.interactions:
        lines.append(
            f"{i.strategy}: {i.value:+.4f} [{i.interval[0]:+.4f}, {i.interval[1]:+.4f}] p {i.p:.2g} under {i.high} "
            f"compared with {i.low}"
        )
    if (whole := result.interaction) and len(result.interactions) > 1:
        ends = f"[{whole.interval[0]:+.4f}, {whole.interval[1]:+.4f}]"
        lines.append(f"mean of {whole.strategy}: {whole.value:+.4f} {ends} p {whole.p:.2g}")
    return "\n".join([*lines, "", *answer(result)])


def _slope(label: str, s: Slope) -> list[str]:
    ends = f" [{s.low:+.3f}, {s.high:+.3f}]  p {s.p:.2g}" if math.isfinite(s.low) else "  no interval from two recipes"
    p = f"  p {s.p_published:.2g}" if math.isfinite(s.p_published) else ""
    corrected = f"{s.corrected:+.3f}{ends}" if math.isfinite(s.corrected) else "the bases differ by their errors alone"
    return [
        f"{label}: {s.points} points, {s.recipes} recipes",
        f"  as published, one line through all        {s.published:+.3f}{p}",
        f"  an intercept a strategy, uncorrected      {s.naive:+.3f}",
        f"  errors of base and difference taken out   {corrected}",
    ]


def numbers(result: Cliff, *, simulated: bool) -> dict[str, Number]:
    """All of it by name, for the JSON file."""
    rows: dict[str, Number] = {}
    for point, p in zip(result.points, result.paired):
        rows[f"difference[{point.strategy} | {point.recipe}]"] = Number(
            value=p.mean, n=p.n, simulated=simulated, p_value=p.p, interval=(p.low, p.high)
        )
    for label, found in (("slope", result.slope), ("slope_matched", result.matched)):
        if found and math.isfinite(found.corrected) and math.isfinite(found.p):
            rows[label] = Number(
                value=found.corrected,
                n=found.recipes,
                simulated=simulated,
                null_mean=found.null_mean,
                null_95=found.null_95,
                p_value=found.p,
                interval=(found.low, found.high) if math.isfinite(found.low) else None,
            )
        if found and math.isfinite(found.p_published):
            rows[f"{label}_published"] = Number(
                value=found.published, n=found.points, simulated=simulated, p_value=found.p_published
            )
    for fit in result.fits[1:]:
        if fit.name in result.support and math.isfinite(fit.aicc):
            rows[f"aicc[{fit.name}]"] = Number(
                value=fit.aicc - result.fits[0].aicc,
                n=len(result.points),
                simulated=simulated,
                interval=result.support[fit.name],
            )
    for i in result.interactions:
        rows[f"interaction[{i.strategy} | {i.high} | {i.low}]"] = Number(
            value=i.value, n=i.n, simulated=simulated, p_value=i.p, interval=i.interval
        )
    if whole := result.interaction:
        rows["interaction"] = Number(
            value=whole.value, n=whole.n, simulated=simulated, p_value=whole.p, interval=whole.interval
        )  # fmt: skip
    return rows
