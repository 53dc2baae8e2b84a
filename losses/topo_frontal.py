"""Topography: the frontal electrodes of the approach-withdrawal account feed the regression head, as a control."""

from losses._topographic import _Topographic


class TopoFrontal(_Topographic):
    """Regression onto the axis from the frontal electrodes.

    Formula:
        A = crit(w' mean_{c in set, n} Z + b, t), in z^2 for mse; Z the encoder tokens.
        set = Fp1 Fp2 Fz F3 F4 F7 F8.

    Source:
        The frontal account of valence: Davidson 1992, doi 10.1016/0278-2626(92)90065-T.

    Published:
        arXiv 2606.00129, row 1: -0.052 (p = 0.0015) at weight 0.5. Row 2: -0.009 (p = 0.21) at 0.1.

    Ours:
        A control: that account names the region, while the cohort of the paper carries the axis elsewhere.
        As in ``topo_optimal``, only the gradient on the tokens is confined to the set, not the influence on the
        input.

    Example:
        python train.py --loss topo_frontal --loss.weight 0.5

    Args:
        weight: factor of the loss; the paper ran 0.1 and 0.5.
        level: regress on the position of the clip or of its class.
        criterion: mse, pearson (1 - r over the batch of all ranks) or huber.
    """

    channels = ("Fp1", "Fp2", "Fz", "F3", "F4", "F7", "F8")
