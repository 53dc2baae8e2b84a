"""IA3: factors on keys, values and hidden activations of a frozen, pretrained encoder."""

from torch import nn
from torch.nn.utils import parametrize

from losses._adapters import Gain, sites
from losses._peft import _PEFT, ADAPTER


class PEFTIA3(_PEFT):
    """Factors on parts of a frozen, pretrained encoder, with regression onto the axis.

    Formula:
        K = l_k * K, V = l_v * V and W2 (l_f * hidden), all factors 1 at the start.
        L = task + weight * A, A in z^2 as in ``vaxis_mse``.

    Source:
        Liu et al. 2022, arXiv 2205.05638.

    Published:
        arXiv 2606.00129, row 20: -0.016 (p = 0.05) at 0.1, 0.465 to 0.448; -0.008 (p = 0.14) in the revision of
        September 2026.

    Ours:
        Written as gains on rows of the key and value weights (biases too) and on columns of W2, so a fused layer
        keeps its queries. A network that mixes by maps has gains on what they put out.
        Weight 0 is the control arm: the same procedure without the axis.

    Example:
        python train.py --loss peft_ia3

    Args:
        weight: factor of the loss.
        pretrained: checkpoint or folder of a run whose encoder to start from, or ``network`` for --network.weights; by
            default a first phase trains the encoder on the labels of another cohort (--source).
        pretrain_epochs: length of that phase; by default that of the run.
    """

    parts = ADAPTER

    def insert(self, network: nn.Module) -> None:
        for site in sites(network, roles=("mixing", "ffn_out")):
            if site.role == "mixing" and site.rows is None:
                continue
            gain = Gain(getattr(site.module, site.name), rows=site.rows)
            parametrize.register_parametrization(site.module, site.name, gain)
            if site.rows is not None and site.name == "weight" and site.module.bias is not None:
                # One gain for both: a key or value is W x + b, and the factor is on all of it.
                parametrize.register_parametrization(site.module, "bias", gain)
