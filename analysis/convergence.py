"""Do better decoders carry more of the axis? Correlation over checkpoints, and how many of them are independent.

Reads finished runs of any architecture and their kept epochs (--checkpoint.keep_every N) from their folders:

    python -m analysis convergence RUN... [--out DIR]

Every number stands beside its null: the same checkpoints read against axes that keep the structure of the real one and
mean nothing. What the paper did (each checkpoint counted as independent, the best component without a null) is
computed too, and shown to fail.
"""

import argparse
import math
from pathlib import Path
from typing import Any

import numpy as np

from analysis.base import Findings, Number
from analysis.convergence_check import calibrate as calibrate
from analysis.convergence_check import recover as recover
from analysis.convergence_text import text, words
from analysis.converging import Convergence, convergence
from analysis.gather import gather, group_names
from analysis.stimuli import final, kept, positions_of
from measures.base import Measure
from measures.clustered import Association, effective_number
from measures.paired import paired

# arXiv 2606.00129, section 3, over 36 checkpoints; its revision of September 2026 withdraws both correlations.
PUBLISHED: dict[str, dict[str, dict[str, Any]]] = {
    "faced": {
        "accuracy_class_pc1_published": {"v1": 0.885, "revision": None, "note": "withdrawn; 36 checkpoints"},
        "accuracy_residual_published": {"v1": 0.738, "revision": None, "note": "withdrawn; 36 checkpoints"},
        "effective_checkpoints_class_pc1": {"v1": 36, "revision": 1.2, "note": "pseudo-replicated"},
    }
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The axis and the nulls."""
    parser.add_argument(
        "--axis", type=Path, metavar="FILE", help="the axis of the runs (default: that in a checkpoint)"
    )
    parser.add_argument("--draws", type=int, default=1000, help="axes without meaning in each null (%(default)s)")


def main(args: argparse.Namespace) -> Findings:
    """Read the runs, compare, and draw the figure with ``--out``."""
    found = gather(args.runs)
    runs = found.runs
    positions = positions_of(runs, args.axis)
    stimuli = len(positions.v)
    # A recipe with a strategy is another recipe: its runs are alike for a reason of their own.
    names = group_names(runs)
    checkpoints = [final(run, recipe=name, stimuli=stimuli) for run, name in zip(runs, names)]
    finals = len(checkpoints)
    for run, name in zip(runs, names):
        checkpoints += kept(run, recipe=name, classes=positions.classes, stimuli=stimuli)
    result = convergence(checkpoints, positions, finals=finals, draws=args.draws)
    if args.out:
        from analysis.convergence_figure import figure

        args.out.mkdir(parents=True, exist_ok=True)
        figure(result, simulated=found.simulated).savefig(args.out / "convergence.png", dpi=150, facecolor="white")
    return Findings(
        text=found.note + text(result, simulated=found.simulated),
        numbers=numbers(result, simulated=found.simulated),
        detail={
            "dataset": runs[0].result["dataset"],
            "published": PUBLISHED.get(runs[0].result["dataset"], {}),
            "notes": words(result),
            "checkpoints": _table(result),
            "within_class_share_of_axis": positions.within,
        },
    )


def numbers(result: Convergence, *, simulated: bool) -> dict[str, Number]:
    """All of it by name, for the JSON file."""
    rows: dict[str, Number | None] = {
        "best_pc_in_sample_mean": _measure(result.in_sample, n=result.finals, simulated=simulated)
    }
    for name, found in result.readings.items():
        rows[f"{name}_mean"] = _measure(found.whole, n=found.published.n, simulated=simulated)
        for kind in ("published", "axes", "robust", "within", "between"):
            rows[f"accuracy_{name}_{kind}"] = _number(getattr(found, kind), simulated=simulated)
        for recipe, association in found.recipes.items():
            rows[f"accuracy_{name}_within[{recipe}]"] = _number(association, simulated=simulated)
        ends = _resampled(found.values[found.defined, 1:])
        rows[f"effective_checkpoints_{name}"] = Number(
            value=found.effective, n=int(found.defined.sum()), simulated=simulated, interval=ends
        )
        if len(found.training) > 1:
            rows[f"training_{name}"] = _mean(found.training, simulated=simulated)
    return {name: number for name, number in rows.items() if number}


def _resampled(values: np.ndarray, *, draws: int = 200) -> tuple[float, float]:
    """How far the number of exchanged axes leaves it open: 95 % over axes drawn again."""
    rng = np.random.default_rng(0)
    again = [effective_number(values[:, rng.integers(0, values.shape[1], values.shape[1])]) for _ in range(draws)]
    low, high = np.nanquantile(again, [0.025, 0.975])
    return float(low), float(high)


def _mean(values: np.ndarray, *, simulated: bool) -> Number:
    found = paired([0.0] * len(values), values.tolist())
    return Number(value=found.mean, n=found.n, simulated=simulated, p_value=found.p, interval=(found.low, found.high))


def _measure(measure: Measure, *, n: int, simulated: bool) -> Number | None:
    if not math.isfinite(measure.value):
        return None
    return Number(
        value=measure.value,
        n=n,
        simulated=simulated,
        null_mean=measure.null_mean,
        null_95=measure.null_95,
        p_value=measure.p_value,
    )


def _number(found: Association, *, simulated: bool) -> Number | None:
    if not math.isfinite(found.r) or not (math.isfinite(found.p) or math.isfinite(found.low)):
        return None
    optional = {"null_mean": found.null_mean, "null_95": found.null_95, "p_value": found.p}
    return Number(
        value=found.r,
        n=found.n,
        simulated=simulated,
        interval=(found.low, found.high) if math.isfinite(found.low) else None,
        **{name: value for name, value in optional.items() if math.isfinite(value)},
    )


def _table(result: Convergence) -> list[dict[str, Any]]:
    return [
        {
            "run": c.run,
            "recipe": c.recipe,
            "network": c.network,
            "epoch": c.epoch,
            "balanced_accuracy": c.accuracy,
            **{name: float(found.values[row, 0]) for name, found in result.readings.items()},
        }
        for row, c in enumerate(result.checkpoints)
    ]
