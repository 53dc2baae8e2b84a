"""What decoders reach in the simulated world beside what is published about FACED: the table of docs/simulator.md.

``python -m benchmarks.world [--cohorts 0,1,2]`` calibrates the default world; ``--dials`` moves one dial at a time and
shows what that does. Everything is simulated; minutes on one thread.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from benchmarks.band_decoders import CLASS_OF, Trials, accuracy, draw, logistic_regression, networks, ridge
from datamodules.simulation.faced_files import faced_cohort
from datamodules.simulation.signal import Cohort
from datamodules.simulation.truth import planted_axis
from datamodules.simulation.world import CLIP_CODES, LINEAR, World
from vaxis.emotions import FACED

CHANCE = 1 / len(FACED.classes)
TEN, FIVE, CLIP_SEEDS = range(10), range(5), range(2)
Parts = tuple[Trials, Trials, Trials]
# What is public about FACED, and about two small real sets where FACED has no number.
PUBLISHED = {
    "ridge": "SVM .394 (bioRxiv 10.64898/2026.06.12.731889)",
    "logistic regression": "as above",
    "one network": ".62-.66 (arXiv 2606.00129)",
    "sd over seeds": "",
    "vote of ten, gain": "+.037 (arXiv 2606.00129)",
    "seen clips": ".38-.72 (frozen REVE, linear probe)",
    "new clips": ".19-.21 (the same)",
    "share above chance that survives": ".16-.29 (the same)",
    "centred on the person, gain": "+.03 to +.09 (DEAP, MAHNOB-HCI, logistic regression; transductive)",
    "alignment loss, 20 epochs": "-.043 (vaxis_mse at .5, arXiv 2606.00129)",
    "alignment loss, 60 epochs": "not published",
    "one network, 60 epochs": "",
    "vote of five, 20 epochs": ".680 (100 epochs)",
    "vote of five, 60 epochs": ".692 (150 epochs)",
}
# One dial at a time, away from the default.
MOVES: dict[str, dict[str, Any]] = {
    "default": {},
    "snr 0.4": {"snr": 0.4},
    "snr 1.2": {"snr": 1.2},
    "codes 0": {"codes": 0},
    "codes 8": {"codes": 8},
    "codes 24": {"codes": 24},
    "code_strength 0.03": {"code_strength": 0.03},
    "state_strength 0.05": {"state_strength": 0.05},
    "code_scatter 0": {"code_scatter": 0.0},
    "code_scatter 1.5": {"code_scatter": 1.5},
    "class_strength 0": {"class_strength": 0.0},
    "clip_strength 0.1": {"clip_strength": 0.1},
    "electrode_noise 0.2": {"electrode_noise": 0.2},
    "offset 0, loudness 0": {"offset": 0.0, "loudness": 0.0},
    "offset 0.5": {"offset": 0.5},
    "gain 0.8": {"gain": 0.8},
    "band_gain 0.5": {"band_gain": 0.5},
    "mixing 0.5": {"mixing": 0.5},
    "heavy_tails 0.5": {"heavy_tails": 0.5},
    "quality 0.5": {"quality": 0.5},
    "the linear world": {"snr": 1.0, **vars(LINEAR)},
}


def cohort(seed: int, *, snr: float = 0.8, **dials) -> Cohort:
    """A simulated cohort with its own drawn axis."""
    return faced_cohort(planted_axis(FACED, seed=seed), snr=snr, seed=seed, world=replace(CLIP_CODES, **dials))


def mean_accuracy(members: torch.Tensor, y: torch.Tensor) -> float:
    """Mean balanced accuracy of (S, n, K) predictions."""
    return float(np.mean([accuracy(one, y) for one in members]))


def clip_folds(parts: Parts) -> dict[str, float]:
    """Accuracy of one network on test people with clips of training and with clips that training left out.

    Two of three clips a class are in training, in three folds; validation has clips of training only.
    """
    rank = torch.tensor([int((CLASS_OF[:clip] == CLASS_OF[clip]).sum()) for clip in range(len(CLASS_OF))])
    found = []
    for fold in range(3):
        new = rank % 3 == fold
        train, val, test = parts
        members = networks((train.of_clips(~new), val.of_clips(~new), test), seeds=CLIP_SEEDS, epochs=20)
        rows = new[test.clip]
        found.append([mean_accuracy(members[:, part], test.y[part]) for part in (~rows, rows)])
    seen, unseen = np.mean(found, axis=0)
    return {
        "seen clips": seen,
        "new clips": unseen,
        "share above chance that survives": (unseen - CHANCE) / (seen - CHANCE),
    }


def calibration(seed: int, *, snr: float, world: World) -> dict[str, float]:
    """One column of the table: every observation on one cohort."""
    simulated = cohort(seed, snr=snr, **vars(world))
    parts, v = draw(simulated), torch.tensor(simulated.truth.v, dtype=torch.float32)
    y, plain = parts[2].y, networks(parts, seeds=TEN, epochs=20)
    longer = networks(parts, seeds=FIVE, epochs=60)
    aligned = [networks(parts, seeds=FIVE, epochs=epochs, v=v) for epochs in (20, 60)]
    centred = draw(simulated, centred=True)
    single, five, five_longer = (mean_accuracy(members, y) for members in (plain, plain[:5], longer))
    return {
        "ridge": accuracy(ridge(*parts), y),
        "logistic regression": accuracy(logistic_regression(*parts), y),
        "one network": single,
        "sd over seeds": float(np.std([accuracy(one, y) for one in plain], ddof=1)),
        "vote of ten, gain": accuracy(plain.mean(dim=0), y) - single,
        **clip_folds(parts),
        "centred on the person, gain": mean_accuracy(networks(centred, seeds=FIVE, epochs=20), y) - five,
        "alignment loss, 20 epochs": mean_accuracy(aligned[0], y) - five,
        "alignment loss, 60 epochs": mean_accuracy(aligned[1], y) - five_longer,
        "one network, 60 epochs": five_longer,
        "vote of five, 20 epochs": accuracy(plain[:5].mean(dim=0), y),
        "vote of five, 60 epochs": accuracy(longer.mean(dim=0), y),
    }


def move(seed: int, *, snr: float = 0.8, **dials) -> dict[str, float]:
    """What one setting of the dials does, shortly: two members, clips in three folds."""
    simulated = cohort(seed, snr=snr, **dials)
    parts, centred = draw(simulated), draw(simulated, centred=True)
    y, members = parts[2].y, networks(parts, seeds=FIVE, epochs=20)
    single = mean_accuracy(members, y)
    people = members.argmax(dim=-1).eq(y).float().mean(dim=0).unflatten(0, (-1, len(y) // 23)).mean(dim=1)
    return {
        "ridge": accuracy(ridge(*parts), y),
        "one network": single,
        "vote of five, gain": accuracy(members.mean(dim=0), y) - single,
        "survives": clip_folds(parts)["share above chance that survives"],
        "centred, gain": mean_accuracy(networks(centred, seeds=CLIP_SEEDS, epochs=20), y) - single,
        "sd over people": float(people.std()),
    }


def table(name: str, columns: dict[str, dict[str, float]], last: dict[str, str] | None = None) -> str:
    """Markdown with a row a measure, a column a cohort, mean and sd over them, and a last column of text."""
    lines = [
        f"| {name} | {' | '.join(columns)} | mean (sd) |{' published |' if last else ''}",
        "|---" * (len(columns) + 2 + bool(last)) + "|",
    ]
    for row in next(iter(columns.values())):
        values = [column[row] for column in columns.values()]
        numbers = [f"{value:+.3f}" if "gain" in row or "loss" in row else f"{value:.3f}" for value in values]
        spread = f"{np.mean(values):+.3f}" if "gain" in row or "loss" in row else f"{np.mean(values):.3f}"
        spread += f" ({np.std(values, ddof=1):.3f})" if len(values) > 1 else ""
        lines.append(f"| {row} | {' | '.join(numbers)} | {spread} |" + (f" {last[row]} |" if last else ""))
    return "\n".join(lines)


def dial_table(seeds: Sequence[int], measure: Callable[..., dict[str, float]] = move) -> str:
    """Markdown with a row a setting: means over cohorts."""
    rows: list[str] = []
    names: list[str] = []
    for name, dials in MOVES.items():
        found = [measure(seed, **dials) for seed in seeds]
        names = names or list(found[0])
        rows.append(f"| {name} | " + " | ".join(f"{np.mean([one[key] for one in found]):.3f}" for key in names) + " |")
        print(rows[-1], file=sys.stderr, flush=True)
    return "\n".join([f"| dial | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|", *rows])


def main(args: Sequence[str] | None = None) -> None:
    """Run the command."""
    command = argparse.ArgumentParser(prog="python -m benchmarks.world", description=__doc__)
    command.add_argument("--cohorts", default="0,1,2", help="cohort seeds, separated by commas")
    command.add_argument("--snr", type=float, default=0.8)
    command.add_argument("--linear", action="store_true", help="the first version's world, usually with --snr 1")
    command.add_argument("--dials", action="store_true", help="one dial at a time instead of the calibration")
    options = command.parse_args(args)
    torch.set_num_threads(1)
    seeds = [int(word) for word in options.cohorts.split(",")]
    if options.dials:
        print(dial_table(seeds))
        return
    world = LINEAR if options.linear else CLIP_CODES
    columns = {f"cohort {seed}": calibration(seed, snr=options.snr, world=world) for seed in seeds}
    print(table("simulated", columns, PUBLISHED))


if __name__ == "__main__":
    main()
