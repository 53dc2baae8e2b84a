"""Run directories as finished runs leave them, made up; shared by the tests of the analysis."""

import csv
import json
import math

import numpy as np

from records.run import load_runs
from vaxis.emotions import FACED

SEEDS = (42, 123, 456, 789, 2025)
SHARES = {"feature_share": 0.8, "feature_chance": 0.25, "sample_share": 0.1, "sample_chance": 0.07, "norm": 0.02}


def write_run(
    folder, *, loss="none", weight=0.0, seed=42, accuracy=0.6, epochs=6, seen=None, plateau=False, warmup=2, **changes
):
    """A run directory as a finished run leaves it.

    Args:
        folder: of the runs.
        loss: name of the strategy.
        weight: its weight.
        seed: of the run.
        accuracy: on the test set.
        epochs: of the run.
        seen: accuracy of test people on seen clips, where the split holds clips back.
        plateau: the validation accuracy ends flat, with its best epoch in the middle.
        warmup: epochs of warm-up in the settings.
        changes: replace fields of result.json.
    """
    path = folder / f"{loss}-{seed}"
    path.mkdir(parents=True)
    rng = np.random.default_rng([seed, int(1000 * weight)])

    def measure(value, mean, ninety_five):
        return {"value": value + rng.normal(0, 0.03), "null_mean": mean, "null_95": ninety_five, "p_value": 0.02}

    scores = {
        "balanced_accuracy": accuracy,
        "chance": 1 / 9,
        "clip_balanced_accuracy": accuracy + 0.03,
        "kappa": accuracy * 1.05 - 0.05,
        "weighted_f1": accuracy,
        "per_class_recall": {name: float(np.clip(rng.normal(accuracy, 0.12), 0, 1)) for name in FACED.classes},
        "vaxis_cosine": measure(0.35 + 0.4 * weight, 0.24, 0.58),
        "class_pc1": measure(0.55 + 0.3 * weight, 0.29, 0.66),
        "within_class_residual": measure(0.48, 0.50, 0.63),
        "effective_rank": measure(21.4, 26.1, 26.3),
    }
    result = {
        "format": 1,
        "simulated": True,
        "dataset": "faced",
        "features": "raw",
        "loss": loss,
        "weight": weight,
        "seed": seed,
        "axis": "0123456789ab",
        "data": "ba9876543210",
        "world_size": 1,
        "device": "cpu",
        "epochs": epochs,
        "best_epoch": epochs // 2 if plateau else epochs - 1,
        "wall_seconds": 63.2,
        "code": {"commit": "4f1c2d3", "dirty": False},
        "versions": {"torch": "2.13.0", "python": "3.11.7"},
        "val": scores,
        "test": scores,
        "test_seen": None if seen is None else {**scores, "balanced_accuracy": seen},
        "residual_gradient": {"task": SHARES, "alignment": SHARES if weight else None},
    }
    (path / "result.json").write_text(json.dumps({**result, **changes}))
    settings = f"seed_everything: {seed}\nmodel:\n  optimisation:\n    warmup_epochs: {warmup}\n"
    (path / "config.yaml").write_text(settings)
    file = path / "metrics.csv"
    write_metrics(file, rng=rng, accuracy=accuracy, epochs=epochs, aligned=weight > 0, plateau=plateau)
    write_predictions(path / "predictions.npz", seed=seed, accuracy=accuracy)
    return path


def write_predictions(file, *, seed, accuracy, people=(100, 101, 102)):
    """One window of each clip a person. A trial is right where a number drawn for its seed lies below the accuracy.

    Arms of one seed share these numbers, so a better arm is right wherever the worse one is.
    """
    stimulus = np.tile(np.arange(28), len(people))
    y, rng = np.array(FACED.class_of)[stimulus], np.random.default_rng([seed, 7])
    right = rng.random(len(y)) < accuracy
    called = np.where(right, y, (y + rng.integers(1, 9, len(y))) % 9)
    np.savez(
        file,
        test_y=y,
        test_index=np.arange(len(y)),
        test_subject=np.repeat(people, 28),
        test_stimulus=stimulus,
        test_probabilities=np.where(np.arange(9) == called[:, None], 0.6, 0.05),
    )


def write_metrics(file, *, rng, accuracy, epochs, aligned, plateau=False):
    """Rows as Lightning writes them: steps without an epoch, training and validation rows apart, blanks between."""
    rows = []
    for epoch in range(epochs):
        rise = 1.0 if plateau and 2 * epoch >= epochs else 1 - math.exp(-3 * (epoch + 1) / epochs)
        step = 10 * (epoch + 1)
        rows.append({"step": step - 5, "lr-AdamW": 1e-3})
        train = {"train/task": 2.2 * (1 - 0.8 * rise), "grad/task_feature_share": 0.5 + 0.3 * rise}
        train |= {"grad/task_feature_chance": 0.25}
        if aligned:
            train |= {"train/alignment": 1 - rise, "grad/alignment_feature_share": 0.2 + 0.6 * rise}
            train |= {"grad/alignment_feature_chance": 0.25, "grad/alignment_sample_share": 0.1}
            train |= {"grad/alignment_sample_chance": 0.07}
        rows.append({"epoch": epoch, "step": step - 1, **train})
        val = {"val/balanced_accuracy": 1 / 9 + (accuracy - 1 / 9) * rise + rng.normal(0, 0.001 if plateau else 0.01)}
        for name, value, null in (
            ("vaxis_cosine", 0.5, 0.58),
            ("class_pc1_r", 0.6, 0.66),
            ("within_class_r", 0.5, 0.63),
            ("effective_rank", 21.4, 26.3),
        ):
            val |= {f"val/{name}": value * rise + rng.normal(0, 0.03), f"val/{name}_null95": null}
        rows.append({"epoch": epoch, "step": step, **val})
    rows.append({"epoch": epochs, "step": step, "test/balanced_accuracy": accuracy})
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with open(file, "w", newline="") as handle:
        writer = csv.DictWriter(handle, columns)
        writer.writeheader()
        writer.writerows(rows)


def write_arms(folder, *, deltas=(0.01, 0.02, -0.01, 0.015, 0.005), weight=0.5, **changes):
    """Two arms of five seeds; returns their runs."""
    base = dict(zip(SEEDS, (0.60, 0.61, 0.59, 0.605, 0.598)))
    for seed, delta in zip(SEEDS, deltas):
        write_run(folder / "a", seed=seed, accuracy=base[seed], **changes)
        write_run(folder / "b", loss="vaxis_mse", weight=weight, seed=seed, accuracy=base[seed] + delta, **changes)
    return load_runs(folder / "a"), load_runs(folder / "b")


def write_arm(folder, *, accuracy, loss="vaxis_mse", weight=0.5, seeds=SEEDS, **changes):
    """An arm of one run a seed; ``accuracy`` is one number or one a seed. Returns its runs."""
    values = accuracy if isinstance(accuracy, tuple) else (accuracy,) * len(seeds)
    for seed, value in zip(seeds, values, strict=True):
        write_run(folder, loss=loss, weight=weight, seed=seed, accuracy=value, **changes)
    return load_runs(folder)


def edit_result(path, **changes):
    result = json.loads((path / "result.json").read_text())
    (path / "result.json").write_text(json.dumps({**result, **changes}))
