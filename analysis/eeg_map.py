"""Where and how does the EEG of a cohort follow the axis, and does it follow anything else as well?

    python -m analysis eeg_map [--out DIR]                                     # a simulated cohort
    python -m analysis eeg_map --data FACED --data.root DIR [--axis FILE] [--out DIR]
    python -m analysis eeg_map --data SEEDV --data.root DIR [--axis FILE] [--out DIR]

No run is read and nothing is trained: band features of all people against the positions of the clips on the axis, by
nested ridge, cell by cell, person by person and over time, every number beside its null. Takes the flags of
``train.py fit`` for data and axis. docs/brain_maps.md says what each number means.
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.base import Findings

if TYPE_CHECKING:
    import numpy as np

    from analysis.brain.cohort import Cohort
    from analysis.brain.measure import Brain
    from datamodules.base import EEGDataModule

SETTINGS = True  # takes flags of ``train.py fit``
RUNS = False  # and no run
DRAWS = 1000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--draws", type=int, default=DRAWS, help="permutations in the null of every number")
    parser.add_argument(
        "--beside",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="more axis files (arousal, random texts, another model), decoded beside the axis under their file's name",
    )
    parser.add_argument("--null_seed", type=int, default=0, help="of the permutations")


def main(args: argparse.Namespace) -> Findings:
    """Measure a cohort.

    Raises:
        ValueError: wrong flags, or an axis of emotions that the data do not have.
        FileNotFoundError: no axis, or files of the data are missing; says what to do.
    """
    from analysis.brain.axes import axis_on, competing, random_axes
    from analysis.brain.gather import gather
    from analysis.brain.measure import measure
    from analysis.brain.text import table
    from vaxis.axis import Axis

    if args.draws < 19:
        raise ValueError(f"--draws {args.draws}: p cannot reach .05 with fewer than 19")
    data, path, source = _data(args.settings)
    if not (hasattr(data, "simulation") and path is None) and not Path(path or data.axis_path).is_file():
        raise FileNotFoundError(f"no axis at {path or data.axis_path}; make one with: {data.extract_command(out=path)}")
    cohort = gather(data)
    axis, told = axis_on(Axis.load(path or data.axis_path), data.taxonomy)
    more = {file.stem: axis_on(Axis.load(file), data.taxonomy)[0] for file in args.beside}
    positions = competing(axis, cohort, source=source, more=more)
    found = measure(cohort, positions, random_axes(axis, seed=args.null_seed), draws=args.draws, seed=args.null_seed)
    if args.out:
        _draw(args.out, cohort, found)
    return Findings(
        text=table(cohort, found, positions, told=[told] if told else []),
        numbers={name: stat.number(simulated=cohort.simulated) for name, stat in found.stats.items()},
        detail=_detail(cohort, found, positions),
    )


def calibrate(*, cohorts: int, seed: int) -> dict[str, list[float]]:
    """Every p-value over cohorts without an effect, features only: each should be uniform.

    Args:
        cohorts: how many.
        seed: of all.
    """
    from analysis.brain.calibration import null_p_values

    return null_p_values(cohorts=cohorts, seed=seed)


def recover(*, cohorts: int, seed: int) -> dict[str, float]:
    """What becomes of a planted axis: |cos| of the pattern found, coverage of the 95 % intervals, power.

    Args:
        cohorts: how many.
        seed: of all.
    """
    from analysis.brain.calibration import planted

    return planted(cohorts=cohorts, seed=seed)


def _draw(folder: Path, cohort: "Cohort", found: "Brain") -> None:
    from analysis.brain.figures import panels, scalp_maps
    from analysis.canvas import png
    from records.files import atomic

    for name, draw in (("eeg_map", scalp_maps), ("eeg_map_panels", panels)):
        with atomic(folder / f"{name}.png") as partial:
            partial.write_bytes(png(draw(cohort, found)))


def _detail(cohort: "Cohort", found: "Brain", positions: "dict[str, np.ndarray]") -> dict[str, Any]:
    """What the numbers need for a report: whose they are, the map, the curves, and what the paper prints."""
    from analysis.brain.axes import agreement, class_share
    from analysis.brain.published import published

    best = found.map.best
    return {
        "dataset": cohort.dataset,
        "features": cohort.features,
        "people": cohort.people,
        "notes": list(cohort.notes),
        "orders": len(found.axis.rows) if found.axis.complete else None,
        "class_share": {name: class_share(v, cohort.class_of) for name, v in positions.items()},
        "axis_r": agreement(positions, list(positions)[1:]),
        "channels": list(cohort.channels),
        "bands": {name: list(edges) for name, edges in cohort.bands.items()},
        "map": {"r": found.map.r[0].tolist(), "p": found.map.p_cell.tolist(), "p_corrected": found.map.p_map.tolist()},
        "best_cell": {"electrode": cohort.channels[best[0]], "band": list(cohort.bands)[best[1]]},
        "time_course": {band: curve.tolist() for band, curve in found.curves.items()},
        "published": {name: value._asdict() for name, value in published(cohort.dataset).items()},
    }


def _data(words: list[str]) -> "tuple[EEGDataModule, str | None, str | None]":
    """The data that flags name, the axis file and the source of its positions, where they name these."""
    from command_line.reader import instantiate
    from command_line.settings import RunSettings
    from command_line.words import flags, normalise
    from datamodules.faced import FACED

    settings = RunSettings.parse(normalise(words)).with_loss()
    if settings.value("data.features") == "raw":
        settings = settings.with_value("network", "emod")  # a run is refused without a network that reads its data
    data: Any = instantiate(settings)[0]
    data = getattr(data, "target", data)
    # A time course needs the windows as they are shipped; pieces of a clip say the same on the mean.
    if isinstance(data, FACED) and data.features != "raw" and "data.window_seconds" not in flags(words):
        data = instantiate(settings.with_value("data.window_seconds", 1))[0]
    return data, settings.value("model.axis"), settings.value("model.positions")
