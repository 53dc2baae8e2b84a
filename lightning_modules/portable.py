"""A decoder outside this project: one class that the Hugging Face hub keeps and that open-eeg-bench can construct."""

import importlib
import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from huggingface_hub import PyTorchModelHubMixin
from torch import Tensor, nn

from eeg.bands import FACED_BANDS, Bands
from eeg.batch import DataSpec, Features
from eeg.differential_entropy import band_power, differential_entropy
from lightning_modules.heads import HeadName, build_head
from networks.base import Network, checked_grid

CARD = """\
---
{{ card_data }}
---

# {{ title | default("EEG decoder") }}

{{ about | default("A network of vaxis-align with a classifier; how it was trained, its owner knows.") }}

```python
from lightning_modules.portable import PortableDecoder

decoder = PortableDecoder.from_pretrained("FOLDER OR REPOSITORY").eval()
logits = decoder(x)  # x: {{ input | default("(B, channels, samples), see config.json") }}
```

{% if classes %}Classes, in the order of the logits: {{ classes }}.

{% endif %}{% if facts %}| | |
|---|---|
{% for name, value in facts.items() %}| {{ name }} | {{ value }} |
{% endfor %}{% endif %}"""
FLOOR = 1e-12  # of a band's power, in the unit of the signal squared: a flat electrode has none, and no logarithm


class PortableDecoder(
    nn.Module, PyTorchModelHubMixin, library_name="vaxis-align", tags=["eeg", "emotion"], model_card_template=CARD
):
    """(B, C, T) EEG to logits (B, n_outputs): any network of this project with a classifier, free of the Trainer.

    The first arguments are those that braindecode's models have and open-eeg-bench passes; its classifier is called
    ``final_layer`` and gets the tokens, so every network here is a submission (docs/networks.md). All arguments are
    plain values: ``save_pretrained`` writes them to config.json beside model.safetensors and a card, and
    ``from_pretrained`` makes the decoder of them.

    A network that asks for another rate gets the signal resampled. A network of band features gets differential
    entropy of the trial, standardised with the statistics of the training batches. Normalisation of a run of this
    project lies in the buffers ``centre`` and ``spread``.

    Args:
        n_chans: C.
        n_times: T, samples a trial; where ``features`` says that trials are band features already, the bands.
        n_outputs: classes.
        sfreq: of the signal, Hz.
        chs_info: electrodes as mne describes them, of which the names are read.
        channels: their names, where ``chs_info`` is not given; EMOD needs one of the two.
        network: file in ``networks/``, or the path of a class.
        options: arguments of the network.
        head: classifier on the tokens.
        head_dropout: of the classifier.
        clip_classes: class of each clip of the training, for the head ``folded_clips``.
        features: what trials hold: raw, de or psd; by default raw signals, of which the decoder computes what the
            network reads.
        scale: divisor of raw signals in microvolt; by default what the network's weights were trained with, or 100.
    """

    centre: Tensor
    spread: Tensor

    def __init__(
        self,
        *,
        n_chans: int,
        n_times: int,
        n_outputs: int,
        sfreq: float,
        chs_info: Sequence[Mapping[str, Any]] | None = None,
        channels: Sequence[str] | None = None,
        network: str = "cbramod",
        options: Mapping[str, Any] | None = None,
        head: HeadName = "mean_linear",
        head_dropout: float = 0.25,
        clip_classes: Sequence[int] | None = None,
        features: Features = "raw",
        scale: float | None = None,
    ) -> None:
        super().__init__()
        self.network = network_class(network)(**(options or {}))
        names = tuple(channels or [c["ch_name"] for c in chs_info or ()] or [str(i) for i in range(n_chans)])
        if len(names) != n_chans:
            raise ValueError(f"{len(names)} names for {n_chans} electrodes; give one a row")
        self.bands: Bands = {} if features != "raw" or "raw" in self.network.reads else FACED_BANDS
        seconds, self.rate = n_times / sfreq, float(sfreq)
        wanted = self.network.contract.sampling_rate or self.rate
        self.samples = round(seconds * wanted) if features == "raw" else n_times
        spec = DataSpec(
            dataset="portable",
            features="de" if self.bands else features,
            channels=names,
            shape=(n_chans, len(self.bands) or self.samples),
            sampling_rate=wanted,
            window_seconds=seconds if features == "raw" else 1.0,
            classes=tuple(str(i) for i in range(n_outputs)),
            class_of=tuple(range(n_outputs)),
            subjects=(),
        )
        self.network.build(spec)
        grid = checked_grid(self.network, spec)
        raw = features == "raw" and not self.bands
        divisor = (scale or self.network.contract.scale or 100.0) if raw else 1.0
        self.register_buffer("centre", torch.zeros(spec.shape[0], 1 if raw else spec.shape[1]))
        self.register_buffer("spread", torch.full_like(self.centre, divisor))
        # Only of features that are computed here: whoever hands over features says how they are normalised.
        self.standardise = nn.BatchNorm1d(n_chans * len(self.bands), affine=False) if self.bands else nn.Identity()
        sizes = {"rows": grid.rows, "n_tokens": grid.columns, "dim": self.network.dim, "n_classes": n_outputs}
        self.final_layer = build_head(head, **sizes, dropout=head_dropout, class_of=clip_classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.final_layer(self.network(self.prepared(x)))

    def prepared(self, x: Tensor) -> Tensor:
        """Trials as the network reads them: resampled or as band features, normalised."""
        if self.bands:
            power = band_power(x, sampling_rate=self.rate, bands=self.bands)
            x = differential_entropy(power.clamp(min=FLOOR))
            x = self.standardise(x.flatten(1)).view_as(x)
        elif x.shape[-1] != self.samples:
            x = resampled(x, self.samples)
        return (x - self.centre) / self.spread

    @classmethod
    def _from_pretrained(cls, *, strict: bool = True, **options: Any) -> "PortableDecoder":
        """Strictly, unlike the mixin: a file that lacks a tensor would leave it random without a word."""
        return super()._from_pretrained(strict=strict, **options)


def network_class(name: str) -> type[Network]:
    """The class of a network that a file in ``networks/`` or the path of a class names.

    Raises:
        ValueError: there is none.
    """
    module, _, wanted = name.rpartition(".") if "." in name else (f"networks.{name}", "", "")
    try:
        found = vars(importlib.import_module(module))
    except ImportError as error:
        raise ValueError(f"no network '{name}'; python -m networks list names them") from error
    for kind in found.values():
        here = inspect.isclass(kind) and issubclass(kind, Network) and kind.__module__ == module
        if here and wanted in ("", kind.__name__):
            return kind
    raise ValueError(f"no network '{name}'; python -m networks list names them")


def resampled(x: Tensor, samples: int) -> Tensor:
    """(..., T) to (..., samples) in the Fourier domain, as the data modules resample clips.

    Frequencies that the new rate cannot hold are dropped. The highest of the shorter signal stands for two of the
    longer where its length is even.
    """
    length = x.shape[-1]
    spectrum, kept = torch.fft.rfft(x), min(length, samples) // 2 + 1
    spectrum = spectrum[..., :kept].clone()
    if min(length, samples) % 2 == 0:
        spectrum[..., -1] *= 2.0 if samples < length else 0.5
    return torch.fft.irfft(spectrum, n=samples) * (samples / length)
