"""Soft supervised contrast: trials attract each other the more, the closer their clips lie on the axis."""

from typing import Literal

import torch
from torch import Tensor, nn

from losses._geometry import mean_where, unit
from losses.base import AlignmentLoss, Batch, LossSpec, Output, axis_position

NEVER = -1e9  # far below any cosine over its temperature: its exponential is exactly 0


class SoftSupCon(AlignmentLoss):
    """Trials whose clips lie close together on the axis should have similar features.

    Formula:
        A = mean_i sum_j w_ij (-log softmax_j(cos_ij / T)) / sum_j w_ij, in nats; w_ij = max(0, 1 - |t_i - t_j| /
        d_max).
        j runs over the other trials of all ranks, i over trials with any weight.

    Source:
        Khosla et al. 2020, arXiv 2004.11362, L_out. Soft weights by distance: EMOD, arXiv 2511.05863.

    Published:
        arXiv 2606.00129, row 17: +0.0066 (p = 0.22) at weight 0.5 on clips.
        Row 16: -0.010 (p = 0.18) at 1 on classes; p = 0.30 in the revision of September 2026.
        On the full recipe -0.024 (p = 0.001) at 0.5; -0.026 (p = 0.004) in the revision.
        Balanced accuracy 0.623, 0.630, 0.617 and 0.609 at 0.1, 0.5, 1 and 2 on clips, against 0.624.

    Ours:
        EMOD's d_max is 5 of a plane 8 wide, here the same share 5/8 of the axis. It averages over trials without
        positives too (they count 0); here they are left out. The minimum is the entropy of the weights, not 0.

    Example:
        python train.py --loss soft_supcon --loss.level class --loss.weight 1

    Args:
        weight: factor of the loss; the paper ran 0.1 to 2.
        level: weights from the positions of clips or of classes.
        temperature: T of the cosines.
        d_max: distance on the axis in z at which attraction ends; by default 5/8 of the range of the clips.
        projection: contrast a two-layer projection of the features, 128 wide, or the features themselves.
    """

    v: Tensor
    v_class: Tensor
    couples_samples = True

    def __init__(
        self,
        *,
        weight: float = 0.5,
        level: Literal["stimulus", "class"] = "stimulus",
        temperature: float = 0.07,
        d_max: float | None = None,
        projection: Literal["mlp", "identity"] = "mlp",
    ) -> None:
        super().__init__(weight=weight)
        for name, value in {"temperature": temperature, "d_max": 1.0 if d_max is None else d_max}.items():
            if not value > 0:
                raise ValueError(f"{name} must be > 0, got {value}")
        self.level, self.temperature, self.d_max, self.projection = level, temperature, d_max, projection

    def build(self, spec: LossSpec) -> None:
        mlp = nn.Sequential(nn.Linear(spec.dim, spec.dim), nn.GELU(), nn.Linear(spec.dim, 128))
        self.head = mlp if self.projection == "mlp" else nn.Identity()
        self.constant("v", spec.targets.v)
        self.constant("v_class", spec.targets.v_class)
        self.reach = self.d_max or max(0.625 * float(spec.targets.v.max() - spec.targets.v.min()), 1e-6)

    def forward(self, output: Output, batch: Batch) -> Tensor:
        features = unit(self.head(output.h))
        position = axis_position(batch, v=self.v, v_class=self.v_class, level=self.level)
        itself = torch.eye(len(features), dtype=torch.bool, device=features.device)
        weights = (1 - (position[:, None] - position[None]).abs() / self.reach).clamp_min(0).masked_fill(itself, 0)
        total = weights.sum(dim=1)
        similarity = features @ features.T / self.temperature
        # A trial is no candidate for itself. Only the denominator is masked, and by a number: its own share stays
        # finite and has the weight 0. A share of -inf, or a trial without any other, would make 0 * inf, which is NaN.
        log_share = similarity - similarity.masked_fill(itself, NEVER).logsumexp(dim=1, keepdim=True)
        among = total > 0
        shares = (weights * log_share).sum(dim=1) / torch.where(among, total, 1.0)
        return self.where_defined(among.any(), -mean_where(shares, among))
