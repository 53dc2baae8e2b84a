"""Topography: only the electrodes that carry the axis in the cohort feed the regression head."""

from typing import Literal

from losses._topographic import _Topographic

# Selected by the paper on all 123 subjects, test subjects included; name your own electrodes to avoid that leak.
CHANNEL_SETS = {
    "paper": ("PO3", "F7", "O1", "P3", "P4", "C4", "C3", "Pz"),
    "seedv": ("PO3", "PO4", "POz", "Oz", "O1", "O2", "P3", "P4"),
}


class TopoOptimal(_Topographic):
    """Regression onto the axis from the electrodes that carry it in the cohort.

    Formula:
        A = crit(w' mean_{c in set, n} Z + b, t), in z^2 for mse; Z the encoder tokens.
        paper: set = PO3 F7 O1 P3 P4 C4 C3 Pz; seedv: set = PO3 PO4 POz Oz O1 O2 P3 P4.

    Source:
        arXiv 2606.00129: the electrodes whose band power follows the axis best in its cohort.

    Published:
        arXiv 2606.00129, row 7: -0.013 (p = 0.039) at weight 0.1. Row 8: +0.0021 (p = 0.50) at 0.05.
        On the full recipe -0.015 (p = 0.020) at 0.1; -0.029 (p = 0.004) in the revision of September 2026.

    Ours:
        The paper chose its electrodes on all 123 subjects, test subjects included; name your own to avoid that
        leak.
        The gradient with respect to tokens of other electrodes is exactly 0, but attention has mixed electrodes
        before: the influence on the input is not confined.

    Example:
        python train.py --loss topo_optimal --loss.channels '[PO3, O1, Oz]'

    Args:
        weight: factor of the loss; the paper ran 0.05 and 0.1.
        channels: a named set (paper, seedv) or electrode names of your own.
        level: regress on the position of the clip or of its class.
        criterion: mse, pearson (1 - r over the batch of all ranks) or huber.
    """

    def __init__(
        self,
        *,
        weight: float = 0.05,
        channels: Literal["paper", "seedv"] | list[str] = "paper",
        level: Literal["stimulus", "class"] = "stimulus",
        criterion: Literal["mse", "pearson", "huber"] = "mse",
    ) -> None:
        super().__init__(weight=weight, level=level, criterion=criterion)
        self.channels = CHANNEL_SETS[channels] if isinstance(channels, str) else tuple(channels)
