"""Reading finished runs back: one function, from the run directory alone."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from records import checksums
from records import result as schema
from records.layout import CONFIG, RESULT, RunDirectory
from records.reading import DamagedFile, read_arrays, read_rows, read_yaml
from records.result import number

MOST_EPOCHS = 10**7  # an epoch beyond is no epoch but a damaged number

# Runs may only be compared when these agree: otherwise the difference is not that of the strategy.
_SHARED = ("dataset", "features", "data", "axis", "epochs", "simulated")


class NotRecorded(KeyError, ValueError):
    """A run has no such curve or split: some runs never do, so a caller may do without."""

    __str__ = ValueError.__str__  # that of KeyError quotes the message


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        path: the run directory.
        result: content of its result.json.
    """

    path: Path
    result: dict[str, Any]

    @classmethod
    def load(cls, path: str | Path) -> "Run":
        """Read a run directory.

        Raises:
            FileNotFoundError: the directory or its result.json does not exist (the run is not finished).
            ValueError: result.json is broken, of another format or lacks a field.
        """
        path = Path(path)
        if not path.is_dir():
            raise FileNotFoundError(f"no run directory {path}")
        return cls(path, schema.read(RunDirectory(path).result))

    @property
    def files(self) -> RunDirectory:
        """Where the files of the run are."""
        return RunDirectory(self.path)

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def seed(self) -> int:
        return self.result["seed"]

    @property
    def loss(self) -> str:
        return self.result["loss"]

    @property
    def weight(self) -> float:
        return float(self.result["weight"])

    @property
    def warnings(self) -> list[str]:
        """What the run warned of; nothing where it is of a version that kept no record of it."""
        return list(self.result.get("warnings") or ())

    @property
    def chance(self) -> float:
        """Balanced accuracy of guessing."""
        return number(self.result["test"]["chance"])

    def score(self, name: str, split: str = "test") -> float:
        """A scalar of the final evaluation such as ``balanced_accuracy`` or ``kappa``; NaN where it is undefined."""
        return number(self._field(split, name))

    def score_by_class(self, split: str = "test") -> dict[str, float]:
        """Recall of each class by name; NaN for a class that the split lacks."""
        return {name: number(recall) for name, recall in self._field(split, "per_class_recall").items()}

    def alignment(self, name: str, split: str = "test") -> dict[str, float]:
        """``value``, ``null_mean``, ``null_95``, ``p_value`` of a measure that has a null; NaN where undefined."""
        entry = self._field(split, name) or {}
        return {key: number(entry.get(key)) for key in ("value", "null_mean", "null_95", "p_value")}

    def gradient(self, source: str) -> dict[str, float] | None:
        """Where the gradient of the ``task`` or ``alignment`` loss points, beside chance; None where there is none."""
        shares = (self.result.get("residual_gradient") or {}).get(source)
        return {key: number(value) for key, value in shares.items()} if shares else None

    def _field(self, split: str, name: str) -> Any:
        scores = self.result.get(split) or {}
        if name not in scores:
            raise ValueError(f"{self.files.result} lacks the field {split}.{name}; it has {sorted(scores)}")
        return scores[name]

    @cached_property
    def metrics(self) -> dict[str, np.ndarray]:
        """metrics.csv as name -> (E,), the mean of what each epoch logged; NaN where an epoch logged nothing finite.

        Rows without an epoch (learning rates, logged by step) have no place on this axis and are left out.
        """
        file = self.files.metrics
        if not file.exists():
            raise FileNotFoundError(f"{self.path} has no metrics.csv; the curves of this run are lost, run it again")
        checksums.verify(file)
        logged: dict[str, dict[int, list[float]]] = {}
        for line, row in enumerate(read_rows(file, has=("epoch",), remedy="run it again"), 2):
            try:
                if row["epoch"]:
                    _add(logged, row)
            except ValueError as error:
                raise DamagedFile(f"{file}, line {line}: {error}; run it again") from error
        return {name: _per_epoch(values) for name, values in logged.items()}

    @cached_property
    def settings(self) -> dict[str, Any]:
        """config.yaml: what the run was asked, every default filled in; empty where the file is gone."""
        file = self.files.config
        if not file.exists():
            return {}
        checksums.verify(file)
        return read_yaml(file, remedy="copy it from another seed of the arm, or run it again")

    def series(self, name: str) -> np.ndarray:
        """One column of ``metrics``.

        Raises:
            NotRecorded: the run did not log it; the message lists what it did log.
        """
        if name not in self.metrics:
            raise NotRecorded(f"{self.files.metrics} has no column {name}; it has {sorted(self.metrics)}")
        return self.metrics[name]

    def predictions(self, split: str = "test") -> dict[str, np.ndarray]:
        """Arrays of predictions.npz for one split (``probabilities``, ``y``, ``subject``, ``stimulus``, ``index``)."""
        return _arrays(self.files.predictions, split)

    def features(self, split: str = "test") -> dict[str, np.ndarray]:
        """Arrays of features.npz for one split: ``h`` (n, D), and ``index``."""
        return _arrays(self.files.features, split)

    @property
    def kept_epochs(self) -> list[int]:
        """Epochs that ``--checkpoint.keep_every`` kept, counted from 0 as in ``metrics``; ``open_run`` takes each."""
        return self.files.kept_epochs

    def kept(self, epoch: int) -> dict[str, np.ndarray]:
        """Validation trials as a kept epoch saw them: ``logits`` (n, K), ``h`` (n, D), and ids.

        Raises:
            FileNotFoundError: the epoch was not kept; the message lists those that were.
        """
        file = self.files.kept(epoch).with_suffix(".npz")
        if not file.is_file():
            raise FileNotFoundError(
                f"{self.path} did not keep epoch {epoch} but {self.kept_epochs or 'none'}; see --checkpoint.keep_every"
            )
        return read_arrays(file, remedy="train the run again")


