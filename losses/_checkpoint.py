"""Reading weights of a finished run into parts of another decoder."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

import torch
from torch import Tensor, nn

from records.layout import RunDirectory
from records.reading import check_archive, refusing

_FOLLOW: ContextVar[bool] = ContextVar("weights follow", default=False)


@contextmanager
def weights_follow() -> Iterator[None]:
    """Within it nothing is read: the decoder gets all its weights from a checkpoint of its own afterwards."""
    token = _FOLLOW.set(True)
    try:
        yield
    finally:
        _FOLLOW.reset(token)


def load_part(part: nn.Module, path: str | Path, *, prefix: str, flag: str) -> None:
    """Copy the weights under ``prefix`` of a checkpoint into a module of the same shape.

    Args:
        part: network or classifier.
        path: checkpoint of a run, or the run's folder (its best checkpoint).
        prefix: ``network.`` or ``classifier.``.
        flag: what the user set, for the error.

    Raises:
        FileNotFoundError: no such file.
        ValueError: no checkpoint of a run, or of another architecture; names the first tensor that differs.
    """
    if _FOLLOW.get():
        return
    file = RunDirectory(Path(path)).best if Path(path).is_dir() else Path(path)
    if not file.exists():
        raise FileNotFoundError(f"{flag}: no checkpoint at {file}; give a run folder or a .ckpt file")
    with refusing(file, what="the checkpoint of a run", remedy="give a run folder or a .ckpt file", flag=flag):
        check_archive(file)  # torch writes checksums and does not look at them
        state: dict[str, Tensor] = torch.load(file, map_location="cpu", weights_only=True)["state_dict"]
        if diverged := [name for name, value in state.items() if not value.isfinite().all()]:
            raise ValueError(f"{diverged[0]} is not finite: its training has diverged")
    state = {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
    own = part.state_dict()
    wrong = [n for n in own.keys() | state.keys() if n not in own or n not in state or own[n].shape != state[n].shape]
    if wrong:
        raise ValueError(
            f"{flag}: {file} holds another {prefix[:-1]} than this run has ({min(wrong)} differs); train it with the "
            "same --network, --model.head and --data"
        )
    part.load_state_dict(state)
