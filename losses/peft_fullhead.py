"""Partial fine-tuning: the classifier and the last two blocks of a pretrained encoder learn, the rest is frozen."""

from torch import nn

from losses._peft import _PEFT


class PEFTFullhead(_PEFT):
    """Classifier and last two blocks of a pretrained encoder learn, with regression onto the axis.

    Formula:
        L = task + weight * A, A in z^2 as in ``vaxis_mse``; gradient on the classifier, the last two blocks and
        the axis head only.

    Source:
        arXiv 2606.00129; partial fine-tuning of a pretrained encoder.

    Published:
        arXiv 2606.00129, row 18: -0.009 (p = 0.069) at 0.1 against the same procedure without the axis.

    Ours:
        Weight 0 is the control arm: the same procedure without the axis. There a decoder of six blocks started
        from a checkpoint of three and froze random ones, which may explain its low controls; here the origin of
        every frozen tensor is logged.

    Example:
        python train.py --loss peft_fullhead --loss.pretrained runs/pretrained

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
