"""Reading many texts once: states kept by model, read-out and texts, and read-outs made of several prompts."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np

from eeg.files import atomic, cache_dir

if TYPE_CHECKING:
    from vaxis.hidden_states import HiddenStates

# Mean of the states, each at unit RMS, after three landing phrases instead of one. Chosen among the 162 subsets of at
# most four of eight phrases by 500 selection tweets alone: the best median AUC of the sets of nine that pass the gate
# (within .005), then the largest margin over nine random texts. See `validate --corpora selection`.
ENSEMBLES = {
    "ensemble": tuple(
        f'prompt:He said: "{{text}} {phrase}' for phrase in ("The mood is", "In one word, this is", "Overall, this is")
    )
}
CHUNK = 250  # texts between two writes: what a kill can cost


class Reader:
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
            readout: a name in ``ENSEMBLES``, or what ``HiddenStates`` knows.
        """
        if readout in ENSEMBLES:
            return np.mean([_unit_rms(self(texts, single)) for single in ENSEMBLES[readout]], axis=0)
        chunks = [list(texts[start : start + CHUNK]) for start in range(0, len(texts), CHUNK)]
        return np.concatenate([self._chunk(chunk, readout) for chunk in chunks]).astype(np.float64)

    def _chunk(self, texts: list[str], readout: str) -> np.ndarray:
        from vaxis.readouts import readout_of

        key = json.dumps([asdict(readout_of(readout)), texts], sort_keys=True)
        path = self._folder / f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.npy"
        if not path.is_file():
            found = self.states(texts, readout=readout, progress=self._progress)
            with atomic(path) as partial, open(partial, "wb") as file:
                np.save(file, found)
        return np.load(path)


def _unit_rms(states: np.ndarray) -> np.ndarray:
    return states / np.sqrt(np.mean(states**2, axis=1, keepdims=True))


def carrier(readout: str) -> str:
    """How this read-out is best given a single word."""
    from vaxis.readouts import readout_of

    return readout_of(ENSEMBLES.get(readout, (readout,))[0]).bare_word