def load_runs(folder: str | Path, *, skip_unfinished: bool = False) -> list[Run]:
    """All runs of a folder, by name.

    Args:
        folder: holds one directory a run.
        skip_unfinished: leave out directories that have a config.yaml and no result.json yet, instead of an error.

    Raises:
        FileNotFoundError: no folder, no runs in it, or an unfinished one.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"no folder of runs at {folder}")
    finished = {file.parent for file in folder.glob(f"*/{RESULT}")}
    unfinished = {file.parent for file in folder.glob(f"*/{CONFIG}")} - finished
    if unfinished and not skip_unfinished:
        names = ", ".join(sorted(path.name for path in unfinished))
        raise FileNotFoundError(f"unfinished runs in {folder} (no result.json): {names}; resume them or skip them")
    if not finished:
        raise FileNotFoundError(f"no finished run in {folder}")
    return [Run.load(path) for path in sorted(finished)]


def check_comparable(runs: Sequence[Run]) -> None:
    """Refuse runs whose difference would not be that of the strategy alone.

    Raises:
        ValueError: they differ in data set, features, data or axis fingerprint, epochs, simulation or test trials.
    """
    first = runs[0]
    for run in runs[1:]:
        for field in _SHARED:
            if run.result[field] != first.result[field]:
                raise ValueError(
                    f"{run.path} and {first.path} cannot be compared: {field} is {run.result[field]!r} in one and "
                    f"{first.result[field]!r} in the other; run both with the same {field}"
                )
        ours, theirs = run.predictions(), first.predictions()
        for field in ("index", "y"):
            if not np.array_equal(ours[field], theirs[field]):
                raise ValueError(
                    f"{run.path} and {first.path} cannot be compared: their test trials differ ({field} in "
                    "predictions.npz); run both with the same split"
                )


def _arrays(file: Path, split: str) -> dict[str, np.ndarray]:
    """Arrays of one split in a file that prefixes each with its split."""
    if not file.exists():
        raise FileNotFoundError(f"{file.parent} has no {file.name}; run it again")
    checksums.verify(file)
    arrays = read_arrays(file, remedy="run it again")
    # ``test_seen_y`` begins with ``test_`` and belongs to another split.
    longer = tuple(f"{other}_" for other in schema.SPLITS if other.startswith(f"{split}_"))
    names = [k for k in arrays if k.startswith(f"{split}_") and not k.startswith(longer)]
    found = {k.removeprefix(f"{split}_"): arrays[k] for k in names}
    if not found:
        raise NotRecorded(f"{file} has no split {split}; its arrays are {sorted(arrays)}; run it again")
    return found


def _add(logged: dict[str, dict[int, list[float]]], row: dict[str, str]) -> None:
    """Put the numbers of one row of metrics.csv to those of its epoch."""
    epoch = float(row["epoch"])
    if not 0 <= epoch < MOST_EPOCHS or epoch % 1:
        raise ValueError(f"there is no epoch {row['epoch']}")
    for name, text in row.items():
        if text and name not in ("epoch", "step"):
            logged.setdefault(name, {}).setdefault(int(epoch), []).append(float(text))


def _per_epoch(values: dict[int, list[float]]) -> np.ndarray:
    series = np.full(max(values) + 1, np.nan)
    for epoch, entries in values.items():
        finite = [value for value in entries if math.isfinite(value)]
        if finite:
            series[epoch] = np.mean(finite)
    return series
