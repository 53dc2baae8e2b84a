"""Reading pickled arrays without running what else a pickle may hold."""

import io
import pickle
from pathlib import Path
from typing import IO

import numpy as np
from numpy._core import multiarray, numeric


def _latin1(text: str, encoding: str) -> bytes:
    """Stands for ``_codecs.encode``, by which protocols 0 to 2 write bytes; any other codec is not needed."""
    if encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError(f"refused codec {encoding!r}")
    return text.encode("latin1")


# Everything that the pickle of a numpy array of any protocol names; numpy 1 and numpy 2 spell the module differently.
_ALLOWED = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): _latin1,
    **{
        (f"numpy.{core}.{module.__name__.rsplit('.', 1)[-1]}", name): getattr(module, name)
        for core in ("core", "_core")
        for module, name in ((multiarray, "_reconstruct"), (multiarray, "scalar"), (numeric, "_frombuffer"))
    },
}


class _Refused(Exception):
    pass


class _ArrayUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> object:
        if (module, name) not in _ALLOWED:
            raise _Refused(f"{module}.{name}")
        return _ALLOWED[module, name]


def loads(data: bytes, *, source: str | Path) -> object:
    """Unpickle numpy arrays, alone or in dicts, lists and tuples of plain values.

    Args:
        data: the pickle, protocol 0 to 5.
        source: file it comes from, for the error message.

    Raises:
        ValueError: the pickle asks for anything else (which then has not run), or is truncated or damaged.
    """
    return _load(io.BytesIO(data), source=source)


def load(path: str | Path) -> object:
    """Unpickle a file of numpy arrays, read straight into their memory; see ``loads``."""
    with open(path, "rb") as file:
        return _load(file, source=path)


def _load(file: IO[bytes], *, source: str | Path) -> object:
    try:
        return _ArrayUnpickler(file).load()
    except _Refused as refused:
        raise ValueError(
            f"{source}: the pickle asks for {refused}, which a file of arrays does not need; it was not run. "
            "Get the file again from the data set's own site"
        ) from None
    except Exception as error:  # a damaged pickle can fail in any way at all
        raise ValueError(
            f"{source}: not a complete pickle of arrays ({type(error).__name__}: {error}); copy or download it again"
        ) from error
