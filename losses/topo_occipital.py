"""Topography: posterior electrodes, which the paper calls occipital, feed the regression head."""

from losses._topographic import _Topographic


class TopoOccipital(_Topographic):
    """Regression onto the axis from the occipital and parietal electrodes.

    Formula:
        A = crit(w' mean_{c in set, n} Z + b, t), in z^2 for mse; Z the encoder tokens.
        set = O1 Oz O2 P7 P3 Pz P4 P8.

    Source:
        arXiv 2606.00129, which finds the axis over the back of the head in its cohort.

    Published:
        arXiv 2606.00129, row 6: -0.022 (p = 0.007) at weight 0.1.

    Ours:
        Five of the eight electrodes are parietal, the name is the paper's.
        As in ``topo_optimal``, only the gradient on the tokens is confined to the set, not the influence on the
        input.

    Example:
        python train.py --loss topo_occipital

    Args:
        weight: factor of the loss; the paper ran 0.1.
        level: regress on the position of the clip or of its class.
        criterion: mse, pearson (1 - r over the batch of all ranks) or huber.
    """

    channels = ("O1", "Oz", "O2", "P7", "P3", "Pz", "P4", "P8")
