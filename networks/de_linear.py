"""DELinear: one linear layer on all band features, the baseline that every encoder has to beat."""

from torch import Tensor, nn

from eeg.batch import DataSpec
from networks.base import Adaptable, Network


class DELinear(Network):
    """All C x 5 band features to one token by a linear layer; with the linear head this is logistic regression.

    The width only has to be no smaller than the number of classes: then every linear map to logits can be reached. It
    is there so that alignment strategies have features to act on. It expects features of about unit spread
    (``data.normalise`` train or subject).

    Args:
        dim: token width D.
    """

    reads = ("de", "psd")
    keeps_electrodes = False

    def __init__(self, *, dim: int = 64) -> None:
        super().__init__()
        if dim < 1:
            raise ValueError(f"network.dim must be at least 1, got {dim}")
        self.dim = dim

    def build(self, spec: DataSpec) -> None:
        self.check(spec)
        channels, bands = spec.shape
        self.n_rows, self.n_tokens = 1, 1
        # A list of one: strategies that fine-tune the last blocks of an encoder look for ``blocks``.
        self.blocks = nn.ModuleList([nn.Linear(channels * bands, self.dim)])

    def forward(self, x: Tensor) -> Tensor:
        return self.blocks[0](x.flatten(1))[:, None, None]

    def adaptable(self) -> list[Adaptable]:
        layer = self.blocks[0]
        return [Adaptable(layer, "weight", "mixing", slice(None)), Adaptable(layer, "weight", "ffn_out")]
