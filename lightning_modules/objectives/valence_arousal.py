"""Valence-arousal contrast: trials of emotions that lie close in valence and arousal are drawn together."""

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from eeg.batch import Batch, DataSpec
from eeg.tokens import TokenGrid
from lightning_modules.objectives.base import Objective
from records.reading import read_yaml

PLANE = Path(__file__).with_name("circumplex.yaml")


class ValenceArousal(Objective):
    """Soft supervised contrast: the closer two emotions lie in valence and arousal, the more their trials attract.

    Formula:
        L = -mean_i sum_j w_ij log softmax_j(cos_ij / T) / sum_j w_ij over j other than i, w_ij = max(0, 1 - d_ij /
        reach).

    Source:
        EMOD's pretraining (Chen et al., AAAI 2026, arXiv 2511.05863), where reach is 5 on a plane 8 wide.

    Ours:
        The batches are those of the data, not one cell of the plane in turn and eight corpora at once, and the feature
        is the mean token where EMOD pools by attention. It looks at the labels of the training trials, so it is no
        pretraining without labels. Its minimum is the entropy of the weights, not 0, and equal features have ln(B - 1).
        In its authors' code reach is the root of 182: on FACED's clips that leaves 0.007 nats between the two at 128
        trials, next to nothing to learn from, where 5 leaves 0.15.

    Args:
        temperature: T.
        reach: distance on the plane at which attraction ends.
        hidden: width of the hidden layer of the projection.
        width: of what is compared.
        plane: YAML file with ``emotion: [valence, arousal]`` for each class; by default that of EMOD for its emotions
            and ours for two more of FACED.
    """

    plane: Tensor

    def __init__(
        self,
        *,
        temperature: float = 0.07,
        reach: float = 5.0,
        hidden: int = 512,
        width: int = 128,
        plane: str | None = None,
    ) -> None:
        super().__init__()
        for name, value in {"temperature": temperature, "reach": reach, "hidden": hidden, "width": width}.items():
            if not value > 0:
                raise ValueError(f"--objective.{name} must be above 0, got {value}")
        self.temperature, self.reach, self.hidden, self.width = temperature, reach, hidden, width
        self.file = Path(plane).expanduser() if plane else PLANE

    def build(self, *, spec: DataSpec, grid: TokenGrid, dim: int) -> None:
        known = read_yaml(self.file, remedy="name another file with --objective.plane")
        for name in spec.classes:
            place = known.get(name) if isinstance(known, dict) else None
            if not (isinstance(place, list) and len(place) == 2 and all(isinstance(v, int | float) for v in place)):
                raise ValueError(
                    f"{self.file} has no place for the class '{name}'; give a file with lines such as '{name}: [5, 4]' "
                    "(valence, arousal) as --objective.plane"
                )
        self.register_buffer("plane", torch.tensor([known[name] for name in spec.classes], dtype=torch.float32))
        self.head = nn.Sequential(
            nn.Linear(dim, self.hidden, bias=False),
            nn.BatchNorm1d(self.hidden),
            nn.GELU(),
            nn.Linear(self.hidden, self.width),
        )

    def forward(self, network: nn.Module, batch: Batch) -> Tensor:
        projected = F.normalize(self.head(network(batch.x).mean(dim=(1, 2))).float(), dim=1)
        places = self.plane[batch.y]
        weights = (1 - torch.cdist(places, places) / self.reach).clamp_min(0)
        weights = weights.fill_diagonal_(0)
        similarity = projected @ projected.T / self.temperature
        # A trial is no candidate for itself: left out of the denominator, and of weight 0 above.
        itself = torch.eye(len(places), dtype=torch.bool, device=places.device)
        log_share = similarity - similarity.masked_fill(itself, -torch.inf).logsumexp(dim=1, keepdim=True)
        return -((weights * log_share).sum(dim=1) / weights.sum(dim=1).clamp_min(1e-12)).mean()
