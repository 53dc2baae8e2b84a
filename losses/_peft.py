"""What the parameter-efficient strategies share: a pretrained encoder that stays as it is, but for a little."""

import re
import warnings

from torch import nn

from losses._checkpoint import load_part
from losses.base import Learner, Phase
from losses.vaxis_mse import VAxisMSE


class _PEFT(VAxisMSE):
    """Regression onto the axis while only the classifier and a small part of a pretrained encoder learn.

    The encoder comes from a checkpoint, from the network's own weights, or from a first phase that trains it on the
    labels of another cohort (``--source``). Weight 0 is the control arm: the same procedure without the axis.

    Attributes:
        parts: which encoder parameters learn, as a regular expression on names below ``network.``; set by ``insert``.
    """

    structural = True
    parts: str

    def __init__(
        self, *, weight: float = 0.1, pretrained: str | None = None, pretrain_epochs: int | None = None
    ) -> None:
        super().__init__(weight=weight)
        if pretrained is not None and not pretrained.strip():
            raise ValueError("pretrained is empty; name a checkpoint or a run, or leave it out")
        self.pretrained, self.pretrain_epochs = pretrained, pretrain_epochs
        self.second_data = None if pretrained else "another cohort"

    def prepare(self, decoder: Learner) -> None:
        network = decoder.network
        self.loaded = set(getattr(network, "loaded", ()))
        if self.pretrained == "network" and not self.loaded:
            raise ValueError(
                f"--loss.pretrained network: {type(network).__name__} was given no weights (--network.weights)"
            )
        if self.pretrained and self.pretrained != "network":
            load_part(network, self.pretrained, prefix="network.", flag="--loss.pretrained")
            self.loaded = set(network.state_dict())
        self.insert(network)
        names = [f"network.{name}" for name, _ in network.named_parameters()]
        if random := [name for name in names if not self._adapts(name) and not self.origin(name)]:
            warnings.warn(
                f"{len(random)} frozen tensors of the encoder stay at their random start ({random[0]} first): the "
                "checkpoint has no values for them; use a network of its depth",
                stacklevel=2,
            )

    def insert(self, network: nn.Module) -> None:
        """Put adapters into the network and say which of its parameters learn."""
        raise NotImplementedError

    def phases(self, epochs: int) -> tuple[Phase, ...]:
        adapt = Phase(name="adapt", epochs=epochs, trains=self._adapts)
        if self.pretrained:
            return (adapt,)
        pretrain = Phase(
            name="pretrain",
            epochs=epochs if self.pretrain_epochs is None else self.pretrain_epochs,
            alignment=False,
            trains=lambda name: name.startswith(("network.", "source_classifier.")) and not _is_adapter(name),
            data="source",
        )
        return (pretrain, adapt)

    def _adapts(self, name: str) -> bool:
        if name.startswith("network."):
            return bool(re.match(self.parts, name.removeprefix("network.")))
        return name.startswith(("classifier.", "loss."))

    def origin(self, parameter: str) -> str | None:
        if _is_adapter(parameter):
            return "its neutral start"
        if not self.pretrained:
            return "the pretrain phase"
        plain = re.sub(r"parametrizations\.(\w+)\.original", r"\1", parameter.removeprefix("network."))
        return self.pretrained if plain in self.loaded else None


ADAPTER = r".*\bparametrizations\.\w+\.\d"


def _is_adapter(name: str) -> bool:
    return bool(re.match(ADAPTER, name))
