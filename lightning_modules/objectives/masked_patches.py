"""Masked patches: stretches of the signal are hidden, and the encoder's tokens say what was there."""

import torch
from torch import Tensor, nn

from eeg.batch import Batch, DataSpec
from eeg.tokens import TokenGrid
from lightning_modules.objectives.base import Objective


class MaskedPatches(Objective):
    """Each token reconstructs the patch of the signal that it stands for; only hidden patches count.

    Formula:
        L = mean over hidden patches of (W token - x / s)^2, s = root mean square of the trial; 1 is what zeros get.

    Source:
        CBraMod (Wang et al. 2025, arXiv 2412.07236): half of the patches of a second set to zero, one linear layer.

    Ours:
        The published loss has no s. With it the number means the same in any unit, and people with large amplitudes
        do not outweigh the others. Labels are never looked at.

    Args:
        ratio: share of the patches that is hidden.
        seconds: of raw signals, length of a hidden stretch, in whole tokens. CBraMod's tokens are a second; EMOD's are
            0.2 s, and so short a hole could be filled in by drawing a line. Band features are hidden one by one.
    """

    def __init__(self, *, ratio: float = 0.5, seconds: float = 1.0) -> None:
        super().__init__()
        if not 0 < ratio < 1:
            raise ValueError(f"--objective.ratio must lie above 0 and below 1, got {ratio}")
        if not seconds > 0:
            raise ValueError(f"--objective.seconds must be above 0, got {seconds}")
        self.ratio, self.seconds = ratio, seconds

    def build(self, *, spec: DataSpec, grid: TokenGrid, dim: int) -> None:
        channels, samples = spec.shape
        if grid.electrodes is None or grid.rows != channels:
            raise ValueError(
                f"--objective masked_patches hides patches of single electrodes, but --network {grid.network} mixes "
                "the electrodes before its tokens; take --network cbramod, emod or axial_de, or --objective "
                "valence_arousal"
            )
        if samples % grid.columns:
            raise ValueError(
                f"--objective masked_patches needs tokens of equal length; {samples} samples do not divide into the "
                f"{grid.columns} tokens of --network {grid.network}; change --data.sampling_rate or "
                "--data.window_seconds"
            )
        self.columns = grid.columns
        tokens_a_second = grid.columns / spec.window_seconds
        self.span = max(1, round(self.seconds * tokens_a_second)) if spec.features == "raw" else 1
        self.head = nn.Linear(dim, samples // grid.columns)

    def forward(self, network: nn.Module, batch: Batch) -> Tensor:
        patches = batch.x.unflatten(-1, (self.columns, -1))  # (B, C, N, samples)
        stretches = -(-self.columns // self.span)
        hidden = torch.rand(*patches.shape[:2], stretches, device=patches.device) < self.ratio
        hidden = hidden.repeat_interleave(self.span, dim=-1)[..., : self.columns]
        tokens = network(patches.masked_fill(hidden[..., None], 0).flatten(2))
        size = batch.x.square().mean(dim=(1, 2)).sqrt().clamp_min(1e-6)[:, None, None, None]
        error = (self.head(tokens).float() - patches / size).square().mean(dim=-1)
        return (error * hidden).sum() / hidden.sum().clamp_min(1)
