"""LoRA: low-rank changes to the attention of a frozen, pretrained encoder."""

from torch import nn
from torch.nn.utils import parametrize

from losses._adapters import LowRank, sites
from losses._peft import _PEFT, ADAPTER


class PEFTLoRA(_PEFT):
    """Low-rank changes to a frozen, pretrained encoder, with regression onto the axis.

    Formula:
        W = W0 + (alpha / rank) up down, up = 0 at the start, on the weights that mix tokens.
        L = task + weight * A, A in z^2 as in ``vaxis_mse``.

    Source:
        Hu et al. 2022, arXiv 2106.09685.

    Published:
        arXiv 2606.00129, row 19: -0.010 (p = 0.12) at 0.1, 0.580 to 0.571; p = 0.035 in the revision of September
        2026.

    Ours:
        Rank 8 is the paper's, alpha 16 ours. A network that mixes by maps instead of attention is adapted there.
        Weight 0 is the control arm: the same procedure without the axis.

    Example:
        python train.py --loss peft_lora --loss.rank 4

    Args:
        weight: factor of the loss.
        pretrained: checkpoint or folder of a run whose encoder to start from, or ``network`` for --network.weights; by
            default a first phase trains the encoder on the labels of another cohort (--source).
        pretrain_epochs: length of that phase; by default that of the run.
        rank: rank of the change; a weight with fewer rows or columns gets as much as it has.
        alpha: the change is scaled by alpha / rank.
    """

    def __init__(
        self,
        *,
        weight: float = 0.1,
        pretrained: str | None = None,
        pretrain_epochs: int | None = None,
        rank: int = 8,
        alpha: float = 16.0,
    ) -> None:
        super().__init__(weight=weight, pretrained=pretrained, pretrain_epochs=pretrain_epochs)
        if rank < 1:
            raise ValueError(f"rank must be >= 1, got {rank}")
        self.rank, self.alpha, self.parts = rank, alpha, ADAPTER

    def insert(self, network: nn.Module) -> None:
        found = sites(network, roles=("mixing",))
        # Convolutions are adapted as matrices of their outputs and everything else.
        largest = max(min(getattr(site.module, site.name).flatten(1).shape) for site in found)
        if self.rank > largest:
            raise ValueError(
                f"rank {self.rank} is above the full rank of every weight that it would adapt ({largest} at most); set "
                f"--loss.rank to {largest} or less"
            )
        for site in found:
            change = LowRank(getattr(site.module, site.name), rank=self.rank, scale=self.alpha / self.rank)
            parametrize.register_parametrization(site.module, site.name, change)
