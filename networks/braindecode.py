"""Any model of braindecode by name: ``--network braindecode:REVE``; an optional extra."""

import importlib
import inspect
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from eeg.batch import DataSpec
from networks.base import Adaptable, Network

INSTALL = (
    "pip install 'vaxis-align[braindecode]' in an environment whose torch has a torchaudio of the same version and "
    "build (https://pytorch.org lists the command); --network cbramod, eegnet, eeg_conformer and emod need neither"
)
# Whose tokens are those of single electrodes, (B, C, seconds, D) or, electrode by electrode, (B, C seconds, D).
KEEP_ELECTRODES = ("CBraMod", "CodeBrain", "Labram", "SignalJEPA")
# Layers of pretraining that a port keeps before its classifier, and the authors' fine-tuning leaves out.
LEFT_OUT = {"CBraMod": "proj_out"}
# SEED-V's cerebellar electrodes have no place in the 10-05 system; these two are the nearest that have.
NEAREST = {"CB1": "PO9", "CB2": "PO10"}


class Tap(nn.Module):
    """Stands where the classifier was and keeps what reaches it."""

    def __init__(self) -> None:
        super().__init__()
        self.features: Tensor | None = None

    def forward(self, x: Tensor, *_: Any, **__: Any) -> Tensor:
        self.features = x
        return x

    def take(self) -> Tensor:
        """What the last pass left here; a second reading of it would be of another batch."""
        features, self.features = self.features, None
        assert features is not None  # the caller has just passed a batch through
        return features


