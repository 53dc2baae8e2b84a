"""The upper blocks of a language model run again on changed states: what a change at one layer does to the read-out."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from vaxis.language.batches import Padded
from vaxis.language.hidden_states import HiddenStates
from vaxis.language.readouts import readout_of

Change = Callable[[Tensor], Tensor]


class _Call(NamedTuple):
    """One batch as it reached the layer.

    Attributes:
        batch: its tokens.
        states: (n, T, L) what enters the first of the upper blocks.
        arguments: of each upper block beside the states: positions, masks.
    """

    batch: Padded
    states: Tensor
    arguments: list[tuple[tuple, dict[str, Any]]]


class UpperBlocks:
    """Texts read once up to a layer, and from there as often as there are changes.

    The blocks below the layer do not see a change above them, so hundreds of directions cost the upper blocks alone: of
    the bundled model's 29, nine for a change at layer 20.

    Args:
        states: the model, opened at the layer that is read.
        texts: n non-empty texts.
        readout: with one landing phrase.
        layer: the states that this many blocks put out are changed, at every token.

    Raises:
        ValueError: the layer is not below the one that is read, or the read-out has several phrases.
    """

    def __init__(self, states: HiddenStates, texts: Sequence[str], *, readout: str, layer: int):
        self._states, self._how, self._count = states, readout_of(readout), len(texts)
        if not 1 <= layer < states.layer:
            raise ValueError(f"layer {layer} must be at least 1 and below the layer that is read, {states.layer}")
        if states.layer == states.total:
            raise ValueError("the final layer is read after the model's norm; give --layer penultimate or a number")
        if len(self._how.suffixes) > 1:
            raise ValueError(f"read-out {readout} has several landing phrases; give one that has one, such as framed")
        self._blocks = list(states.blocks[layer:])
        self._calls = [self._record(batch) for batch in states.padded(texts, self._how)]

    @torch.inference_mode()
    def __call__(self, change: Change | None = None) -> np.ndarray:
        """States (n, L) float64 of the read-out after a change of the layer's states (batch, tokens, L)."""
        found = np.empty((self._count, self._states.width))
        for call in self._calls:
            states = call.states if change is None else change(call.states)
            for block, (args, named) in zip(self._blocks, call.arguments, strict=True):
                output = block(states, *args, **named)
                states = output[0] if isinstance(output, tuple) else output
            found[call.batch.rows] = self._states.pooled(states, call.batch.lengths, self._how).float().cpu().numpy()
        return found

    @torch.inference_mode()
    def _record(self, batch: Padded) -> _Call:
        seen: list[Tensor] = []
        arguments: list[tuple[tuple, dict[str, Any]]] = []

        def note(_module: nn.Module, inputs: tuple, named: dict[str, Any]) -> None:
            seen.append(inputs[0] if inputs else named["hidden_states"])
            arguments.append((inputs[1:], {name: value for name, value in named.items() if name != "hidden_states"}))

        hooks = [block.register_forward_pre_hook(note, with_kwargs=True) for block in self._blocks]
        try:
            self._states.forward(batch)
        finally:
            for hook in hooks:
                hook.remove()
        return _Call(batch, seen[0], arguments)


def without(direction: np.ndarray) -> Change:
    """The change that projects a unit direction (L,) out of every token."""
    unit = torch.tensor(direction, dtype=torch.float32)

    def change(states: Tensor) -> Tensor:
        own = unit.to(device=states.device, dtype=states.dtype)
        return states - (states @ own)[..., None] * own

    return change
