"""What do the simplest models score on the data and split of a run? A decoder must beat them.

    python -m analysis baselines RUN_DIR [--out DIR]
    python -m analysis baselines --data FACED --data.root DIR [--data.split NAME] [--out DIR]

Guessing, ridge and logistic regression on band features, recognition of clips, and ridge on features that are z-scored
within each person (transductive). Hyper-parameters are chosen on validation people; seconds on one processor.
"""

import argparse
import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.base import Findings, Number, finite
from measures.baselines import Baseline, Trials, baselines
from records.files import atomic

if TYPE_CHECKING:
    from datamodules.base import EEGDataModule

SETTINGS = True  # takes flags of ``train.py fit`` in the place of a run
FORMAT = 1
CHUNK = 256  # trials whose spectra are in memory at once
# Of the power of a band, relative to the median over electrodes and bands: a flat electrode has none, and its logarithm
# must not be minus infinity.
FLOOR = 1e-6


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No flags beyond those of the data."""


def main(args: argparse.Namespace) -> Findings:
    """Score the simple models.

    Raises:
        ValueError: neither a run nor data are named, or both, or the data have no frequency bands.
    """
    data = _data(args.runs, args.settings)
    data.prepare_data()
    found = of_data(data)
    head = f"{data.spec.dataset}, {data.features}, split {data.split} (fold {data.fold})"
    rows = [f"{'simple model':<40}{'accuracy':>9}  {'95 % over people':<18}chosen on validation"]
    for b in found:
        interval = f"[{b.low:.3f}, {b.high:.3f}]" if math.isfinite(b.low) else ""
        name = f"{b.label}{' *' if b.transductive else ''}"
        chosen = "" if b.setting is None else f"{b.setting:g}"
        rows.append(f"{name:<40}{b.balanced_accuracy:>9.3f}  {interval:<18}{chosen}".rstrip())
    people = f"Test set: {found[0].n} trials of {found[0].people} people. * has looked at unlabelled trials of them."
    simulated = data.spec.simulated
    return Findings(
        text="\n".join([head, *rows, people]),
        numbers={b.name: _number(b, simulated=simulated) for b in found},
        detail={"dataset": data.spec.dataset, "split": data.split, "fold": data.fold, "data": data.fingerprint},
    )


def of_data(data: "EEGDataModule", *, cache: Path | None = None) -> list[Baseline]:
    """The simple models on the store and split of a data module.

    Args:
        data: prepared.
        cache: folder for their scores, which follow from data, split and labels alone.

    Raises:
        ValueError: the data have no frequency bands.
    """
    file = cache and cache / f"baselines-{data.fingerprint[:8]}-{_split(data)}.json"
    if file and file.is_file() and (known := _read(file)) is not None:
        return known
    data.setup()
    parts = [_trials(data, data.indices[role]) for role in ("train", "val", "test")]
    found = baselines(*parts, n_classes=len(data.spec.classes))
    if file:
        content = {"format": FORMAT, "baselines": [asdict(b) for b in found]}
        file.parent.mkdir(parents=True, exist_ok=True)
        with atomic(file) as partial:
            partial.write_text(json.dumps(finite(content), indent=2, allow_nan=False) + "\n", encoding="utf-8")
    return found


def band_features(data: "EEGDataModule", rows: np.ndarray) -> np.ndarray:
    """(n, electrodes x bands) features of trials: those of the store, or the differential entropy of raw signals.

    Raises:
        ValueError: raw signals of a data set that names no bands.
    """
    if data.features != "raw":
        return np.asarray(data.store.x[rows], dtype=np.float64).reshape(len(rows), -1)
    if not data.bands:
        raise ValueError(f"{type(data).__name__} names no frequency bands, which linear baselines read raw signals by")
    parts = [_entropy(data, rows[start : start + CHUNK]) for start in range(0, len(rows), CHUNK)]
    return np.concatenate(parts)


def _entropy(data: "EEGDataModule", rows: np.ndarray) -> np.ndarray:
    import torch

    from eeg.differential_entropy import band_power, differential_entropy

    signal = torch.from_numpy(np.asarray(data.store.x[rows], dtype=np.float32))
    power = band_power(signal, sampling_rate=data.spec.sampling_rate, bands=data.bands)
    floor = FLOOR * power.flatten(1).median(dim=1).values.clamp_min(torch.finfo(power.dtype).tiny / FLOOR)
    return differential_entropy(power.maximum(floor[:, None, None])).flatten(1).double().numpy()


def _trials(data: "EEGDataModule", rows: np.ndarray) -> Trials:
    trials = data.store.trials
    own = {name: getattr(trials, name)[rows] for name in ("y", "stimulus", "subject")}
    return Trials(x=band_features(data, rows), **own)


def _split(data: "EEGDataModule") -> str:
    """Everything beside the preprocessed data that decides who trains and who tests."""
    words = [data.features, data.split, str(data.fold), *([] if data.labels == "target" else [data.labels])]
    # Which people a smaller share leaves follows from the seed of the run.
    words += [f"{data.train_fraction:g}", str(data.seed)] if data.train_fraction < 1 else []
    return "-".join(words)


def _read(file: Path) -> list[Baseline] | None:
    """Scores as ``of_data`` wrote them; None where another version did, or the file is damaged: seconds make it new."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            return None
        return [Baseline(**_values(row)) for row in content["baselines"]]
    except (ValueError, KeyError, TypeError):
        return None


def _values(row: dict) -> dict:
    people = {int(person): score for person, score in row["by_person"].items()}
    ends = {name: math.nan if row[name] is None else row[name] for name in ("low", "high")}
    return {**row, **ends, "by_person": people}


def _number(b: Baseline, *, simulated: bool) -> Number:
    return Number(value=b.balanced_accuracy, n=b.n, simulated=simulated, interval=(b.low, b.high), null_mean=b.chance)


def _data(runs: list[Path], words: list[str]) -> "EEGDataModule":
    """The data of a run, or those that flags name."""
    from command_line.reader import instantiate
    from command_line.settings import RunSettings
    from command_line.words import normalise
    from records.layout import RunDirectory

    if len(runs) > 1 or bool(runs) == bool(words):
        raise ValueError("baselines takes one RUN_DIR or flags of its data (--data NAME --data.root DIR)")
    settings = RunSettings.parse(normalise(words)).with_loss()
    if runs:
        own = RunSettings.load(RunDirectory(runs[0]).config).content
        parts = {name: own[name] for name in ("data", "network", "seed_everything")}
        settings = RunSettings({**settings.content, **parts})
    data: Any = instantiate(settings)[0]
    return getattr(data, "target", data)
