"""What a decoder shows of each clip: finished runs and their kept epochs as tables of stimulus features."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from measures.alignment import stimulus_features
from measures.scores import classification_scores, confusion_matrix
from records.run import Run


@dataclass(frozen=True, kw_only=True)
class Positions:
    """The axis that runs are read against.

    Attributes:
        v: (S,) positions of the stimuli in z units.
        class_of: (S,) their classes.
        classes: names of the classes.
    """

    v: np.ndarray
    class_of: np.ndarray
    classes: tuple[str, ...]

    @property
    def within(self) -> float:
        """Share of the variance of ``v`` that lies within classes: what any within-class residual is about."""
        centres = np.array([self.v[self.class_of == k].mean() for k in self.class_of])
        return float(((self.v - centres) ** 2).sum() / ((self.v - self.v.mean()) ** 2).sum())


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A decoder at one epoch.

    Attributes:
        run: its run directory.
        recipe: name of what all runs like it share, strategy included.
        network: its architecture.
        epoch: a kept epoch, or None for the one that validation chose.
        accuracy: balanced accuracy on the people of ``tested_on``.
        picked_on: (S, D) stimulus features of the people who pick a residual component.
        tested_on: (S, D) of other people, on whom it is measured.
    """

    run: str
    recipe: str
    network: str
    epoch: int | None
    accuracy: float
    picked_on: np.ndarray
    tested_on: np.ndarray


def positions_of(runs: Sequence[Run], axis: Path | None = None) -> Positions:
    """The one axis of the runs: of a file, else out of the checkpoint of the first.

    Raises:
        ValueError: the runs have several axes, or the file is another one.
    """
    from vaxis.axis import Axis

    kinds = {(run.result["axis"], run.result.get("positions")): run for run in runs}
    if len(kinds) > 1:
        first, other = list(kinds.values())[:2]
        raise ValueError(
            f"{first.path} and {other.path} have different axes ({_axis_words(first)}, {_axis_words(other)}); name "
            "runs of one axis"
        )
    (run,) = kinds.values()
    if axis is not None:
        artifact = Axis.load(axis)
        if artifact.fingerprint != run.result["axis"]:
            raise ValueError(f"{axis} is the axis {artifact.fingerprint}, the runs have {run.result['axis']}")
    else:
        from lightning_modules.contents import read  # torch: only where a checkpoint must be opened

        artifact = read(run.files.best).axis
    _, v, _ = artifact.standardised(run.result.get("positions"))
    return Positions(v=v, class_of=np.asarray(artifact.classes.class_of), classes=tuple(artifact.classes.classes))


def final(run: Run, *, recipe: str, stimuli: int) -> Checkpoint:
    """The chosen epoch: validation people pick, test people measure."""
    tables = []
    for split in ("val", "test"):
        ids, features = run.predictions(split), run.features(split)
        if not np.array_equal(ids["index"], features["index"]):
            raise ValueError(f"{run.path}: features.npz and predictions.npz hold other trials; run it again")
        tables.append(table(features["h"], ids["subject"], ids["stimulus"], stimuli=stimuli))
    return Checkpoint(
        run=str(run.path),
        recipe=recipe,
        network=str(run.result.get("network")),
        epoch=None,
        accuracy=run.score("balanced_accuracy"),
        picked_on=tables[0],
        tested_on=tables[1],
    )


def on_validation(run: Run, *, stimuli: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(S, D) stimulus features of validation people at the chosen epoch: one half, the other half, all of them."""
    ids, h = run.predictions("val"), run.features("val")["h"]
    picks = np.isin(ids["subject"], np.unique(ids["subject"])[::2])
    rows = (picks, ~picks, np.ones_like(picks))
    first, second, whole = (table(h[r], ids["subject"][r], ids["stimulus"][r], stimuli=stimuli) for r in rows)
    return first, second, whole


def kept(run: Run, *, recipe: str, classes: tuple[str, ...], stimuli: int) -> list[Checkpoint]:
    """Kept epochs, which have validation people only: every other one picks, the rest measure, as during training."""
    found = []
    for epoch in run.kept_epochs:
        trials = run.kept(epoch)
        people = np.unique(trials["subject"])
        picks = np.isin(trials["subject"], people[::2])
        halves = [
            table(trials["h"][r], trials["subject"][r], trials["stimulus"][r], stimuli=stimuli) for r in (picks, ~picks)
        ]
        called = trials["logits"][~picks].argmax(axis=1)
        confusion = confusion_matrix(trials["y"][~picks], called, n_classes=len(classes))
        found.append(
            Checkpoint(
                run=str(run.path),
                recipe=recipe,
                network=str(run.result.get("network")),
                epoch=epoch,
                accuracy=classification_scores(confusion, classes=classes)["balanced_accuracy"],
                picked_on=halves[0],
                tested_on=halves[1],
            )
        )
    return found


def table(h: np.ndarray, subject: np.ndarray, stimulus: np.ndarray, *, stimuli: int) -> np.ndarray:
    """(S, D) mean feature of each stimulus, every person counting once; NaN rows for stimuli that nobody saw."""
    _, person = np.unique(subject, return_inverse=True)
    shape = (int(person.max()) + 1, stimuli)
    sums = np.zeros((*shape, h.shape[1]))
    np.add.at(sums, (person, stimulus), h.astype(np.float64))
    counts = np.bincount(person * stimuli + stimulus, minlength=shape[0] * stimuli).reshape(shape)
    return stimulus_features(sums, counts)


def _axis_words(run: Run) -> str:
    return f"{run.result['axis']} {run.result.get('positions')}"
