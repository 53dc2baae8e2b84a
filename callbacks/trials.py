"""Every trial of an evaluation split, once, on every rank: the ground that the alignment metrics stand on."""

from abc import ABC, abstractmethod
from typing import NamedTuple
from weakref import WeakKeyDictionary

import lightning as L
import numpy as np
import torch
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor

from callbacks.view import decoder_of
from eeg.batch import DataSpec, Record
from measures.alignment import stimulus_features
from measures.base import Measure
from measures.names import known
from measures.scores import clip_balanced_accuracy
from records.result import TESTS


class Trials(NamedTuple):
    """n distinct trials in the order of their index: logits (n, K), h (n, D), and ids (n,)."""

    logits: np.ndarray
    h: np.ndarray
    y: np.ndarray
    stimulus: np.ndarray
    subject: np.ndarray
    index: np.ndarray  # type: ignore[assignment]  # the table is never searched, so tuple.index may go

    @classmethod
    def once(cls, ids: np.ndarray, values: np.ndarray, *, n_classes: int) -> "Trials":
        """Each trial once, in the order of its index.

        Args:
            ids: (n, 4) class, stimulus, subject and index of each row.
            values: (n, K + D) logits and features.
            n_classes: K.
        """
        index, first = np.unique(ids[:, 3], return_index=True)
        y, stimulus, subject, _ = ids[first].T
        return cls(values[first, :n_classes], values[first, n_classes:], y, stimulus, subject, index)

    @property
    def probabilities(self) -> np.ndarray:
        """(n, K) float32 softmax of the logits, computed in double: a file of them repeats bit for bit."""
        return torch.from_numpy(self.logits).double().softmax(dim=1).float().numpy()

    def clip_balanced_accuracy(self, *, n_classes: int) -> float:
        """Balanced accuracy of a person's clips, the windows of each voting with their probabilities."""
        return clip_balanced_accuracy(
            self.probabilities, self.y, subject=self.subject, stimulus=self.stimulus, n_classes=n_classes
        )

    def predictions(self) -> dict[str, np.ndarray]:
        """What ``predictions.npz`` holds of these trials."""
        ids = ("y", "subject", "stimulus", "index")
        return {"probabilities": self.probabilities} | {name: getattr(self, name) for name in ids}

    def features(self, spec: DataSpec, subjects: np.ndarray | None = None) -> np.ndarray:
        """(S, D) float64 mean feature of each stimulus over ``subjects`` (default: all), each subject counting once."""
        rows = np.ones(len(self.index), bool) if subjects is None else np.isin(self.subject, subjects)
        people, person = np.unique(self.subject[rows], return_inverse=True)  # of a split, a fifth of the cohort
        table = (len(people), len(spec.class_of))
        cells = torch.from_numpy(person * len(spec.class_of) + self.stimulus[rows])
        sums = torch.zeros(len(people) * len(spec.class_of), self.h.shape[1], dtype=torch.float64)
        sums.index_add_(0, cells, torch.from_numpy(self.h[rows].astype(np.float64)))
        counts = torch.bincount(cells, minlength=len(sums)).reshape(table)
        return stimulus_features(sums.reshape(*table, self.h.shape[1]).numpy(), counts.numpy())


class _Collection:
    """The trials of one evaluation, collected and gathered once for all callbacks that look at them."""

    def __init__(self, *, loaders: int) -> None:
        self._batches: list[dict[int, tuple[Tensor, Tensor]]] = [{} for _ in range(loaders)]  # ids and values
        self._whole: dict[int, Trials] = {}

    def __len__(self) -> int:
        return len(self._batches)

    def add(self, record: Record, *, batch: int, loader: int) -> None:
        """The trials of a batch; what another callback has added stays."""
        if batch not in self._batches[loader]:
            self._batches[loader][batch] = ids_and_values(record)

    def whole(self, trainer: L.Trainer, loader: int, *, n_classes: int) -> Trials:
        """All trials of a loader on all ranks; the first callback that asks waits for the ranks."""
        if loader not in self._whole:
            ids, values = (_all_ranks(trainer, list(parts)) for parts in zip(*self._batches[loader].values()))
            self._whole[loader] = Trials.once(ids, values, n_classes=n_classes)
            self._batches[loader].clear()
        return self._whole[loader]


