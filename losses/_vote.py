"""Several trained decoders that teach with one voice: the mean of their probabilities."""

from pathlib import Path

import torch
from torch import Tensor, nn

from records.layout import RunDirectory


def runs_at(path: str | Path) -> list[Path]:
    """The run of a folder or checkpoint file, or every trained run directly below a folder, by name.

    Raises:
        FileNotFoundError: a folder that neither is a run nor holds one.
    """
    folder = Path(path)
    if not folder.is_dir() or RunDirectory(folder).best.is_file():
        return [folder]
    found = sorted(run for run in folder.iterdir() if RunDirectory(run).best.is_file())
    if not found:
        raise FileNotFoundError(
            f"--loss.teacher: no checkpoints/best.ckpt in {folder} or in the folders below it; give a run folder or a "
            ".ckpt file, or a folder of runs"
        )
    return found


class Vote(nn.Module):
    """Logarithm of the mean probability of some decoders, in the place of the logits of one.

    They stay out of checkpoints, which would grow tenfold: where the run goes on or is opened again, the folder of its
    teachers has to be there.

    Args:
        voters: decoders, as they vote.
    """

    def __init__(self, voters: list[nn.Sequential]) -> None:
        super().__init__()
        self.voters = (voters,)  # in a tuple: no submodules

    def forward(self, x: Tensor) -> Tensor:
        shares = [voter.to(x.device)(x).log_softmax(dim=1) for voter in self.voters[0]]
        return torch.stack(shares).logsumexp(dim=0)  # the softmax that follows does not see the number of voters
