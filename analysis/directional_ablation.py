"""What does a decoder lose when a direction is removed from every token? The axis, class PC1 and residual direction.

    python -m analysis directional_ablation RUN... [--out DIR]

Directions are found on validation people: where features covary with the axis, the first component of the class means,
and the component of the within-class residual that follows the axis. Each is removed from, and amplified in, every
token of the encoder's output, and the unchanged classifier is asked about the test people (arXiv 2606.00129).

Three nulls stand beside each loss. Uniform directions have the same norm, which is the paper's null; they carry less
variance than a leading component, so it is passed too easily. Directions of the same variance repair that. Directions
that the same steps find for permuted positions of the axis say whether the axis, rather than any contrast of clips,
is what the decoder uses; only their p-value is exact.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from analysis.ablation_effects import NULLS, Directions, Effect, RunEffects, pooled
from analysis.base import Findings, Number, runs_in
from records.files import atomic
from records.run import Run

DRAWS = 200
# Accuracy lost at every checkpoint, mean (arXiv 2606.00129, section 3); the revision is silent.
PUBLISHED: dict[str, dict[str, dict[str, Any]]] = {
    "faced": {
        "residual_removed_lost_isotropic": {"v1": 0.0157, "revision": None, "note": "mean z 7.7, 20 directions"},
        "residual_amplified_lost_isotropic": {"v1": 0.0047, "revision": None, "note": ""},
    },
    "seedv": {
        # Its axis is constant within classes, so there is no residual: the best component of all.
        "best_pc_removed_lost_isotropic": {"v1": 0.0173, "revision": None, "note": "mean z 23.6"},
    },
}
NAMES = {
    "axis": "axis, as read in h",
    "class_pc1": "class PC1",
    "residual": "within-class residual",
    "best_pc": "best component (no residual)",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Random directions, checkpoint and device."""
    parser.add_argument(
        "--draws", type=int, default=DRAWS, metavar="N", help="random directions of each kind (default %(default)s)"
    )
    parser.add_argument("--checkpoint", default="best", metavar="NAME", help="best, last or the number of a kept epoch")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"), help="(auto)")


def main(args: argparse.Namespace) -> Findings:
    """Ablate every run.

    Raises:
        ValueError: too few random directions, or runs of different data.
    """
    from tqdm import tqdm

    if args.draws < 20:
        raise ValueError(f"--draws {args.draws}: with fewer than 20 random directions no p can fall below .05")
    runs = runs_in(args.runs)
    if others := {run.result["data"] for run in runs} - {runs[0].result["data"]}:
        raise ValueError(f"the runs are of {1 + len(others)} data sets or cohorts; name runs of one alone")
    checkpoint = int(args.checkpoint) if args.checkpoint.isdecimal() else args.checkpoint
    effects = [
        ablate(run.path, draws=args.draws, checkpoint=checkpoint, device=args.device)
        for run in tqdm(runs, desc="removing directions", unit="run", leave=False)
    ]
    found, simulated = pooled(effects), bool(runs[0].result["simulated"])
    if args.out:
        from analysis.ablation_figure import picture
        from analysis.canvas import png

        with atomic(args.out / "directional_ablation.png") as partial:
            partial.write_bytes(png(picture(effects, found, simulated=simulated)))
    return Findings(
        text=_text(effects, found, simulated=simulated),
        numbers=_numbers(found, n=len(runs), simulated=simulated),
        detail={
            "dataset": runs[0].result["dataset"],
            "published": PUBLISHED.get(runs[0].result["dataset"], {}),
            "runs": [_run(run, own) for run, own in zip(runs, effects, strict=True)],
            "draws": args.draws,
        },
    )


