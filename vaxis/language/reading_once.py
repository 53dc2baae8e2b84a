"""Texts that several parts of an extraction ask for are read once: the pools of the nulls are most of its time."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from vaxis.language.hidden_states import HiddenStates


class ReadingOnce:
    """A model that remembers the states of every text in every read-out and layer.

    Args:
        states: the model.
    """

    def __init__(self, states: "HiddenStates") -> None:
        self.states = states
        self._known: dict[tuple[str, int, str], np.ndarray] = {}

    def __call__(
        self, texts: Sequence[str], *, readout: str | None = None, layer: int | None = None, progress: bool = False
    ) -> np.ndarray:
        """(n, width) float32; arguments are those of ``HiddenStates``."""
        how = (readout or self.states.readout, self.states.layer if layer is None else layer)
        new = [text for text in dict.fromkeys(texts) if (*how, text) not in self._known]
        if new:
            found = self.states(new, readout=how[0], layer=how[1], progress=progress)
            self._known |= {(*how, text): state for text, state in zip(new, found)}
        return np.stack([self._known[*how, text] for text in texts])
