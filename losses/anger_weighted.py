"""Auxiliary regression in which trials of anger count most."""

from typing import Literal

import torch
from torch import Tensor

from losses._geometry import weighted_correlation
from losses.base import Batch, LossSpec, axis_position
from losses.vaxis_mse import VAxisMSE

PAPER_WEIGHTS = {"anger": 5.0, "amusement": 3.0, "tenderness": 3.0}


class AngerWeighted(VAxisMSE):
    """Regression onto the axis that counts trials of anger, amusement and tenderness more.

    Formula:
        A = sum_i omega_i (w'h_i + b - t_i)^2 / sum_i omega_i, in z^2; omega the weight of the trial's class.
        pearson: A = 1 - the correlation under these weights. The sums run over the batch of all ranks.

    Source:
        arXiv 2606.00129; a weighted form of its regression onto the axis.

    Published:
        arXiv 2606.00129, row 5: -0.054 (p = 0.0003) at 0.5, with 5 for anger, 3 for amusement and tenderness, 1
        otherwise.

    Ours:
        Its notes call the unweighted form a Pearson loss, its text an MSE; mse is the default, comparable with
        ``vaxis_mse``. Where those classes do not exist (SEED-V, not run there) the lowest class on the axis has 5
        and the two highest 3.

    Example:
        python train.py --loss anger_weighted --loss.class_weights '{fear: 4, joy: 2}'

    Args:
        weight: factor of the loss.
        class_weights: weight of each named class, 1 for the others; by default as above.
        level: regress on the position of the clip or of its class.
        criterion: mse or pearson.
    """

    class_weight: Tensor

    def __init__(
        self,
        *,
        weight: float = 0.5,
        class_weights: dict[str, float] | None = None,
        level: Literal["stimulus", "class"] = "stimulus",
        criterion: Literal["mse", "pearson"] = "mse",
    ) -> None:
        super().__init__(weight=weight, level=level, criterion=criterion)
        if not all(value > 0 for value in (class_weights or {}).values()):
            raise ValueError(f"class_weights must be > 0, got {class_weights}")
        self.class_weights, self.couples_samples = class_weights, True

    def build(self, spec: LossSpec) -> None:
        super().build(spec)
        weights = self.class_weights or default_weights(spec)
        if unknown := sorted(set(weights) - set(spec.data.classes)):
            raise ValueError(f"class_weights names {unknown}; the data has the classes {list(spec.data.classes)}")
        self.constant("class_weight", torch.tensor([float(weights.get(name, 1.0)) for name in spec.data.classes]))

    def regress(self, features: Tensor, batch: Batch) -> Tensor:
        predicted, weights = self.head(features).squeeze(1), self.class_weight[batch.y]
        target = axis_position(batch, v=self.v, v_class=self.v_class, level=self.level)
        if self.criterion == "pearson":
            return 1 - weighted_correlation(predicted, target, weights=weights)
        return (weights * (predicted - target).square()).sum() / weights.sum()


def default_weights(spec: LossSpec) -> dict[str, float]:
    """The paper's weights where its classes exist, else the same sizes for the poles of the axis."""
    if set(PAPER_WEIGHTS) <= set(spec.data.classes):
        return PAPER_WEIGHTS
    order = spec.targets.v_class.argsort().tolist()
    return {spec.data.classes[k]: value for k, value in ((order[0], 5.0), (order[-1], 3.0), (order[-2], 3.0))}