def ablate(run_dir: Path, *, draws: int = DRAWS, checkpoint: str | int = "best", device: str = "auto") -> RunEffects:
    """Remove and amplify the directions of one run.

    Args:
        run_dir: folder of the run.
        draws: random directions of each kind.
        checkpoint: as in ``open_run``.
        device: as in ``open_run``.
    """
    import torch

    from analysis.ablated import answers
    from command_line.reopen import open_run

    if device == "cuda" and not torch.cuda.is_available():
        raise ValueError("--device cuda: there is no GPU here; leave it out, or give cpu")
    opened = open_run(run_dir, checkpoint=checkpoint, device=device)
    targets, spec = opened.decoder.targets, opened.contents.spec
    assert targets is not None  # a decoder that was restored has its targets
    val = opened.predict(split="val")
    features = val.features(spec)
    directions = Directions.draw(
        h=val.h.astype(np.float64),
        features=features,
        v=targets.v.double().cpu().numpy(),
        class_of=np.asarray(spec.class_of),
        draws=draws,
        seed=opened.decoder.seed,
    )
    batches = opened.batches(split="test")
    asked = answers(opened.decoder, batches, directions.rows, precision=opened.precision)
    return RunEffects.of(str(run_dir), asked, directions)


def calibrate(*, cohorts: int, seed: int) -> dict[str, list[float]]:
    """p-values on cohorts in which the decoder uses clips that have nothing to do with the axis."""
    from analysis.ablation_cohorts import null_p_values

    return null_p_values(cohorts=cohorts, seed=seed)


def recover(*, cohorts: int, seed: int) -> dict[str, float]:
    """Whether a planted residual direction is found, and how often the interval over people holds the true loss."""
    from analysis.ablation_cohorts import recovery

    return recovery(cohorts=cohorts, seed=seed)


def _numbers(found: dict[tuple[str, str], Effect], *, n: int, simulated: bool) -> dict[str, Number]:
    numbers = {}
    for (name, action), effect in found.items():
        for kind, null in effect.against.items():
            numbers[f"{name}_{action}_lost_{kind}"] = Number(
                value=effect.lost, n=n, simulated=simulated, null_mean=null.mean, null_95=null.high, p_value=null.p,
                interval=effect.interval,
            )  # fmt: skip
    return numbers


def _run(run: Run, own: RunEffects) -> dict[str, Any]:
    effects = pooled([own])
    rows = {
        f"{name}_{action}": {
            "change": -effect.lost,
            "z": effect.z,
            "p": {kind: against.p for kind, against in effect.against.items()},
        }
        for (name, action), effect in effects.items()
    }
    facts = {"run": own.run, "loss": run.loss, "seed": run.seed, "balanced_accuracy": own.accuracy}
    return facts | {"variance": own.directions.variance, "cosine": own.directions.cosine, "effects": rows}


def _text(effects: Sequence[RunEffects], found: dict[tuple[str, str], Effect], *, simulated: bool) -> str:
    runs, first = len(effects), effects[0]
    many, people = ("run" if runs == 1 else "runs"), len(first.people)
    draws = next(iter(next(iter(found.values())).against.values())).draws
    lines = [
        f"{runs} {many}, {people} test people, balanced accuracy {np.mean([e.accuracy for e in effects]):.3f}"
        + (" (SIMULATED)" if simulated else ""),
        f"its change when a direction is removed from, or amplified in, every token; {draws} random directions a null",
        "",
        f"{'direction':<30}{'change [95 % people]':<28}{'null':<32}{'mean':<9}{'z':<7}{'p':<7}runs p < .05",
    ]
    for (name, action), effect in found.items():
        low, high = effect.interval
        for number, (kind, null) in enumerate(effect.against.items()):
            change = f"{-effect.lost:+.4f} [{-high:+.4f}, {-low:+.4f}]"
            left = (f"{NAMES[name]:<30}{change:<28}", f"{action:<58}", f"{'':<58}")[number]
            row = f"{-null.mean:<+9.4f}{null.z:<7.1f}{null.p:<7.3f}{effect.significant[kind]} of {runs}"
            lines.append(f"{left}{NULLS[kind]:<32}{row}")
    lines += ["", "variance of h along the direction, 1 = the mean direction; and |cosine| of its random directions:"]
    for name in first.directions.own:
        share = np.mean([e.directions.variance[name] for e in effects])
        near = ", ".join(
            f"{kind} {np.mean([e.directions.cosine[name][kind] for e in effects]):.2f}"
            for kind in first.directions.cosine[name]
        )
        lines.append(f"  {NAMES[name]:<30}{share:5.1f}   {near}")
    if "residual" in first.directions.own:
        lines += ["", "Class means explain nearly all of how people rate the clips of FACED (97.8 % of the variance of"]
        lines += ["their mean valence); what the residual direction follows is the remaining 2.2 %."]
    return "\n".join(lines)