class Braindecode(Network):
    """A model of braindecode (Schirrmeister et al. 2017, doi 10.1002/hbm.23730; BSD-3) in the place of an encoder.

    ``--network braindecode:Labram`` is short for ``--network braindecode --network.model Labram``. The classifier is
    left out. Where the model has tokens they are kept: (B, C, N, D) of CBraMod, CodeBrain, LaBraM and SignalJEPA, one
    row of others; a model that gives one vector a trial becomes one token. Its paper says which rate and scale it
    wants: the data module resamples (``--data.sampling_rate``) and scales (``--data.scale``).

    Weights are fetched by braindecode into the cache of huggingface_hub, and only where ``pretrained`` names them; with
    HF_HUB_OFFLINE=1 from that cache alone.

    Args:
        model: class in ``braindecode.models``, in any case.
        pretrained: repository on the hub, for example ``braindecode/labram-pretrained``, or a folder that
            ``save_pretrained`` wrote.
        options: further arguments of the class, for example '{drop_prob: 0.1}'.
    """

    reads = ("raw",)

    def __init__(self, *, model: str, pretrained: str | None = None, options: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        self.model_name, self.pretrained, self.options = model, pretrained, dict(options or {})
        self.keeps_electrodes = model.lower() in [name.lower() for name in KEEP_ELECTRODES]

    def check(self, spec: DataSpec) -> None:
        super().check(spec)
        model_class(self.model_name)  # an absent library or model, too, is said before data are prepared

    def build(self, spec: DataSpec) -> None:
        self.check(spec)
        self.channels = list(spec.channels)
        self.model = self._model(spec)
        self.classifier_was = _classifier(self.model, name=self.model_name)
        self.tap = Tap()
        self.model.set_submodule(self.classifier_was, self.tap)
        if layer := LEFT_OUT.get(type(self.model).__name__):
            self.model.set_submodule(layer, nn.Identity())
        self._size(spec)

    def _model(self, spec: DataSpec) -> nn.Module:
        kind = model_class(self.model_name)
        facts: dict[str, Any] = {
            "n_chans": spec.shape[0],
            "n_times": spec.shape[1],
            "sfreq": float(spec.sampling_rate),
            "chs_info": _electrodes(spec),
        }
        try:
            if self.pretrained:
                return kind.from_pretrained(self.pretrained, **facts, **self.options)
            return kind(n_outputs=len(spec.classes), **facts, **self.options)
        except Exception as error:  # what 60 classes and the hub raise is as various as they are
            reason = " ".join(str(error).split())[:300]
            source = f" from {self.pretrained}" if self.pretrained else ""
            raise ValueError(
                f"braindecode's {kind.__name__}{source} cannot read {spec.shape[0]} electrodes by {spec.shape[1]} "
                f"samples at {spec.sampling_rate:g} Hz ({type(error).__name__}: {reason}); change "
                "--data.sampling_rate, --data.window_seconds or --network.options, or fetch first what it downloads"
            ) from error

    def _size(self, spec: DataSpec) -> None:
        """Learn the grid from one pass, and freeze what the tokens do not depend on: DDP waits for every parameter."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            tokens = self.eval()(torch.randn(2, *spec.shape))
        parameters = [p for p in self.parameters() if p.requires_grad]
        used = torch.autograd.grad(tokens.square().sum(), parameters, allow_unused=True)
        for parameter, gradient in zip(parameters, used):
            parameter.requires_grad_(gradient is not None)
        self.train()
        self.n_rows, self.n_tokens, self.dim = tokens.shape[1:]

    def forward(self, x: Tensor) -> Tensor:
        accepted = inspect.signature(self.model.forward).parameters
        named: dict[str, Any] = {"ch_names": self.channels} if "ch_names" in accepted else {}
        if "return_features" in accepted:
            features = self.model(x, return_features=True, **named)["features"]
        else:
            self.model(x, **named)
            features = self.tap.take()
        if not self.keeps_electrodes:
            return _row(features)
        return features if features.dim() == 4 else features.unflatten(1, (len(self.channels), -1))

    def adaptable(self) -> list[Adaptable]:
        layers = [m for m in self.model.modules() if isinstance(m, nn.Linear) and m.weight.requires_grad]
        # The second layer of a feed-forward is the one that narrows; the others mix.
        narrow = [Adaptable(m, "weight", "ffn_out") for m in layers if m.in_features > m.out_features]
        return [Adaptable(m, "weight", "mixing") for m in layers if m.in_features <= m.out_features] + narrow


def installed() -> Any:
    """``braindecode.models``.

    Raises:
        ValueError: it or torchaudio is absent or broken; says in one line what to install.
    """
    try:
        return importlib.import_module("braindecode.models")
    except (ImportError, OSError, RuntimeError) as error:  # a torchaudio of another torch fails while it is loaded
        raise ValueError(f"braindecode cannot be imported ({' '.join(str(error).split())[:200]}): {INSTALL}") from error


def model_class(name: str) -> Any:
    """A model class, its name in any case.

    Raises:
        ValueError: braindecode is absent or has no such model; lists those it has.
    """
    known = {
        n.lower(): kind
        for n, kind in vars(installed()).items()
        if inspect.isclass(kind) and issubclass(kind, nn.Module)
    }
    if name.lower() not in known:
        names = ", ".join(sorted(kind.__name__ for kind in known.values()))
        raise ValueError(f"braindecode has no model '{name}'; --network.model is one of {names}")
    return known[name.lower()]


def _electrodes(spec: DataSpec) -> list[dict[str, Any]]:
    """The electrodes as mne describes them, with their places; models that place tokens on the scalp read these."""
    import mne

    # mne 1.13 renamed it and will drop the old name.
    name = next(n for n in ("colin27_1005", "standard_1005") if n in mne.channels.get_builtin_montages())
    known = mne.channels.make_standard_montage(name).get_positions()["ch_pos"]
    places = {name.upper(): place for name, place in known.items()}
    located = {
        c: places[NEAREST.get(c.upper(), c.upper())]
        for c in spec.channels
        if NEAREST.get(c.upper(), c.upper()) in places
    }
    info = mne.create_info(list(spec.channels), float(spec.sampling_rate), "eeg")
    info.set_montage(mne.channels.make_dig_montage(located, coord_frame="head"), on_missing="ignore", verbose="error")
    return list(info["chs"])


def _classifier(model: nn.Module, *, name: str) -> str:
    """Name of the last layer: braindecode calls it ``final_layer`` nearly everywhere."""
    if isinstance(layer := getattr(model, "final_layer", None), nn.Module) and not isinstance(layer, nn.ModuleList):
        return "final_layer"
    raise ValueError(
        f"braindecode's {name} has no single final_layer whose input could be its tokens; take another model"
    )


def _row(features: Tensor) -> Tensor:
    """What reaches a classifier as one row of tokens (B, 1, N, D).

    (B, D) is one token and (B, N, D) a row; (B, D, N, 1) and (B, D, 1, N) are the maps of a convolution.
    """
    if features.dim() == 2:
        return features[:, None, None]
    if features.dim() == 3:
        return features[:, None]
    return features.flatten(2).transpose(1, 2)[:, None]