_collections: "WeakKeyDictionary[L.Trainer, _Collection]" = WeakKeyDictionary()  # of the evaluation that runs


class TrialCallback(L.Callback, ABC):
    """Collects the records of an evaluation and hands ``on_split`` the whole split, the same on every rank.

    Trials, not sums, are gathered: a sampler that pads repeats trials, also on another rank, and only the trial's
    index tells. Sorting by index then makes one process and many give the same table. One epoch of FACED validation
    is 1680 rows, about 1 MB.
    """

    def __init__(self) -> None:
        self.measures: dict[str, dict[str, Measure]] = {}

    @abstractmethod
    def on_split(self, trainer: L.Trainer, pl_module: L.LightningModule, split: str, trials: Trials) -> None:
        """Called on every rank at the end of a validation or test epoch.

        ``split`` is ``val`` or ``test``; where the data's split holds clips back, a test is followed by ``test_seen``,
        the same people on clips of the training.
        """

    def wanted(self, trainer: L.Trainer) -> bool:
        """False for evaluations that are not to be collected."""
        return not trainer.sanity_checking

    def on_validation_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        # Each callback says so before the first batch; the last of them is as empty as the first.
        _collections[trainer] = _Collection(loaders=len(trainer.num_test_batches) if _testing(trainer) else 1)

    on_test_epoch_start = on_validation_epoch_start

    def on_validation_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: object,
        batch: object,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        if self.wanted(trainer):
            record = decoder_of(pl_module).record
            assert record is not None  # every evaluation step leaves one
            _collections[trainer].add(record, batch=batch_idx, loader=dataloader_idx)

    on_test_batch_end = on_validation_batch_end

    def on_validation_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if self.wanted(trainer):
            collection = _collections[trainer]
            for loader, split in enumerate((TESTS if _testing(trainer) else ("val",))[: len(collection)]):
                trials = collection.whole(trainer, loader, n_classes=len(decoder_of(pl_module).spec.classes))
                self.on_split(trainer, pl_module, split, trials)

    on_test_epoch_end = on_validation_epoch_end


def _testing(trainer: L.Trainer) -> bool:
    return trainer.state.fn == TrainerFn.TESTING


def ids_and_values(record: Record) -> tuple[Tensor, Tensor]:
    """(B, 4) ids and (B, K + D) logits and features of the trials of a batch, as ``Trials.once`` takes them."""
    batch = record.batch
    ids = torch.stack([batch.y, batch.stimulus, batch.subject, batch.index], dim=1)
    return ids, torch.cat([record.logits.detach().float(), record.h.detach().float()], dim=1)


def _all_ranks(trainer: L.Trainer, parts: list[Tensor]) -> np.ndarray:
    """Rows of the batches of all ranks, which may hold different numbers of them."""
    rows = torch.cat(parts)
    if trainer.world_size > 1:
        from torchmetrics.utilities.distributed import gather_all_tensors

        rows = torch.cat(gather_all_tensors(rows))
    return rows.cpu().numpy()


def axis_of(pl_module: L.LightningModule) -> tuple[np.ndarray, np.ndarray]:
    """Stimulus positions (S,) and class ids (S,) of the decoder's targets as arrays."""
    targets = decoder_of(pl_module).targets
    return targets.v.cpu().double().numpy(), targets.class_of.cpu().numpy()


def log_measures(pl_module: L.LightningModule, split: str, measures: dict[str, Measure]) -> None:
    """Log each value and the 95th percentile of its null under the name of its row, with keys that every rank logs."""
    logged = {f"{split}/{known()[key].logged}": measure for key, measure in measures.items()}
    values = {name: measure.value for name, measure in logged.items()}
    values |= {f"{name}_null95": measure.null_95 for name, measure in logged.items()}
    # Equal on all ranks already; averaging them again only tells Lightning so.
    pl_module.log_dict(values, sync_dist=True)
