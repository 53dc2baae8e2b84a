"""Two data sets in one run: train on one, then or in turn on the other; the second is the one that is judged."""

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from torch.utils.data import DataLoader

from datamodules.base import EEGDataModule
from datamodules.unmoved import Unmoved
from eeg.batch import Batch, DataSpec, SourceBatch
from eeg.montage import canonical


class Transfer(Unmoved):
    """A target data module and the source it borrows from, on the electrodes that both have, in the target's order.

    Which of them a training epoch reads is the decoder's phase; validation and test are the target's alone. Everything
    else that is asked of it (axis, taxonomy, rows of the splits) is the target's.

    Args:
        source: where batches of type ``SourceBatch`` come from.
        target: the data set of the run.

    Raises:
        ValueError: the two differ in features or, for raw signals, in sampling rate or length of a trial; or, in
            ``setup``, the source trains on what the target is judged by.
    """

    def __init__(self, *, source: EEGDataModule, target: EEGDataModule) -> None:
        super().__init__()
        self.source, self.target = source, target
        for name in ("features", *(("sampling_rate", "window_seconds") if target.features == "raw" else ())):
            theirs, ours = getattr(source.spec, name), getattr(target.spec, name)
            if theirs != ours:
                raise ValueError(f"--source.{name} is {theirs} and --data.{name} is {ours}; set them alike")
        rows = {canonical(channel): i for i, channel in enumerate(source.spec.channels)}
        pairs = [(rows[canonical(c)], i) for i, c in enumerate(target.spec.channels) if canonical(c) in rows]
        if not pairs:
            raise ValueError("--source and --data have no electrode in common")
        self.source_rows, self.target_rows = (list(column) for column in zip(*pairs))

    def __getattr__(self, name: str) -> Any:
        if name in ("target", "source"):
            raise AttributeError(name)
        return getattr(self.target, name)

    @cached_property
    def spec(self) -> DataSpec:
        spec = self.target.spec
        channels = tuple(spec.channels[i] for i in self.target_rows)
        return replace(spec, channels=channels, shape=(len(channels), *spec.shape[1:]))

    @property
    def fingerprint(self) -> str:
        return f"{self.target.fingerprint}+{self.source.fingerprint}"

    def state_dict(self) -> dict[str, Any]:
        return {"target": self.target.state_dict(), "source": self.source.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.target.load_state_dict(state_dict["target"])
        self.source.load_state_dict(state_dict["source"])

    def prepare_data(self) -> None:
        self.source.prepare_data()
        self.target.prepare_data()

    def setup(self, stage: str | None = None) -> None:
        for data in (self.source, self.target):
            data.trainer = self.trainer
            data.setup(stage)
        if Path(self.source.root).resolve() == Path(self.target.root).resolve():
            learned = _clips_seen(self.source, "train")
            others = (_clips_seen(self.target, role) for role in self.target.indices if role != "train")
            if judged := learned & set().union(*others):
                raise ValueError(
                    f"--source trains on {len(judged)} clips of people that --data validates or tests on; give both "
                    "the same split and fold, or name another cohort"
                )

    def train_dataloader(self) -> Any:
        trainer: Any = self.trainer  # the module is a Decoder, which this room may not import
        data = trainer.lightning_module.phase.data
        if data == "main":
            return self.target.train_dataloader()
        source = _Tagged(self.source.train_dataloader())
        return source if data == "source" else _InTurn(source, self.target.train_dataloader())

    def val_dataloader(self) -> DataLoader:
        return self.target.val_dataloader()

    def test_dataloader(self) -> DataLoader | list[DataLoader]:
        return self.target.test_dataloader()

    def predict_dataloader(self) -> DataLoader:
        return self.target.predict_dataloader()

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        second = isinstance(batch, SourceBatch)
        data, rows = (self.source, self.source_rows) if second else (self.target, self.target_rows)
        batch = data.on_after_batch_transfer(batch, dataloader_idx)
        return batch if rows == list(range(batch.x.shape[1])) else batch._replace(x=batch.x[:, rows])


def _clips_seen(data: EEGDataModule, role: str) -> set[tuple]:
    """Person, session and clip of the trials of a split."""
    trials, rows = data.store.trials, data.indices[role]
    people = [trials.subjects[i] for i in trials.subject[rows]]
    return set(zip(people, trials.session[rows].tolist(), trials.stimulus[rows].tolist()))


class _Tagged:
    """Batches of a loader as ``SourceBatch``."""

    def __init__(self, loader: DataLoader) -> None:
        self.loader = loader
        self.sampler: Any = loader.sampler  # an EpochBatches

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[SourceBatch]:
        for batch in self.loader:
            yield SourceBatch(*batch)


class _InTurn:
    """A batch of the source, a batch of the target, and so on for an epoch of the target."""

    def __init__(self, source: _Tagged, target: DataLoader) -> None:
        self.source, self.target, self.sampler = source, target, self

    def set_epoch(self, epoch: int) -> None:
        self.source.sampler.set_epoch(epoch)
        ours: Any = self.target.sampler
        ours.set_epoch(epoch)

    def __len__(self) -> int:
        return 2 * len(self.target)

    def __iter__(self) -> Iterator[Batch]:
        source = iter(self.source)
        for batch in self.target:
            following = next(source, None)
            if following is None:  # the source is the smaller one: it starts again, in the same order
                source = iter(self.source)
                following = next(source)
            yield following
            yield batch
