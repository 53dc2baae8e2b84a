"""A run as objects again: decoder, data and axis in one call, ready to predict, here or on other people."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch
from lightning.pytorch.plugins import Precision
from lightning.pytorch.utilities.seed import isolate_rng
from torch import Tensor

from callbacks.trials import Trials, ids_and_values
from command_line.reader import instantiate
from command_line.settings import RunSettings
from datamodules.base import EEGDataModule
from datamodules.normalisation import restored
from datamodules.transfer import Transfer
from eeg.batch import Batch, Record
from lightning_modules.contents import Contents, read
from lightning_modules.decoder import Decoder
from lightning_modules.reopening import check_same_decoder, normalise_as_trained, restore
from records.layout import RunDirectory
from vaxis.axis import Axis

# Where and under whose eyes a run was trained says nothing about where it is opened.
_OF_THE_TRAINING = ("ckpt_path", "weights_only", "online", "project", "group")
_OF_ITS_MACHINE = ("accelerator", "devices", "strategy", "num_nodes", "logger", "default_root_dir")


@dataclass(frozen=True, kw_only=True)
class OpenRun:
    """A trained decoder with what it was trained with.

    Attributes:
        decoder: with the weights of the checkpoint, in evaluation mode.
        data: data module of the run; its batches are normalised with the statistics of its training people.
        axis: the one it was trained with.
        contents: everything else that the checkpoint holds.
        precision: numbers the run computed with; they decide the last bits.
    """

    decoder: Decoder
    data: EEGDataModule | Transfer
    axis: Axis
    contents: Contents
    precision: Precision

    @torch.inference_mode()
    def predict(self, data: L.LightningDataModule | Tensor | None = None, *, split: str = "test") -> Trials:
        """Probabilities, features and ids of trials, each once and in the order of their index.

        Args:
            data: by default that of the run; another data module is normalised as the run's training people were, and
                must hold the electrodes that the decoder reads. A tensor (B, C, T or 5) holds trials as they come out
                of the files, in the run's order of channels; its trials are numbered and have no other id (-1).
            split: ``train``, ``val``, ``test``, or ``all`` trials of the data module.

        Raises:
            ValueError: the decoder cannot read such trials, or there is no such split.
        """
        decoder, ids, values = self.decoder, [], []
        batches = self._of(data) if isinstance(data, Tensor) else self.batches(data, split=split)
        with self.precision.forward_context():
            for batch in batches:
                batch = Batch(*(column.to(decoder.device) for column in batch))
                output = decoder.output(self.precision.convert_input(batch.x), decoder.classifier)
                found = ids_and_values(Record(batch, output.logits, output.h, output.tokens, None, None))
                ids.append(found[0].cpu().numpy())
                values.append(found[1].cpu().numpy())
        return Trials.once(np.concatenate(ids), np.concatenate(values), n_classes=len(self.contents.spec.classes))

    def batches(self, data: L.LightningDataModule | None = None, *, split: str = "test") -> Iterator[Batch]:
        """The batches that the Trainer would give the decoder: the last bits depend on their sizes.

        Args:
            data: as in ``predict``.
            split: as in ``predict``.
        """
        inner = normalise_as_trained(self.data if data is None else data, self.contents)
        rows = self.contents.rows(inner.spec)
        inner.prepare_data()
        inner.setup("predict")
        splits = {**inner.indices, "all": np.arange(len(inner.store.trials))}
        if split not in splits:
            raise ValueError(f"no split '{split}'; the data have {', '.join(splits)}")
        for batch in inner.loader(splits[split]):
            yield batch if rows is None else batch._replace(x=batch.x[:, rows])

    def _of(self, x: Tensor) -> Iterator[Batch]:
        """Trials of a tensor in batches, numbered and without labels."""
        statistics, spec = self.contents.statistics, self.contents.spec
        channels = tuple(statistics.get("channels", spec.channels))
        expected = (len(channels), *spec.shape[1:])
        if tuple(x.shape[1:]) != expected:
            raise ValueError(f"trials must be (B, {', '.join(map(str, expected))}), got {tuple(x.shape)}")
        if statistics.get("normalise") == "subject":
            raise ValueError("the run normalises each person over all its trials; give a data module, not a tensor")
        affine = statistics and restored(statistics, kind=statistics["normalise"], channels=channels)
        rows = self.contents.rows(replace(spec, channels=channels, shape=expected))
        for index in torch.arange(len(x)).split(getattr(self.data, "batch_size", len(x))):
            trials, unknown = x[index].float().cpu(), torch.full_like(index, -1)
            trials = affine.apply_(trials, unknown) if affine else trials
            yield Batch(trials if rows is None else trials[:, rows], unknown, unknown, unknown, index)


def open_run(
    run_dir: str | Path, *, checkpoint: str | int | Path = "best", device: str = "auto", flags: Sequence[str] = ()
) -> OpenRun:
    """Open a finished or interrupted run; everything but the data lies in the checkpoint.

    Args:
        run_dir: folder of the run.
        checkpoint: ``best``, ``last``, the number of a kept epoch, or a checkpoint file wherever it lies.
        device: ``auto`` takes a GPU where there is one; ``cpu``, ``cuda``.
        flags: settings to change, as on the command line; those of the data (``--data.root=DIR``), not the decoder's.

    Raises:
        FileNotFoundError: no such checkpoint.
        ValueError: it is not complete in itself (of an older version), or a flag would make another decoder.
    """
    contents = read(checkpoint_file(run_dir, checkpoint))
    settings = RunSettings(settings_anywhere(contents)).with_words(flags)
    check_same_decoder(settings.content, contents)
    # Opening a run must not move the random numbers of the notebook it is opened in.
    with isolate_rng():
        data, decoder, trainer = instantiate(settings)
        restore(decoder, contents, spec=contents.spec)
    normalise_as_trained(data, contents)
    here = _machine(device, trainer)
    converted = here.precision_plugin.convert_module(decoder).to(here.strategy.root_device).eval()
    assert isinstance(converted, Decoder)  # conversion changes the numbers, not the module
    return OpenRun(decoder=converted, data=data, axis=contents.axis, contents=contents, precision=here.precision_plugin)


def _machine(device: str, trainer: dict[str, Any]) -> L.Trainer:
    """A Trainer that never trains: it finds the device and sets the precision and determinism of the run."""
    same: dict[str, Any] = {name: trainer[name] for name in ("precision", "deterministic", "benchmark")}
    off = ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary")
    quiet: dict[str, Any] = dict.fromkeys(off, False)
    return L.Trainer(accelerator=device, devices=1, **same, **quiet)


def checkpoint_file(run_dir: str | Path, which: str | int | Path = "best") -> Path:
    """Path of a checkpoint of a run.

    Raises:
        FileNotFoundError: no such folder; a missing file is left to the reader, who says more.
    """
    files = RunDirectory(Path(run_dir))
    if which not in ("best", "last") and not isinstance(which, int):
        return Path(which)
    if not files.path.is_dir():
        raise FileNotFoundError(f"no run directory {run_dir}")
    return files.kept(which) if isinstance(which, int) else {"best": files.best, "last": files.last}[str(which)]


def settings_anywhere(contents: Contents) -> dict[str, Any]:
    """The settings of a run without what was true of the training machine alone."""
    settings: dict[str, Any] = {k: v for k, v in contents.settings.items() if k not in _OF_THE_TRAINING}
    settings["trainer"] = {k: v for k, v in settings["trainer"].items() if k not in _OF_ITS_MACHINE}
    return settings
