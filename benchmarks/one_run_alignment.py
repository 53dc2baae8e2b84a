"""Does an alignment loss help once persons are swapped, or the head is folded, by training length? By hand.

``python -m benchmarks.one_run_alignment [--cohorts 0,1,2]``: the mean squared error of a linear head on h against the
clips' positions, weight .5, beside the same networks without it. Everything is simulated.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from benchmarks.band_decoders import draw, fitted
from benchmarks.one_run import augmented, by_person, dials
from datamodules.simulation.faced_files import faced_cohort
from datamodules.simulation.truth import planted_axis
from measures.people import crossed
from paper import one_run_plan as plan
from records.files import atomic
from vaxis.emotions import FACED

ARMS = ("plain", "swap_noise", "folded")


def cell(world: str, number: int, arm: str, epochs: int, *, seeds: int, folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """(S, P) accuracies without and with the loss, from their file where they are there."""
    file = folder / f"{world}-{number}" / f"alignment-{arm}-{epochs}.npz"
    if not file.exists():
        snr, dialled = dials(plan.worlds()[world][1])
        simulated = faced_cohort(planted_axis(FACED, seed=number), snr=snr, seed=number, world=dialled)
        parts, v = draw(simulated), torch.tensor(simulated.truth.v, dtype=torch.float32)
        change, folded = augmented(plan.ways()[arm], parts[0]), arm == "folded"
        both = []
        for target in (None, v):
            found = fitted(parts, seeds=range(seeds), epochs=epochs, v=target, change=change, folded=folded)
            both.append(np.stack([by_person(one, parts[2].y) for one in found.test]))
        with atomic(file) as partial, open(partial, "wb") as handle:
            np.savez(handle, without=both[0], treated=both[1])
    with np.load(file) as kept:
        return kept["without"], kept["treated"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the table; returns the exit code."""
    parser = argparse.ArgumentParser("python -m benchmarks.one_run_alignment", description=__doc__)
    parser.add_argument("--world", default="default")
    parser.add_argument("--cohorts", default="0,1,2")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", default="20,60")
    parser.add_argument("--out", type=Path, default=Path("runs/one_run_by_hand"))
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    print("SIMULATED. Change by the loss, [95 % over seeds and people], cohort by cohort")
    print("| recipe | epochs | without | with the loss | change by cohort |\n|---|---|---|---|---|")
    for epochs in map(int, args.epochs.split(",")):
        for arm in ARMS:
            pairs = [cell(args.world, int(number), arm, epochs, seeds=args.seeds, folder=args.out)
                     for number in args.cohorts.split(",")]  # fmt: skip
            changes = [crossed(treated - without) for without, treated in pairs]
            each = ", ".join(f"{c.mean:+.3f} [{c.low:+.3f}, {c.high:+.3f}]" for c in changes)
            means = [float(np.mean([pair[k].mean() for pair in pairs])) for k in (0, 1)]
            print(f"| {plan.ways()[arm].label} | {epochs} | {means[0]:.3f} | {means[1]:.3f} | {each} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
