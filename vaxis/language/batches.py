"""A batch of texts as a language model takes it."""

from typing import NamedTuple

from torch import Tensor


class Padded(NamedTuple):
    """A batch as the network takes it.

    Attributes:
        rows: which of the texts.
        ids: (n, T) token ids, padded on the right.
        lengths: (n,) tokens of each text.
        mask: further inputs.
    """

    rows: list[int]
    ids: Tensor
    lengths: Tensor
    mask: dict[str, Tensor]
