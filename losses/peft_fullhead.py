"""Partial fine-tuning: the classifier and the last two blocks of a pretrained encoder learn, the rest is frozen."""

from torch import nn

from losses._peft import _PEFT


class PEFTFullhead(_PEFT):
    """Classifier and last two blocks of a pretrained encoder learn, with regression onto the axis.

    L = task + weight * A, A in z^2 as in ``vaxis_mse``. Weight 0 is the control arm (same procedure, no axis). arXiv
    2606.00129, row 18: -0.009 (p = 0.069) at 0.1 against it. There a decoder of six blocks started from a checkpoint of
    three and froze random ones, which may explain its low controls; here every frozen tensor's origin is logged.

    Args:
        weight: factor of the loss.
        pretrained: checkpoint or folder of a run whose encoder to start from, or ``network`` for --network.weights; by
            default a first phase trains the encoder on the labels of another cohort (--source).
        pretrain_epochs: length of that phase; by default that of the run.
    """

    def insert(self, network: nn.Module) -> None:
        depth = len(getattr(network, "blocks", ()))
        if not depth:
            raise ValueError(f"peft_fullhead needs a network with blocks; {type(network).__name__} has none")
        self.parts = rf"blocks\.({'|'.join(str(i) for i in range(max(0, depth - 2), depth))})\."
