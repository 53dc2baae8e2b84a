"""Compile the network before it trains, where its steps are launch-bound or its kernels fuse."""

from typing import cast

import lightning as L
from torch import nn


class Compiled(L.Callback):
    """``torch.compile`` for the network, off by default.

    In place, so that checkpoints keep their names and a run can be opened without it. The first step then takes seconds
    to minutes; sums are taken in another order, so numbers agree to rounding and not to the bit. Losses, heads and
    everything that depends on which clips are in a batch stay as they are.

    Args:
        network: compile it.
        dynamic: compile once for batches of all sizes; otherwise the last, smaller batch of an epoch compiles again.
    """

    def __init__(self, *, network: bool = False, dynamic: bool = True) -> None:
        self.network, self.dynamic = network, dynamic

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if self.network:
            cast(nn.Module, pl_module.network).compile(dynamic=self.dynamic)
