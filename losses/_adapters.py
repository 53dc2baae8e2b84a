"""Small trainable changes to frozen weights, as parametrisations: the module they belong to does not notice."""

from collections.abc import Sequence
from typing import Protocol, cast

from torch import Tensor, nn
from torch.nn.utils import parametrize


class Site(Protocol):
    """A weight matrix that a network opens to adapters; ``networks.base.Adaptable`` is one."""

    @property
    def module(self) -> nn.Module: ...

    @property
    def name(self) -> str: ...

    @property
    def role(self) -> str: ...

    @property
    def rows(self) -> slice | None: ...


class _Opened(Protocol):
    def adaptable(self) -> Sequence[Site]: ...


def sites(network: nn.Module, *, roles: tuple[str, ...]) -> list[Site]:
    """The weights of these roles that a network opens to adapters.

    Raises:
        ValueError: it opens none.
    """
    found = [site for site in cast(_Opened, network).adaptable() if site.role in roles]
    if not found:
        raise ValueError(f"{type(network).__name__} names no weights for adapters; give it adaptable()")
    return found


class LowRank(nn.Module):
    """W + scale * up @ down; ``up`` starts at zero, so the weight starts as it was, bit for bit.

    A convolution is the linear map from the inputs under its kernel, (out, in x kernel).
    """

    def __init__(self, weight: Tensor, *, rank: int, scale: float) -> None:
        super().__init__()
        inputs = weight[0].numel()
        rank = min(rank, weight.shape[0], inputs)
        self.scale = scale
        self.down = nn.Parameter(nn.init.kaiming_uniform_(weight.new_empty(rank, inputs), a=5**0.5))
        self.up = nn.Parameter(weight.new_zeros(weight.shape[0], rank))

    def forward(self, weight: Tensor) -> Tensor:
        return weight + (self.scale * self.up @ self.down).view_as(weight)


class Gain(nn.Module):
    """A factor for each of some outputs, or for each input, of a linear map; all start at 1."""

    def __init__(self, weight: Tensor, *, rows: slice | None) -> None:
        super().__init__()
        self.rows = rows
        size = weight.shape[1] if rows is None else len(range(weight.shape[0])[rows])
        self.gain = nn.Parameter(weight.new_ones(size))

    def forward(self, weight: Tensor) -> Tensor:
        """A weight (out, in), or where outputs are scaled also its bias (out,)."""
        rest = [1] * (weight.dim() - 2)  # the kernel of a convolution
        if self.rows is None:
            return weight * self.gain.view(-1, *rest)
        factor = weight.new_ones(len(weight))
        factor[self.rows] = self.gain
        return weight * (factor.view(-1, 1, *rest) if weight.dim() > 1 else factor)


def merge(network: nn.Module) -> None:
    """Write what the adapters do into the weights and remove them; outputs stay what they were."""
    for module in list(network.modules()):
        for name in list(getattr(module, "parametrizations", {})):
            parametrize.remove_parametrizations(module, name, leave_parametrized=True)
