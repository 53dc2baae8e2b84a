"""One run against ten in many worlds, by hand: the arms of ``paper one_run`` in a loop that takes seconds a cohort.

``python -m benchmarks.one_run [--worlds default,shifts] [--cohorts 0,1,2] [--out DIR]`` trains the default network with
the default recipe in the loop of ``band_decoders``; arms, worlds and table are those of ``python -m paper one_run``,
which trains the same as whole runs and on any data. An arm that is finished lies in ``DIR`` and is not run again.
Everything is simulated.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.band_decoders import CLASS_OF, WINDOWS, Fitted, Trials, draw, fitted
from datamodules.augmentation import Augmentation
from datamodules.normalisation import COMPONENTS
from datamodules.people import People
from datamodules.simulation.faced_files import PARTS, faced_cohort
from datamodules.simulation.truth import planted_axis
from datamodules.simulation.world import CLIP_CODES, World
from measures.people import person_scores
from paper import one_run_plan as plan
from paper.one_run_scores import Tried
from paper.one_run_table import written
from records.files import atomic
from vaxis.emotions import FACED

EPOCHS = 20
TRIALS = len(CLASS_OF) * WINDOWS  # of a person
Parts = tuple[Trials, Trials, Trials]
NOT_HERE = ("snapshots", "swa", "kept")
# The first clip of every class, which no training of the arms on new clips sees.
NEW = torch.tensor([not bool((CLASS_OF[:clip] == CLASS_OF[clip]).any()) for clip in range(len(CLASS_OF))])


def dials(flags: Sequence[str]) -> tuple[float, World]:
    """Signal strength and world that the flags of ``one_run.yaml`` name."""
    given = {name.removeprefix("--data."): float(value) for name, value in zip(flags[::2], flags[1::2])}
    snr = given.pop("snr", 0.8)
    changed: dict[str, Any] = {name.removeprefix("world."): value for name, value in given.items()}
    return snr, replace(CLIP_CODES, **changed | ({"codes": int(changed["codes"])} if "codes" in changed else {}))


def augmented(way: plan.Way, train: Trials) -> Callable[[Tensor, Tensor], Tensor] | None:
    """The product's augmentation of an arm; people are those of the training, each with his trials in a row."""
    options = way.changes.get("data.augmentation")
    if options is None:
        return None
    trials = len(train.x) // len(PARTS[0])
    means = train.x.unflatten(0, (-1, trials)).mean(dim=1)
    people = People(ids=torch.arange(len(means)), baseline=means, raw=False)
    operation = Augmentation(**options)
    return lambda x, rows: operation(x, subject=rows // trials, people=people)


def projected(parts: Parts) -> Parts:
    """Without the leading directions in which training people differ, as ``--data.normalise projected``."""
    means = parts[0].x.unflatten(0, (-1, TRIALS)).mean(dim=1).flatten(1)
    directions = torch.linalg.svd(means - means.mean(dim=0), full_matrices=False)[2][:COMPONENTS]
    out = [part._replace(x=part.x - (part.x.flatten(1) @ directions.T @ directions).view_as(part.x)) for part in parts]
    return out[0], out[1], out[2]


def train(way: plan.Way, plain: Parts, centred: Parts, *, seeds: Sequence[int], ten: Fitted | None) -> Fitted:
    """The runs of an arm."""
    normalise = way.changes.get("data.normalise")
    parts = {"subject": centred, "projected": projected(plain)}.get(normalise or "", plain)
    if way.new_clips:
        parts = (parts[0].of_clips(~NEW), parts[1].of_clips(~NEW), parts[2])
    return fitted(
        parts,
        seeds=seeds,
        epochs=round(EPOCHS * way.longer),
        change=augmented(way, parts[0]),
        folded=way.changes.get("model.head") == "folded_clips",
        soft=ten.predict(plain[0].x).mean(dim=0) if way.loss and ten else None,
        decay=0.99 if "trainer.callbacks" in way.changes else 0.0,
    )


def by_person(scores: Tensor, y: Tensor) -> np.ndarray:
    """(P,) balanced accuracy of each test person."""
    subject = np.arange(len(y)) // (len(y) // len(PARTS[2]))
    return np.array(list(person_scores(y.numpy(), scores.argmax(dim=1).numpy(), subject, n_classes=9).values()))


def tried(way: plan.Way, found: Fitted, test: Trials, *, seeds: Sequence[int]) -> Tried:
    """As the table takes it; arms on new clips are scored on those."""
    sizes = [size for size in (5, 10) if size <= len(seeds)]
    on = {kept: (found.test[:, rows], test.y[rows]) for kept in (False, True) if (rows := NEW[test.clip] == kept).any()}
    p, y = on[True] if way.new_clips else (found.test, test.y)
    seen = [float(np.mean([by_person(one, part[1]).mean() for one in part[0]])) for part in (on[False], on[True])]
    return Tried(
        way=way,
        seeds=tuple(seeds),
        alone=np.stack([by_person(one, y) for one in p]),
        votes={size: by_person(p[:size].mean(dim=0), y) for size in sizes},
        validation=found.validation.numpy(),
        clips=(seen[0], seen[1]) if way.new_clips else None,
        why={},
    )


def cohort(world: str, number: int, ways: Sequence[plan.Way], *, seeds: int, folder: Path) -> dict[str, Tried]:
    """Every arm of a cohort, from its file where it is finished."""
    snr, dialled = dials(plan.worlds()[world][1])
    simulated, parts = None, None
    found: dict[str, Tried] = {}
    ten: Fitted | None = None
    for way in ways:
        file, own = folder / f"{world}-{number}" / f"{way.id}.npz", range(10 if way.id == "plain" else seeds)
        if not file.exists():
            if parts is None:
                simulated = faced_cohort(planted_axis(FACED, seed=number), snr=snr, seed=number, world=dialled)
                parts = draw(simulated), draw(simulated, centred=True)
            if way.loss and ten is None:
                ten = train(plan.ways()["plain"], *parts, seeds=range(10), ten=None)
            result = train(way, *parts, seeds=own, ten=ten)
            ten = result if way.id == "plain" else ten
            one = tried(way, result, parts[0][2], seeds=own)
            with atomic(file) as partial, open(partial, "wb") as handle:
                arrays: dict[str, Any] = {f"vote_{size}": vote for size, vote in one.votes.items()}
                arrays |= {"clips": np.array(one.clips)} if one.clips else {}
                np.savez(handle, alone=one.alone, validation=one.validation, **arrays)
            print(f"{world} {number}: {way.label} {one.value:.3f}", flush=True)
        with np.load(file) as kept:
            votes = {int(name.removeprefix("vote_")): kept[name] for name in kept if name.startswith("vote_")}
            clips = tuple(kept["clips"].tolist()) if "clips" in kept else None
            found[way.id] = Tried(way=way, seeds=tuple(own), alone=kept["alone"], votes=votes,
                                  validation=kept["validation"], clips=clips, why={})  # fmt: skip
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Run the cohorts; returns the exit code."""
    parser = argparse.ArgumentParser("python -m benchmarks.one_run", description=__doc__)
    parser.add_argument("--worlds", default=",".join(plan.worlds()))
    parser.add_argument("--cohorts", default="0,1,2")
    parser.add_argument("--seeds", type=int, default=3, help="of every arm but the plain one, which has ten")
    parser.add_argument("--arms", help="all, main or names (default: all in the first world, main in the others)")
    parser.add_argument("--out", type=Path, default=Path("runs/one_run_by_hand"))
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    tables: dict[str, dict[int, dict[str, Tried]]] = {}
    for number in map(int, args.cohorts.split(",")):
        for place, world in enumerate(args.worlds.split(",")):
            ways = plan.chosen(args.arms, first="main" if place else "all")
            ways = [way for way in ways if way.id not in NOT_HERE]
            tables.setdefault(world, {})[number] = cohort(world, number, ways, seeds=args.seeds, folder=args.out)
    command = " ".join(["python -m benchmarks.one_run", *(sys.argv[1:] if argv is None else argv)])
    print(written(tables, folder=args.out, command=command, simulated=True))
    return 0


if __name__ == "__main__":
    sys.exit(main())
