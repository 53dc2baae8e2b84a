"""Where and how does the EEG of a cohort follow the axis, and does it follow anything else as well?

    python -m analysis eeg_map [--out DIR]                                     # a simulated cohort
    python -m analysis eeg_map --data FACED --data.root DIR [--axis FILE] [--out DIR]
    python -m analysis eeg_map --data SEEDV --data.root DIR [--axis FILE] [--out DIR]

No run is read and nothing is trained: band features of all people against the positions of the clips on the axis, by
nested ridge, cell by cell, person by person and over time, every number beside its null. Takes the flags of
``train.py fit`` for data and axis. docs/brain_maps.md says what each number means.
"""

import argparse
from typing import TYPE_CHECKING

from analysis.base import Findings

if TYPE_CHECKING:
    from datamodules.base import EEGDataModule

SETTINGS = True  # takes flags of ``train.py fit``
RUNS = False  # and no run
DRAWS = 1000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--draws", type=int, default=DRAWS, help="permutations in the null of every number")
    parser.add_argument("--null_seed", type=int, default=0, help="of the permutations")


def main(args: argparse.Namespace) -> Findings:
    """Measure a cohort.

    Raises:
        ValueError: wrong flags, or an axis of emotions that the data do not have.
    """
    from analysis.brain.axes import axis_on, competing, random_axes
    from analysis.brain.cohort import gather
    from analysis.brain.measure import measure
    from vaxis.axis import Axis

    if args.draws < 19:
        raise ValueError(f"--draws {args.draws}: p cannot reach .05 with fewer than 19")
    data, path, source = _data(args.settings)
    cohort = gather(data)
    axis, told = axis_on(Axis.load(path or data.axis_path), data.taxonomy)
    positions = competing(axis, cohort, source=source)
    found = measure(cohort, positions, random_axes(axis, seed=args.null_seed), draws=args.draws, seed=args.null_seed)
    for name, s in found.stats.items():
        print(f"{name:45s} {s.value:8.3f}", s.null_mean, s.null_95, s.p_value, s.interval)
    return Findings(
        text=f"{told}",
        numbers={name: stat.number(simulated=cohort.simulated) for name, stat in found.stats.items()},
    )


def _data(words: list[str]) -> "tuple[EEGDataModule, str | None, str | None]":
    """The data that flags name, the axis file and the source of its positions, where they name these."""
    from typing import Any

    from command_line.reader import instantiate
    from command_line.settings import RunSettings
    from command_line.words import flags, normalise
    from datamodules.faced import FACED

    settings = RunSettings.parse(normalise(words)).with_loss()
    data: Any = instantiate(settings)[0]
    data = getattr(data, "target", data)
    # A time course needs the windows as they are shipped; pieces of a clip say the same on the mean.
    if isinstance(data, FACED) and data.features != "raw" and "data.window_seconds" not in flags(words):
        data = instantiate(settings.with_value("data.window_seconds", 1))[0]
    return data, settings.value("model.axis"), settings.value("model.positions")
