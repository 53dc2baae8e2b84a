"""What a checkpoint holds beside weights, so that it can be opened where neither the run nor its data are."""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from eeg.batch import DataSpec
from eeg.montage import canonical
from lightning_modules.phases import PhasedModule
from records.reading import check_archive, refusing
from vaxis.axis import Axis
from vaxis.emotions import Taxonomy

KEY, FORMAT = "run", 1
AGAIN = "copy it again, or train the run again"
OF_A_TRAINING = (
    "epoch",
    "global_step",
    "state_dict",
    "loops",
    "callbacks",
    "optimizer_states",
    "lr_schedulers",
    "phase",
    "pytorch-lightning_version",
)


@dataclass(frozen=True, kw_only=True)
class Contents:
    """A checkpoint that is complete in itself.

    Attributes:
        file: where it lies.
        settings: resolved configuration of the run, as ``config.yaml`` has it.
        spec: facts of the data it was trained on.
        axis: the axis it was trained with; targets follow from it and ``positions``.
        positions: which stimulus positions of the axis are the targets.
        source_axis: of the second data set, where the strategy trains on one.
        control_axis: what the strategy was given in the place of the axis, where that is an artifact.
        data: state of the data module: statistics of the training people.
        checkpoint: everything that Lightning wrote.
    """

    file: Path
    settings: dict[str, Any]
    spec: DataSpec
    axis: Axis
    positions: str
    source_axis: Axis | None
    control_axis: Axis | None
    data: dict[str, Any]
    checkpoint: dict[str, Any]

    @property
    def epoch(self) -> int:
        """The epoch after which it was written, counted from 0."""
        return self.checkpoint["epoch"]

    @property
    def weights(self) -> dict[str, Tensor]:
        return self.checkpoint["state_dict"]

    @property
    def statistics(self) -> dict[str, Any]:
        """Normalisation of the data set that the decoder is judged on; empty where the data module keeps none."""
        return self.data.get("target", self.data)

    def rows(self, spec: DataSpec) -> list[int] | None:
        """Which channels of other data the decoder reads, by name; None where it reads them all in their order.

        Args:
            spec: of the data.

        Raises:
            ValueError: the decoder cannot read such trials; names what differs.
        """
        for name in ("features", "sampling_rate", "window_seconds"):
            ours, theirs = getattr(self.spec, name), getattr(spec, name)
            if ours != theirs:
                raise ValueError(f"{self.file} was trained on data with {name} {ours}, these have {theirs}")
        place = {canonical(channel): row for row, channel in enumerate(spec.channels)}
        if missing := [channel for channel in self.spec.channels if canonical(channel) not in place]:
            raise ValueError(f"{self.file} reads {len(missing)} electrodes that the data lack: {', '.join(missing)}")
        rows = [place[canonical(channel)] for channel in self.spec.channels]
        return None if rows == list(range(len(spec.channels))) else rows

    def spec_on(self, spec: DataSpec) -> DataSpec:
        """Facts for a decoder that is scored on other data: sized as it was trained, with the people who are there now.

        Raises:
            ValueError: the decoder cannot read the data, or their clips and classes are not those it learned.
        """
        if self.rows(spec) is not None or (spec.classes, spec.class_of) != (self.spec.classes, self.spec.class_of):
            raise ValueError(
                f"{self.file} was trained on {self.spec.dataset} and is scored on its electrodes and clips only; "
                f"predict takes more electrodes and other clips, these are of {spec.dataset}"
            )
        return replace(self.spec, dataset=spec.dataset, subjects=spec.subjects, simulated=spec.simulated)


def pack(
    *,
    settings: dict[str, Any] | None,
    spec: DataSpec,
    axis: Axis,
    positions: str,
    source_axis: Axis | None,
    control_axis: Axis | None,
    data: Any,
) -> dict[str, Any]:
    """The entry of a checkpoint, of plain values and tensors only: ``torch.load`` needs no trust to read it.

    Args:
        settings: resolved configuration.
        spec: facts of the data.
        axis: of the run.
        positions: of it that are the targets.
        source_axis: of the second data set.
        control_axis: in the place of the axis.
        data: the data module; Lightning keeps its state under the name of its class.
    """
    return {
        "format": FORMAT,
        "settings": settings,
        "spec": asdict(spec),
        "axis": _plain(axis),
        "positions": positions,
        "source_axis": _plain(source_axis),
        "control_axis": _plain(control_axis),
        "data": type(data).__qualname__,
    }


