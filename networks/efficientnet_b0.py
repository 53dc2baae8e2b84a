"""EfficientNetB0: a network for photographs on folded EEG, the control for what pretraining on EEG is worth."""

from typing import Any, cast

import torch
from torch import Tensor, nn

from eeg.batch import DataSpec
from networks.base import Adaptable, Network
from networks.weights import load_strictly, read_weights

# Stages of B0 (Tan and Le 2019, table 1): expansion, kernel, stride of the first layer, outputs, layers.
STAGES = ((1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3), (6, 5, 1, 112, 3), (6, 5, 2, 192, 4),
          (6, 3, 1, 320, 1))  # fmt: skip
STEM, DIM = 32, 1280
REDUCTION = 4  # of the squeeze, relative to what enters the layer
HALVINGS = 5  # strides of 2, the stem's among them

# torchvision's names and ours: the stages are the blocks that strategies look for, and the classifier is the decoder's.
RENAMED = {r"^features\.": "blocks."}


def _convolution(
    inputs: int, outputs: int, *, kernel: int = 1, stride: int = 1, groups: int = 1, active: bool = True
) -> nn.Sequential:
    """Convolution, batch norm and, where ``active``, SiLU."""
    layers: list[nn.Module] = [
        nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
    ]
    return nn.Sequential(*layers, *([nn.SiLU()] if active else []))


class Squeeze(nn.Module):
    """Each map times a gate computed from the means of all maps (Hu et al. 2018, arXiv 1709.01507)."""

    def __init__(self, *, features: int, hidden: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Conv2d(features, hidden, 1), nn.Conv2d(hidden, features, 1)

    def forward(self, x: Tensor) -> Tensor:
        gate = self.fc2(nn.functional.silu(self.fc1(x.mean(dim=(2, 3), keepdim=True))))
        return x * gate.sigmoid()


class Inverted(nn.Module):
    """Inverted residual with a squeeze: widen, filter each map, gate, narrow (Sandler et al. 2018, arXiv 1801.04381).

    Args:
        inputs: maps that enter.
        outputs: maps that leave.
        expansion: how many times wider it is inside.
        kernel: of the filter.
        stride: of the filter.
        drop: probability that a trial skips the layer, where it may.
    """

    def __init__(self, *, inputs: int, outputs: int, expansion: int, kernel: int, stride: int, drop: float) -> None:
        super().__init__()
        wide = inputs * expansion
        self.block = nn.Sequential(
            *([_convolution(inputs, wide)] if expansion > 1 else []),
            _convolution(wide, wide, kernel=kernel, stride=stride, groups=wide),
            Squeeze(features=wide, hidden=max(1, inputs // REDUCTION)),
            _convolution(wide, outputs, active=False),
        )
        self.residual, self.drop = stride == 1 and inputs == outputs, drop

    def forward(self, x: Tensor) -> Tensor:
        y = self.block(x)
        if not self.residual:
            return y
        if self.training and self.drop:
            kept = torch.rand(len(x), 1, 1, 1, device=x.device) >= self.drop
            y = y * kept / (1 - self.drop)
        return x + y


class EfficientNetB0(Network):
    """EfficientNet-B0 (Tan and Le 2019, arXiv 1905.11946) on EEG folded into a picture: a control with no EEG prior.

    What an encoder that was pretrained on EEG reaches is to be compared with what ImageNet gives: 0.552 on FACED and
    0.366 on SEED-V under the protocol of CBraMod. How that picture was made is not known to us; ours: each electrode's
    trial is cut into pieces of one period that lie below each other, so that a row is an electrode and piece, a column
    a phase, and the three colours are equal. ImageNet weights expect about unit spread (``--data.normalise train``).

    Tokens are the last maps, 1280 wide, one a field of 32 x 32; their mean is the pooled feature of the paper.

    Args:
        period: length of a row in seconds.
        drop: probability that the last layer is skipped, growing linearly from the first; 0.2 as trained.
        weights: path of torchvision's ``efficientnet_b0`` state dict; random without.

    Attributes:
        loaded: names of the tensors that came from the file.
    """

    reads = ("raw",)
    keeps_electrodes = False

    def __init__(self, *, period: float = 1.0, drop: float = 0.2, weights: str | None = None) -> None:
        super().__init__()
        if period <= 0 or not 0 <= drop < 1:
            raise ValueError(f"network needs period > 0 and 0 <= drop < 1, got {period:g} and {drop:g}")
        self.dim, self.period, self.drop, self.weights = DIM, period, drop, weights
        self.loaded: tuple[str, ...] = ()

    def build(self, spec: DataSpec) -> None:
        self.check(spec)
        channels, length = spec.shape
        self.columns = min(length, round(self.period * spec.sampling_rate))
        if not self.columns:
            raise ValueError(f"network.period {self.period:g} s holds no sample at {spec.sampling_rate:g} Hz; raise it")
        self.pieces = length // self.columns
        height, width = channels * self.pieces, self.columns
        for _ in range(HALVINGS):
            height, width = (height + 1) // 2, (width + 1) // 2
        self.n_rows, self.n_tokens = 1, height * width
        self.blocks = self._stages()
        self.apply(_start)
        if self.weights:
            state = read_weights(self.weights, renamed=RENAMED, dropped=("classifier.",))
            self.loaded = load_strictly(self, state, path=self.weights, fix="name torchvision's efficientnet_b0")

    def _stages(self) -> nn.Sequential:
        total, place, inputs = sum(stage[-1] for stage in STAGES), 0, STEM
        stages: list[nn.Module] = [_convolution(3, STEM, kernel=3, stride=2)]
        for expansion, kernel, stride, outputs, layers in STAGES:
            stage = []
            for layer in range(layers):
                stage.append(
                    Inverted(
                        inputs=inputs,
                        outputs=outputs,
                        expansion=expansion,
                        kernel=kernel,
                        stride=stride if layer == 0 else 1,
                        drop=self.drop * place / total,
                    )
                )
                inputs, place = outputs, place + 1
            stages.append(nn.Sequential(*stage))
        return nn.Sequential(*stages, _convolution(inputs, DIM))

    def fold(self, x: Tensor) -> Tensor:
        """(B, C, T) to a picture (B, 3, C pieces, columns); samples behind the last whole piece are left out."""
        rows = x[..., : self.pieces * self.columns].reshape(len(x), 1, -1, self.columns)
        return rows.expand(-1, 3, -1, -1)

    def forward(self, x: Tensor) -> Tensor:
        return self.blocks(self.fold(x)).flatten(2).transpose(1, 2)[:, None]

    def adaptable(self) -> list[Adaptable]:
        layers: list[Any] = [layer for stage in list(self.blocks)[1:-1] for layer in cast(Any, stage)]
        narrow = [layer.block[-1][0] for layer in layers]
        mixing = [Adaptable(convolution, "weight", "mixing", slice(None)) for convolution in narrow]
        return mixing + [Adaptable(convolution, "weight", "ffn_out") for convolution in narrow]


def _start(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out")
        if module.bias is not None:
            nn.init.zeros_(module.bias)
