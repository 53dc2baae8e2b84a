"""Finished runs with predictions and features of validation and test people, made up; for analyses over members."""

import json

import numpy as np

from tests.finished_runs import write_run
from vaxis.emotions import FACED

CLASS_OF = np.array(FACED.class_of)
PEOPLE = {"val": tuple(range(80, 90)), "test": tuple(range(100, 112))}


def write_member(folder, *, seed, probabilities, features, **changes):
    """A run directory with one trial a person and clip.

    Args:
        folder: of the runs.
        seed: of the run.
        probabilities: split to (people, 28, 9).
        features: split to (people, 28, D).
        changes: to ``write_run``.
    """
    path = write_run(folder, seed=seed, **changes)
    predictions, kept, result = {}, {}, json.loads((path / "result.json").read_text())
    for split, people in PEOPLE.items():
        n = len(people) * len(CLASS_OF)
        y = np.tile(CLASS_OF, len(people))
        p = np.asarray(probabilities[split], dtype=np.float32).reshape(n, 9)
        predictions |= {
            f"{split}_probabilities": p,
            f"{split}_y": y,
            f"{split}_subject": np.repeat(people, len(CLASS_OF)),
            f"{split}_stimulus": np.tile(np.arange(len(CLASS_OF)), len(people)),
            f"{split}_index": np.arange(n),
        }
        kept |= {f"{split}_h": np.asarray(features[split]).reshape(n, -1), f"{split}_index": np.arange(n)}
        recalls = [float((p.argmax(1) == y)[y == k].mean()) for k in range(9)]
        result[split] = {**result[split], "balanced_accuracy": float(np.mean(recalls))}
    np.savez(path / "predictions.npz", **predictions)
    np.savez(path / "features.npz", **kept)
    (path / "result.json").write_text(json.dumps(result))
    return path


def draw(rng, *, strength=1.6, width=12, trouble=None):
    """Probabilities and features of a decoder that knows the class up to noise: arguments of ``write_member``.

    Args:
        rng: of this member.
        strength: of the class in the logits, whose noise is 1.
        width: D.
        trouble: split to (people, 28, 9), noise that members share.
    """
    basis, probabilities, features = rng.normal(size=(9, width)), {}, {}
    for split, people in PEOPLE.items():
        logits = strength * np.eye(9)[CLASS_OF] + rng.normal(size=(len(people), len(CLASS_OF), 9))
        logits = logits + (trouble[split] if trouble else 0)
        e = np.exp(logits)
        probabilities[split] = e / e.sum(axis=-1, keepdims=True)
        features[split] = logits @ basis
    return {"probabilities": probabilities, "features": features}
