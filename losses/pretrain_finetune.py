"""Staged: the encoder first learns the axis alone, then the labels."""

from typing import Literal

from losses.base import Phase
from losses.vaxis_mse import VAxisMSE


class PretrainFinetune(VAxisMSE):
    """The encoder first learns the axis without labels, then the labels without the axis.

    Formula:
        First phase L = weight * A, A in z^2 as in ``vaxis_mse``; second phase L = task, with a fresh optimiser.

    Source:
        arXiv 2606.00129; pretraining on an auxiliary target, then fine-tuning.

    Published:
        arXiv 2606.00129, row 21: -0.401 (p < 1e-4) with the encoder frozen.
        Row 22: -0.190 (p < 1e-4; 0.005 over three seeds in its figure) without; its plain decoder has 0.61 here.

    Ours:
        The paper had 50 epochs and 50. Here the second phase has all the epochs of the run and the first comes on
        top, so weight 0 (no first phase) is the plain decoder. The weight hardly matters: Adam is nearly blind to
        the scale of a loss. A collapse of features to few directions shows in ``val/effective_rank``.

    Example:
        python train.py --loss pretrain_finetune --loss.freeze true

    Args:
        weight: factor of the loss in the first phase.
        freeze: the encoder stays as the first phase leaves it.
        level: regress on the position of the clip or of its class.
        pretrain_epochs: length of the first phase; by default that of the run.
    """

    def __init__(
        self,
        *,
        weight: float = 1.0,
        freeze: bool = False,
        level: Literal["stimulus", "class"] = "stimulus",
        pretrain_epochs: int | None = None,
    ) -> None:
        super().__init__(weight=weight, level=level)
        self.freeze, self.pretrain_epochs = freeze, pretrain_epochs

    def phases(self, epochs: int) -> tuple[Phase, ...]:
        kept = ("network.", "loss.") if self.freeze else ("loss.",)
        return (
            Phase(
                name="axis",
                epochs=epochs if self.pretrain_epochs is None else self.pretrain_epochs,
                task=False,
                trains=lambda name: not name.startswith("classifier."),
            ),
            Phase(name="labels", epochs=epochs, alignment=False, trains=lambda name: not name.startswith(kept)),
        )

    def origin(self, parameter: str) -> str | None:
        return "the axis phase"
