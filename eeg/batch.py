"""What every part of the framework agrees on: one batch of trials and the facts of the data set it comes from."""

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from torch import Tensor

from eeg.bands import Bands

Features = Literal["raw", "de", "psd"]


class Batch(NamedTuple):
    """A batch of B trials, sliced from a store in one go.

    Attributes:
        x: signal, (B, C, T) float32 for raw EEG or (B, C, 5) for band features.
        y: class id, (B,) int64: what the task loss decodes.
        stimulus: clip id, (B,) int64. ``y == class_of[stimulus]`` unless people's own reports are the labels
            (``--data.labels self_report``): then ``y`` and all that goes by class is what the person named, and all
            that goes by stimulus, axis positions above all, is still the clip's.
        subject: subject id, (B,) int64.
        index: position of the trial in the cohort, (B,) int64; names a trial once whatever the sampler did.
    """

    x: Tensor
    y: Tensor
    stimulus: Tensor
    subject: Tensor
    index: Tensor  # type: ignore[assignment]  # a batch is never searched, so tuple.index may go


class SourceBatch(Batch):
    """A batch from the second data set of a run; class, clip and person ids are those of that data set."""


@dataclass(frozen=True, kw_only=True)
class DataSpec:
    """The facts a network, a loss or a callback may need to size itself.

    Attributes:
        dataset: name of the data set and of its taxonomy, for example ``"faced"``.
        features: what ``x`` holds: raw signal, differential entropy (nats) or power spectral density.
        channels: C electrode names in the order of ``x``.
        shape: shape of one trial, (C, T) or (C, F) with F bands.
        sampling_rate: of raw signals, Hz; of band features, windows per second.
        window_seconds: length of one trial in seconds.
        classes: K class names, position = class id.
        class_of: S class ids, position = stimulus id.
        subjects: subject names, position = subject id.
        simulated: True where the signal was made by ``datamodules.simulate``; reports repeat it.
        bands: the F bands of band features in the order of ``x``, their edges in Hz; empty for raw signals.
    """

    dataset: str
    features: Features
    channels: tuple[str, ...]
    shape: tuple[int, ...]
    sampling_rate: float
    window_seconds: float
    classes: tuple[str, ...]
    class_of: tuple[int, ...]
    subjects: tuple[str, ...]
    simulated: bool = False
    bands: Bands = field(default_factory=dict, hash=False)


class Record(NamedTuple):
    """What a decoder leaves behind after each step, for callbacks to read; every tensor is of this rank alone.

    Attributes:
        batch: the trials, after augmentation.
        logits: (B, K).
        h: (B, D) penultimate features.
        tokens: (B, C', N, D); in training part of the graph, so gradients of the losses can be taken with respect to
            it.
        task: task loss, scalar, or None in a phase of training that does not look at labels.
        alignment: unweighted alignment loss, scalar, or None where no strategy is active or in evaluation.
    """

    batch: Batch
    logits: Tensor
    h: Tensor
    tokens: Tensor
    task: Tensor | None
    alignment: Tensor | None