def read(file: str | Path) -> Contents:
    """Open a checkpoint.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is damaged, or of a version that did not keep all this.
    """
    file = Path(file)
    if not file.exists():
        raise FileNotFoundError(f"no checkpoint at {file}; is the run finished, and was the epoch kept?")
    checkpoint = load(file)
    entry = checkpoint.get(KEY) or {}
    if entry.get("format") != FORMAT or entry["settings"] is None:
        missing = "settings" if entry.get("format") == FORMAT else "settings, axis and normalisation statistics"
        raise ValueError(f"{file} lacks {missing}: it was not written by this version of train.py; train it again")
    with refusing(file, what="the checkpoint of a run", remedy=AGAIN):
        return Contents(
            file=file,
            settings=entry["settings"],
            spec=DataSpec(**entry["spec"]),
            axis=_axis(entry["axis"]),
            positions=entry["positions"],
            source_axis=entry["source_axis"] and _axis(entry["source_axis"]),
            # Runs from before there were controls lack the entry; they had none.
            control_axis=_axis(entry["control_axis"]) if entry.get("control_axis") else None,
            data=checkpoint.get(entry["data"], {}),
            checkpoint=checkpoint,
        )


def load(file: str | Path, *, has: Collection[str] = ("epoch", "state_dict"), remedy: str = AGAIN) -> dict[str, Any]:
    """The dictionary in a checkpoint, after its checksums: torch writes them and does not look at them.

    Args:
        file: the checkpoint.
        has: entries that it must have.
        remedy: what the user can do about a damaged one.

    Raises:
        FileNotFoundError: there is none.
        DamagedFile: a bit of it has changed, it is no checkpoint, or its weights are not finite; names the file.
    """
    with refusing(file, what="the checkpoint of a run", remedy=remedy):
        check_archive(file)
        checkpoint = torch.load(file, map_location="cpu", weights_only=True)
        if missing := [name for name in has if name not in checkpoint]:
            raise ValueError(f"it lacks the entry {missing[0]}")
        for name, value in checkpoint["state_dict"].items():
            if value.is_floating_point() and not value.isfinite().all():
                raise ValueError(f"{name} is not finite: the training has diverged")
        return checkpoint


def load_weights(decoder: PhasedModule, contents: Contents) -> None:
    """Put the weights into a decoder that was built alike.

    Raises:
        ValueError: it was not; names the first parameter that differs.
    """
    check_fits(decoder, contents.weights, file=contents.file)
    decoder.on_load_checkpoint(contents.checkpoint)
    decoder.load_state_dict(contents.weights)


def check_fits(decoder: nn.Module, state: Mapping[str, Tensor], *, file: str | Path) -> None:
    """Refuse weights that are not those of a decoder, before torch says it in a line a tensor.

    Raises:
        ValueError: names the file and the first parameter that differs.
    """
    own = decoder.state_dict()
    wrong = [n for n in own.keys() | state.keys() if n not in own or n not in state or own[n].shape != state[n].shape]
    if wrong:
        raise ValueError(f"{file} holds another decoder than its settings make here: {min(wrong)} differs")


def _plain(value: Any) -> Any:
    """Dataclasses as dictionaries and arrays as tensors, which ``weights_only`` admits."""
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return torch.tensor(value) if isinstance(value, np.ndarray) else value


def _axis(state: dict[str, Any]) -> Axis:
    arrays: dict[str, Any] = {
        name: value.numpy() if isinstance(value, Tensor) else value for name, value in state.items()
    }
    arrays["positions"] = {name: value.numpy() for name, value in state["positions"].items()}
    arrays["own_classes"] = state["own_classes"] and Taxonomy.from_lists(state["own_classes"])
    return Axis(**arrays)
