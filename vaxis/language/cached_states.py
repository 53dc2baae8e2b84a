"""Reading many texts once: states kept in files by model, layer, special tokens, read-out and texts."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np

from records.files import atomic, cache_dir
from records.reading import refusing
from vaxis.language.readouts import readout_of

if TYPE_CHECKING:
    from vaxis.language.hidden_states import HiddenStates

CHUNK = 250  # texts between two writes: what a kill can cost


class CachedStates:
    """States of texts, from the cache where they have been read before.

    Args:
        states: the model; its fingerprint, layer and read-outs name the cached files.
        progress: show a bar while reading.
    """

    def __init__(self, states: "HiddenStates", *, progress: bool = False):
        self.states, self._progress = states, progress
        self._folder = cache_dir() / "states" / f"{states.fingerprint}-{states.layer}"

    def __call__(self, texts: Sequence[str], readout: str) -> np.ndarray:
        """(n, L) float64 states.

        Args:
            texts: n texts.
            readout: see ``vaxis.language.readouts``.
        """
        chunks = [list(texts[start : start + CHUNK]) for start in range(0, len(texts), CHUNK)]
        return np.concatenate([self._chunk(chunk, readout) for chunk in chunks]).astype(np.float64)

    def _chunk(self, texts: list[str], readout: str) -> np.ndarray:
        key = json.dumps([asdict(readout_of(readout)), self.states.special_tokens, texts], sort_keys=True)
        path = self._folder / f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.npy"
        if not path.is_file():
            found = self.states(texts, readout=readout, progress=self._progress)
            with atomic(path) as partial, open(partial, "wb") as file:
                np.save(file, found)
        with refusing(path, what="states of texts", remedy="delete it, it is made again"):
            return np.load(path, allow_pickle=False)
