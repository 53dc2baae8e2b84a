"""What a run directory holds: the one place that spells the names of its files."""

from dataclasses import dataclass
from pathlib import Path

CONFIG = "config.yaml"
RESULT = "result.json"
SUMS = "SHA256SUMS"
METRICS = "metrics.csv"
PREDICTIONS = "predictions.npz"
FEATURES = "features.npz"
EVALUATION = "evaluation.json"
PREDICT = "predict.npz"
LOG = "log.txt"
LOCK = ".lock"
REPORTS = "reports.jsonl"
STOP = "stop.json"
CHECKPOINTS = "checkpoints"
EPOCHS = "epochs"


@dataclass(frozen=True)
class RunDirectory:
    """The files of a run, whether they are there yet or not.

    Attributes:
        path: the folder.
    """

    path: Path

    @classmethod
    def of(cls, checkpoint: str | Path) -> "RunDirectory":
        """The run that a checkpoint belongs to; a file that was taken out of its run has its own folder as run."""
        folder = Path(checkpoint).parent
        return cls(folder.parent if folder.name in (CHECKPOINTS, EPOCHS) else folder)

    @property
    def config(self) -> Path:
        """The resolved settings, as the command line takes them again."""
        return self.path / CONFIG

    @property
    def result(self) -> Path:
        """Scores and provenance; a folder with this file is a run that finished."""
        return self.path / RESULT

    @property
    def sums(self) -> Path:
        """Checksums of the files of a finished run, as ``sha256sum --check`` reads them."""
        return self.path / SUMS

    @property
    def metrics(self) -> Path:
        """What each epoch and step logged."""
        return self.path / METRICS

    @property
    def predictions(self) -> Path:
        """Probabilities and ids of validation and test trials at the chosen epoch."""
        return self.path / PREDICTIONS

    @property
    def features(self) -> Path:
        """Penultimate features of the same trials."""
        return self.path / FEATURES

    @property
    def evaluation(self) -> Path:
        """Scores of a later ``train.py test``, which are not the result of the run."""
        return self.path / EVALUATION

    @property
    def predict(self) -> Path:
        """What the last ``train.py predict`` gave."""
        return self.path / PREDICT

    @property
    def log(self) -> Path:
        """What the process said, where a study or a sweep started it."""
        return self.path / LOG

    @property
    def lock(self) -> Path:
        """Held by the process that trains here."""
        return self.path / LOCK

    @property
    def reports(self) -> Path:
        """What a trial tells its sweep, a line an epoch."""
        return self.path / REPORTS

    @property
    def stop(self) -> Path:
        """What the sweep tells the trial after each epoch."""
        return self.path / STOP

    @property
    def best(self) -> Path:
        """Checkpoint of the epoch that validation chose."""
        return self.path / CHECKPOINTS / "best.ckpt"

    @property
    def last(self) -> Path:
        """Checkpoint of the last complete epoch, from which an interrupted run goes on."""
        return self.path / CHECKPOINTS / "last.ckpt"

    def kept(self, epoch: int) -> Path:
        """Checkpoint of an epoch that ``--checkpoint.keep_every`` kept; its features lie beside it as ``.npz``."""
        return self.path / EPOCHS / f"{epoch:04d}.ckpt"

    @property
    def kept_epochs(self) -> list[int]:
        """Epochs that were kept, counted from 0 as in metrics.csv."""
        return sorted(int(file.stem) for file in (self.path / EPOCHS).glob("[0-9]*.ckpt"))
