"""Hidden states of a language model, causal or encoder, at one layer: fast, and equal to reading one by one."""

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from vaxis.language.batches import Padded
from vaxis.language.model import MemoryPlan, Precision, load_body
from vaxis.language.packing import pack
from vaxis.language.readouts import Readout, readout_of

TOKEN_BUDGET = 1024  # padded tokens per forward pass; fastest of the sizes tried on two CPU cores
MAX_TOKENS = 512  # of the text itself; the suffix comes after and is never cut


class HiddenStates:
    """Reads texts with the first blocks of a language model: no head, no block above the layer.

    The result equals ``hidden_states[layer]`` of the whole model as transformers gives it: below the final layer what a
    block puts out, at the final layer that after the model's final norm, where it has one (RMSNorm in the Llama family
    and so in the bundled model). The published version of arXiv 2606.00129 reads the penultimate layer, its revision
    the final one; see ``vaxis.language.modes``.
    Special tokens are those of the tokenizer, but a causal model gets none after the text. They matter: Gemma 3 270M
    without its first token separates the emotions by .05, with it by .86.

    Args:
        model: ``bundled``, folder with safetensors and tokenizer, ``.gguf`` file, or Hugging Face id.
        layer: ``penultimate``, ``final`` or the number of blocks to run.
        readout: default read-out; see ``vaxis.language.readouts``.
        dtype: precision of the weights; by default bfloat16 where the device is faster at it, else float32; ``exact``
            is float32 wherever it fits.
        device: torch device; by default the first that the model fits on.
        compile: compile the blocks first; pays after some tens of thousands of texts.
        on_plan: told how much memory the model takes before it is loaded.
    """

    def __init__(
        self,
        model: str | Path,
        *,
        layer: str | int = "penultimate",
        readout: str = "framed",
        dtype: Precision = None,
        device: str | None = None,
        compile: bool = False,
        on_plan: Callable[[MemoryPlan], None] | None = None,
    ):
        self.readout = readout_of(readout).name
        opened = load_body(model, dtype=dtype, device=device, on_plan=on_plan)
        self._network, self._tokenizer, self.blocks, self.plan = opened
        self.dtype, self.device = self.plan.dtype, torch.device(self.plan.device)
        config = self._network.config.get_text_config()
        self.width, self.total = config.hidden_size, len(self.blocks)
        self._name, self.layer = str(model), self.total
        self.layer = self.number_of(layer)
        self.causal = self._is_causal()
        before, after = self._special_tokens()
        self.special_tokens = (before, [] if self.causal else after)
        self._room = getattr(config, "max_position_embeddings", None) or math.inf
        self.drop_blocks_above(self.layer)
        if compile:
            for block in self.blocks:  # one by one: they share the compiled code
                block.forward = torch.compile(block.forward, dynamic=True)

    def __call__(
        self, texts: Sequence[str], *, readout: str | None = None, layer: int | None = None, progress: bool = False
    ) -> np.ndarray:
        """States of the texts at the layer, (n, width) float32, in the order given.

        Args:
            texts: n non-empty texts.
            readout: overrides the default read-out.
            layer: a lower layer than the one the model was opened at.
            progress: show a bar.
        """
        return self._read(texts, readout, [self.layer if layer is None else layer], progress)[0]

    def profile(self, texts: Sequence[str], *, readout: str | None = None, progress: bool = False) -> np.ndarray:
        """States at every layer, (layer + 1, n, width) float32: the embeddings, then each block up to the layer."""
        return self._read(texts, readout, list(range(self.layer + 1)), progress)

    def number_of(self, layer: str | int) -> int:
        """How many blocks a layer given by name or by number is.

        Raises:
            ValueError: no such name, or more blocks than there are.
        """
        named = {"penultimate": self.total - 1, "final": self.total}
        number = named.get(str(layer), int(layer) if str(layer).isdecimal() else 0)
        if not 1 <= number <= self.layer:
            raise ValueError(
                f"--layer {layer}: '{self._name}' has {self.total} blocks; give penultimate, final or 1 to {self.layer}"
            )
        return number

    def drop_blocks_above(self, layer: int) -> None:
        """Keep only the blocks that this layer needs."""
        self.layer = layer
        del self.blocks[layer:]

    def forward(self, batch: Padded) -> None:
        """Run the network for its hooks."""
        self._network(input_ids=batch.ids, **batch.mask)

    @property
    def fingerprint(self) -> str:
        """Twelve hex digits of the weights that are run, in the precision they are run in."""
        digest = hashlib.sha256()
        for name, tensor in sorted(self._network.state_dict().items()):
            if "pooler" in name:  # never read, and drawn at random at each load where the files lack it
                continue
            digest.update(name.encode())
            digest.update(tensor.cpu().contiguous().flatten().view(torch.uint8).numpy())
        return digest.hexdigest()[:12]

    def _read(self, texts: Sequence[str], readout: str | None, layers: list[int], progress: bool) -> np.ndarray:
        how = readout_of(readout or self.readout)
        if len(how.suffixes) > 1 and not self._packs:
            singles = (replace(how, suffixes=(suffix,)) for suffix in how.suffixes)
            return np.mean([_unit_rms(self._run(texts, single, layers, progress)) for single in singles], axis=0)
        return self._run(texts, how, layers, progress)

    def padded(self, texts: Sequence[str], how: Readout) -> Iterator[Padded]:
        """The batches of a read-out with one landing phrase, as the network is given them.

        Args:
            texts: n non-empty texts.
            how: the read-out.
        """
        heads, (tail,) = [self._encode(text, how) for text in texts], [self._tail(suffix) for suffix in how.suffixes]
        for rows in _batches([len(head) + len(tail) for head in heads], budget=self._budget):
            ids, lengths, mask = self._padded([heads[i] for i in rows], tail)
            yield Padded(
                rows, ids.to(self.device), lengths, {name: value.to(self.device) for name, value in mask.items()}
            )

    def _run(self, texts: Sequence[str], how: Readout, layers: list[int], progress: bool) -> np.ndarray:
        heads, tails = [self._encode(text, how) for text in texts], [self._tail(suffix) for suffix in how.suffixes]
        more = sum(map(len, tails))
        states = np.empty((len(layers), len(heads), self.width), dtype=np.float32)
        with tqdm(total=len(heads), desc="reading texts", unit="text", disable=None if progress else True) as bar:
            for rows in _batches([len(head) + more for head in heads], budget=self._budget):
                for depth, found in enumerate(self._batch([heads[i] for i in rows], tails, how, layers)):
                    states[depth, rows] = found
                bar.update(len(rows))
        return states

    def _batch(
        self, heads: list[list[int]], tails: list[list[int]], how: Readout, layers: list[int]
    ) -> Iterator[np.ndarray]:
        """States (n, width) of each layer."""
        if len(tails) > 1:
            tokens, positions, seen, ends = pack(heads, tails)
            masked = {"position_ids": positions, "attention_mask": _additive(seen, self.dtype)}
            for found in self._states(tokens, layers, masked):
                each = found[torch.arange(len(heads))[:, None], ends.to(found.device)].float().cpu().numpy()
                yield _unit_rms(each).mean(axis=1)
            return
        padded, lengths, mask = self._padded(heads, tails[0])
        for found in self._states(padded, layers, mask):
            yield self.pooled(found, lengths, how).float().cpu().numpy()

    def _padded(self, heads: list[list[int]], tail: list[int]) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Token ids (n, T), their numbers (n,) and the mask, where the model needs one."""
        rows = [torch.tensor(head + tail + self.special_tokens[1]) for head in heads]
        lengths = torch.tensor([len(row) for row in rows])
        padded = nn.utils.rnn.pad_sequence(rows, batch_first=True)
        # Right padding needs no mask in a causal model: no token sees what comes after it.
        mask = {} if self.causal else {"attention_mask": (torch.arange(padded.shape[1]) < lengths[:, None]).long()}
        return padded, lengths, mask

    @property
    def _budget(self) -> int:
        """Larger batches on a GPU; the CPU is fastest with what stays in its caches."""
        return TOKEN_BUDGET * (1 if self.device.type == "cpu" else 16)

    def _encode(self, text: str, how: Readout) -> list[int]:
        """Tokens up to the landing phrase; long texts are cut so that it and what comes after it still fit."""
        before, after = self.special_tokens
        longest = max(len(self._tail(suffix)) for suffix in how.suffixes)
        most = min(MAX_TOKENS, self._room - longest - len(before) - len(after) - 2)  # 2: RoBERTa counts from 2
        ids = self._tokenizer(how.prefix + text.strip(), add_special_tokens=False).input_ids[: int(most)]
        if not text.strip() or not ids:
            raise ValueError("an empty text has no hidden state; remove it from the list")
        return [*before, *ids]

    def _tail(self, suffix: str) -> list[int]:
        return self._tokenizer(suffix, add_special_tokens=False).input_ids if suffix else []

    @cached_property
    def _packs(self) -> bool:
        """True if the model keeps phrases apart that are read in one pass; some know no masks of this kind."""
        if not self.causal:
            return False
        head, tails = [5, 6, 7, 8], [[9, 10], [7, 11, 12]]
        tokens, positions, seen, ends = pack([head], tails)
        try:
            masked = {"position_ids": positions, "attention_mask": _additive(seen, self.dtype)}
            packed = self._states(tokens, [self.layer], masked)[0][0]
        except (TypeError, ValueError, RuntimeError, NotImplementedError):
            return False
        for tail, end in zip(tails, ends[0].tolist()):
            alone = self._states(torch.tensor([head + tail]), [self.layer])[0][0, -1].float()
            if not torch.allclose(packed[end].float(), alone, rtol=1e-2, atol=1e-2 * float(alone.abs().max())):
                return False
        return True

    @torch.inference_mode()
    def _states(
        self, ids: Tensor, layers: list[int], inputs: dict[str, Tensor] | None = None, *, normed: bool = True
    ) -> list[Tensor]:
        """States (n, tokens, width) of each of the layers; 0 is what enters the first block.

        Not ``normed``, the final layer is left as its block puts it out.
        """
        kept: dict[int, Tensor] = {}
        # Reading a block through a hook skips the final norm whatever an architecture calls it.
        hooks = [self.blocks[n - 1].register_forward_hook(_keeper(kept, n)) for n in layers if n > 0]
        if 0 in layers:
            hooks.append(self.blocks[0].register_forward_pre_hook(_input_keeper(kept), with_kwargs=True))
        try:
            output = self._network(
                input_ids=ids.to(self.device), **{key: value.to(self.device) for key, value in (inputs or {}).items()}
            )
        finally:
            for hook in hooks:
                hook.remove()
        if normed and self.total in layers:  # all blocks are there, so this is the model's own last state
            kept[self.total] = output.last_hidden_state
        return [kept[n] for n in layers]

    def pooled(self, states: Tensor, lengths: Tensor, how: Readout) -> Tensor:
        """What the read-out keeps (n, width) of the states (n, T, width) of texts with so many tokens (n,)."""
        lengths = lengths.to(states.device)
        if how.pool == "last":
            return states[torch.arange(len(states), device=states.device), lengths - 1 - len(self.special_tokens[1])]
        # The first token of a causal model collects attention; its huge state would make the mean one of text length.
        position = torch.arange(states.shape[1], device=states.device)
        first = (lengths > 1).long()[:, None] if self.causal else 0
        counted = ((position >= first) & (position < lengths[:, None])).to(states.dtype)[..., None]
        return (states * counted).sum(dim=1).float() / counted.sum(dim=1).float()

    def _is_causal(self) -> bool:
        """True if no token sees later ones; what a configuration says of it is not reliable."""
        ids = torch.tensor([[5, 6, 7, 8], [5, 6, 9, 10]])
        first, second = self._states(ids, [self.total], normed=False)[0][:, :2].float()
        return torch.allclose(first, second, rtol=1e-2, atol=1e-3 * float(first.abs().max()))

    def _special_tokens(self) -> tuple[list[int], list[int]]:
        """What the tokenizer puts before and after a text."""
        whole, bare = (self._tokenizer("a", add_special_tokens=special).input_ids for special in (True, False))
        start = next((i for i in range(len(whole)) if whole[i : i + len(bare)] == bare), 0)
        return whole[:start], whole[start + len(bare) :]


def _unit_rms(states: np.ndarray) -> np.ndarray:
    return states / np.sqrt(np.mean(states**2, axis=-1, keepdims=True))


def _additive(seen: Tensor, dtype: torch.dtype) -> Tensor:
    """The mask as numbers to add to attention logits, which every implementation of attention reads alike."""
    return torch.zeros(seen.shape, dtype=dtype).masked_fill(~seen, torch.finfo(dtype).min)


def _keeper(kept: dict[int, Tensor], layer: int) -> Any:
    def keep(_module: nn.Module, _inputs: Any, output: Any) -> None:
        kept[layer] = output[0] if isinstance(output, tuple) else output

    return keep


def _input_keeper(kept: dict[int, Tensor]) -> Any:
    def keep(_module: nn.Module, inputs: tuple, named: dict) -> None:
        kept[0] = inputs[0] if inputs else named["hidden_states"]

    return keep


def _batches(lengths: list[int], *, budget: int) -> Iterator[list[int]]:
    """Indices in order of length, cut so that rows times longest row stays within the token budget."""
    batch: list[int] = []
    for i in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batch and (len(batch) + 1) * lengths[i] > budget:
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch
