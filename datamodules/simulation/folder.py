"""The folder of a simulated cohort: says that it is one, belongs to one set of parameters, never touches real data."""

import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np

from datamodules.simulation.signal import Cohort
from datamodules.simulation.truth import planted_axis
from datamodules.simulation.world import LINEAR
from records.files import atomic
from records.reading import read_json, refusing
from vaxis.axis import Axis
from vaxis.emotions import Taxonomy

# Raise when the same parameters give other bytes. 2 has worlds; what 1 wrote is the linear one, byte for byte.
GENERATOR = 2
MARK = "SIMULATED.json"


def claim(root: str | Path, *, dataset: str, parameters: dict[str, Any]) -> Path:
    """Make the folder this cohort's, or recognise it as such from an earlier, perhaps unfinished, run.

    Args:
        root: folder of the cohort.
        dataset: ``faced`` or ``seedv``.
        parameters: plain JSON values; everything that the bytes of a file depend on. How many subjects are written is
            not among them, so a cohort can grow.

    Raises:
        FileExistsError: the folder holds files but no mark (a real data set?), or a cohort made with other parameters.
    """
    root = Path(root)
    mark = {
        "simulated": True,
        "statement": "No person was recorded: every number here was drawn by a random generator.",
        "dataset": dataset,
        "layout": {"faced": "doi 10.1038/s41597-023-02650-w", "seedv": "doi 10.1109/TCDS.2021.3071170"}[dataset],
        "generator": GENERATOR,
        "parameters": parameters,
    }
    path = root / MARK
    # Looked at before the mark and blind to half-written files: another process may be claiming the same folder.
    occupied = root.is_dir() and any(not entry.name.startswith(".") for entry in root.iterdir())
    if path.exists() or path.is_symlink():
        remedy = "delete that folder, it is made again, or name another"
        found = read_json(path, remedy=remedy, has=("simulated", "dataset", "generator", "parameters"))
        with refusing(path, what="the mark of a simulated cohort", remedy=remedy):
            changed = _changed(found, mark)
        if changed:
            raise FileExistsError(
                f"{root} holds a cohort with other parameters ({', '.join(changed)}; see {MARK}); "
                "name another folder or delete it"
            )
        return root
    if occupied:
        raise FileExistsError(f"{root} is not empty and has no {MARK}; it may be real data: name an empty folder")
    with atomic(path) as partial:
        partial.write_text(json.dumps(mark, indent=2) + "\n", encoding="utf-8")
    return root


def _changed(found: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    """In which parameters two marks differ, a phrase each."""

    def flat(mark: dict) -> dict:
        parameters, generator = dict(mark["parameters"]), mark["generator"]
        world = parameters.pop("world", None)
        if generator == 1:
            world, generator = asdict(LINEAR), GENERATOR
        dials = {f"world.{name}": value for name, value in (world or {}).items()}
        return {"dataset": mark["dataset"], "generator": generator, **parameters, **dials}

    old, new = flat(found), flat(wanted)
    return [f"{k} {old.get(k)!r} -> {new.get(k)!r}" for k in {**old, **new} if old.get(k) != new.get(k)]


def choose_axis(axis: str | Path | Axis | None, *, taxonomy: Taxonomy, seed: int) -> Axis:
    """The axis to plant: a given artifact, or a drawn one.

    Raises:
        ValueError: the artifact is of another data set.
    """
    if axis is None:
        return planted_axis(taxonomy, seed=seed)
    loaded = axis if isinstance(axis, Axis) else Axis.load(axis)
    if loaded.taxonomy != taxonomy.name:
        raise ValueError(f"axis {axis} is for '{loaded.taxonomy}', the cohort is '{taxonomy.name}'; extract it again")
    return loaded


def write_truth(root: Path, *, axis: Axis, cohort: Cohort, subjects: dict[str, int]) -> None:
    """Write ``axis.npz`` (what training may see) and ``truth.npz`` (what only a check may see), if absent.

    Args:
        root: folder of the cohort.
        axis: saved unchanged.
        cohort: source of the patterns and subjects.
        subjects: number by name of everyone the data set has, written or not.
    """
    if not (root / "axis.npz").is_file():
        axis.save(root / "axis.npz")
    if (root / "truth.npz").is_file():
        return
    people = [cohort.subject(number) for number in subjects.values()]
    mixing: dict[str, Any] = {}
    if cohort.world.mixing:
        mixing = {"subject_mixing": np.stack([person.mixing for person in people if person.mixing is not None])}
    with atomic(root / "truth.npz") as partial, open(partial, "wb") as file:
        np.savez(
            file,
            subjects=list(subjects),
            subject_offsets=np.stack([person.offset for person in people]),
            subject_gains=np.array([person.gain for person in people]),
            subject_band_gains=np.stack([person.band_gain for person in people]),
            subject_states=np.stack([person.states for person in people]),
            subject_noise=np.stack([person.noise for person in people]),
            **mixing,
            channels=list(cohort.channels),
            bands=list(cohort.bands),
            **{f.name: getattr(cohort.truth, f.name) for f in fields(cohort.truth)},
        )
