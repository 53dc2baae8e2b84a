"""Weights that others have trained: a file to a state dict, their names to ours, a load that leaves nothing open."""

import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from records.reading import check_archive, refusing

FLAG = "--network.weights"
NESTED = ("state_dict", "model_state_dict", "model", "module")  # where training scripts put it in what they save
# Names that data parallelism and torch.compile put in front, and our own checkpoints before the encoder.
WRAPPERS = r"^(?:module\.|_orig_mod\.|network\.)+"
PRETRAINING = "pretraining"  # where a file of train.py pretrain says how it came about


def read_weights(path: str | Path, *, renamed: Mapping[str, str], dropped: tuple[str, ...] = ()) -> dict[str, Tensor]:
    """The tensors of a file under the names that our network has for them.

    Args:
        path: a ``.safetensors`` file, or one of ``torch.save`` that holds tensors alone: a pickle may run code, so one
            that holds anything else is not opened.
        renamed: regular expression -> replacement, applied to each name in this order.
        dropped: beginnings of their names to leave out: heads of another task, optimiser states.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not a state dict, or two of its names become one.
    """
    state: dict[str, Tensor] = {}
    for theirs, value in _tensors(Path(path)).items():
        bare = re.sub(WRAPPERS, "", theirs)
        if bare.startswith(dropped):
            continue
        ours = rename(bare, renamed)
        if ours in state:
            raise ValueError(f"{FLAG}: {path} has two tensors for '{ours}' (the other is '{theirs}'); keep one of them")
        state[ours] = value
    return state


def rename(name: str, renamed: Mapping[str, str]) -> str:
    """Our name of one of their tensors."""
    for theirs, ours in renamed.items():
        name = re.sub(theirs, ours, name)
    return name


def load_strictly(
    network: nn.Module, state: Mapping[str, Tensor], *, path: str | Path, fix: str, may_lack: tuple[str, ...] = ()
) -> tuple[str, ...]:
    """Copy a state dict into a network that has the same tensors in the same shapes, all of them.

    A load that is not strict trains a half-random network without a word; what a file may lack must be said.

    Args:
        network: built, with its random start.
        state: see ``read_weights``.
        path: of the file, for the error.
        fix: what the user can change, the end of the error.
        may_lack: beginnings of our names that keep their random start where the file has none.

    Returns:
        names of the tensors that were set, in the order of the network.

    Raises:
        ValueError: names the first tensor that is missing, unexpected or of another shape.
    """
    own = network.state_dict()
    missing = [name for name in own if name not in state and not (may_lack and name.startswith(may_lack))]
    unexpected = [name for name in state if name not in own]
    misshapen = [name for name in own if name in state and own[name].shape != state[name].shape]
    # Shapes first: another width makes every tensor differ, another depth only adds and takes away.
    if misshapen:
        name = misshapen[0]
        wrong = f"'{name}' is {tuple(state[name].shape)} there and {tuple(own[name].shape)} in the network"
    elif missing:
        wrong = f"'{missing[0]}' is missing"
    elif unexpected:
        wrong = f"'{unexpected[0]}' is not a tensor of the network"
    else:
        network.load_state_dict({**own, **state})
        return tuple(name for name in own if name in state)
    raise ValueError(f"{FLAG}: {path} does not fit {type(network).__name__}: {wrong}; {fix}")


def load_own(network: nn.Module, path: str | Path) -> tuple[str, ...]:
    """Copy what ``train.py pretrain`` wrote for a network of this kind; returns the names of its tensors.

    Raises:
        FileNotFoundError: no such file.
        ValueError: it is of another network, or of data of another shape.
    """
    fix = "pretrain it with the --network and --data of this run: python train.py pretrain"
    return load_strictly(network, read_weights(path, renamed={}), path=path, fix=fix)


def pretraining_of(path: str | Path) -> dict[str, Any]:
    """What a file of ``train.py pretrain`` says of itself; empty for weights that came from elsewhere."""
    content = _content(Path(path))
    about = content.get(PRETRAINING) if isinstance(content, dict) else None
    return about if isinstance(about, dict) else {}


def _content(path: Path) -> object:
    """What is in a file, of plain values and tensors."""
    if not path.exists():
        raise FileNotFoundError(f"{FLAG}: no file at {path}; give the path of a checkpoint")
    with refusing(path, what="a state dict of tensors", remedy="save model.state_dict() and give that", flag=FLAG):
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        if zipfile.is_zipfile(path):  # what older torch wrote is a bare pickle, without checksums
            check_archive(path)
        return torch.load(path, map_location="cpu", weights_only=True)


def _tensors(path: Path) -> dict[str, Tensor]:
    """The state dict of a file, taken out of what it is nested in."""
    content = _content(path)
    for key in NESTED:
        if isinstance(content, dict) and isinstance(inner := content.get(key), dict):
            content = inner
    if not isinstance(content, dict) or not content or not all(isinstance(value, Tensor) for value in content.values()):
        raise ValueError(f"{FLAG}: {path} holds no state dict of tensors; save model.state_dict() and give that")
    return content
