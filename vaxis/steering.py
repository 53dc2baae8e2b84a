"""A direction added to one layer while a model writes, and the valence of the words that come out."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from vaxis.bootstrap import INTERVAL
from vaxis.lexicons import lexicon, rate, words_of

# Openings that lean to neither side; the model goes on from there.
OPENINGS = (
    "When I got home yesterday, I",
    "My neighbour told me that",
    "The letter that came this morning said",
    "I thought about the day and it was",
    "She looked at the screen and",
    "After the meeting we all felt",
    "The film we saw last night was",
    "He opened the door and saw",
    "My sister called to say that",
    "The food at the restaurant was",
    "On the way to work I",
    "What I remember of that summer is",
    "The teacher read my essay and said it was",
    "We moved to the new town and",
    "The new phone that I bought is",
    "As the train left the station, I felt",
)
TEMPERATURE = 0.8


class Writer:
    """Continues the openings while something is done to the states of one layer.

    Args:
        network: causal language model with its head.
        tokenizer: its tokenizer.
        blocks: its list of blocks.
        layer: states leaving this many blocks are changed, as they are read by ``HiddenStates(layer=...)``.
        texts: how many texts are written.
        tokens: length of each.
    """

    def __init__(self, network: Any, tokenizer: Any, blocks: nn.ModuleList, *, layer: int, texts: int, tokens: int):
        self._network, self._tokenizer, self._block, self._tokens = network.eval(), tokenizer, blocks[layer - 1], tokens
        self._device = next(network.parameters()).device
        openings = [OPENINGS[i % len(OPENINGS)] for i in range(texts)]
        tokenizer.padding_side = "left"
        if tokenizer.pad_token_id is None:  # masked, so any token will do
            tokenizer.pad_token = tokenizer.unk_token
        self._openings = tokenizer(openings, add_special_tokens=False, padding=True, return_tensors="pt").to(
            self._device
        )
        self.size = self._mean_size()

    def add(self, vector: np.ndarray) -> list[str]:
        """Texts written with a vector (L,) added to every token's state."""
        shift = torch.tensor(vector, dtype=torch.float32, device=self._device)
        return self._write(lambda states: states + shift.to(states.dtype))

    def remove(self, direction: np.ndarray) -> list[str]:
        """Texts written with a unit direction (L,) projected out of every token's state."""
        unit = torch.tensor(direction, dtype=torch.float32, device=self._device)
        return self._write(lambda states: states - (states @ unit.to(states.dtype))[..., None] * unit.to(states.dtype))

    @torch.inference_mode()
    def _write(self, change: Callable[[Tensor], Tensor]) -> list[str]:
        """Every condition starts from the same random state."""
        with _changed(self._block, change), torch.random.fork_rng():
            torch.manual_seed(0)
            ids = self._network.generate(
                **self._openings,
                do_sample=True,
                temperature=TEMPERATURE,
                top_k=0,
                min_new_tokens=self._tokens,
                max_new_tokens=self._tokens,
                pad_token_id=self._tokenizer.pad_token_id,
            )
        return self._tokenizer.batch_decode(ids[:, self._openings["input_ids"].shape[1] :], skip_special_tokens=True)

    @torch.inference_mode()
    def _mean_size(self) -> float:
        """Mean norm of the states at the layer over the openings, without the first token, which is far larger."""
        sizes: list[Tensor] = []

        def note(states: Tensor) -> Tensor:
            sizes.append(states[:, 1:].float().norm(dim=-1).flatten())
            return states

        with _changed(self._block, note):
            for opening in OPENINGS:
                ids = self._tokenizer(opening, add_special_tokens=False, return_tensors="pt").input_ids
                self._network(input_ids=ids.to(self._device))
        return float(torch.cat(sizes).mean())


@contextmanager
def _changed(block: nn.Module, change: Callable[[Tensor], Tensor]) -> Iterator[None]:
    def hook(_module: nn.Module, _inputs: Any, output: Any) -> Any:
        return (change(output[0]), *output[1:]) if isinstance(output, tuple) else change(output)

    handle = block.register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()


def study(
    writer: Writer,
    direction: np.ndarray,
    *,
    alphas: list[float],
    draws: int,
    done: dict[str, list[str]],
    save: Callable[[dict], None],
) -> dict:
    """Write under every condition and rate it.

    Args:
        writer: the model.
        direction: (L,) unit axis.
        alphas: sizes in units of ``writer.size``.
        draws: random unit directions that get the same alphas.
        done: texts of an interrupted study, by condition.
        save: called with the state after each condition.
    """
    from tqdm import tqdm

    generator = np.random.default_rng(0)
    random = generator.normal(size=(draws, len(direction)))
    random /= np.linalg.norm(random, axis=1, keepdims=True)
    runs = dict(done)
    # Nothing added is the same for all directions.
    wanted = {f"axis {alpha:g}" if alpha else "nothing": alpha * direction for alpha in alphas} | {"removed": None}
    wanted |= {f"random {k} {alpha:g}": alpha * unit for k, unit in enumerate(random) for alpha in alphas if alpha}
    for key, shift in tqdm(wanted.items(), desc="writing", unit="condition"):
        if key not in runs:
            runs[key] = writer.remove(direction) if shift is None else writer.add(writer.size * shift)
            save({"runs": runs})
    result = summary(runs, alphas=alphas, draws=draws) | {"size": writer.size, "runs": runs}
    save(result)
    return result


def summary(runs: dict[str, list[str]], *, alphas: list[float], draws: int) -> dict:
    """Mean valence by alpha with its null, and the slope over all alphas with the same slope of random directions.

    Args:
        runs: texts by condition, ``axis 0.2``, ``random 3 -0.4``, ``nothing``, ``removed``.
        alphas: sizes.
        draws: random directions.
    """
    valences = lexicon("vader")
    rated = {key: np.array([rate(text, valences) for text in texts]) for key, texts in runs.items()}

    def means(name: str) -> np.ndarray:
        return np.array([rated[f"{name} {alpha:g}" if alpha else "nothing"].mean() for alpha in alphas])

    null = np.stack([means(f"random {k}") for k in range(draws)])
    table = []
    for i, alpha in enumerate(alphas):
        key = f"axis {alpha:g}" if alpha else "nothing"
        low, middle, high = (float(value) for value in np.percentile(null[:, i], [5, 50, 95]))
        row = {"alpha": alpha, **_mean(rated[key]), "null": {"median": middle, "p5": low, "p95": high}}
        table.append(row | {"repeated": _repeated(runs[key]), "example": runs[key][0].strip()})
    own = float(np.polyfit(alphas, means("axis"), 1)[0])
    slopes = np.array([np.polyfit(alphas, row, 1)[0] for row in null])
    slope = {
        "value": own,
        "null_p95": float(np.percentile(np.abs(slopes), 95)),
        "p": float((1 + np.sum(np.abs(slopes) >= abs(own))) / (1 + draws)),
        "draws": draws,
    }
    return {"table": table, "slope": slope, "removed": _mean(rated["removed"])}


def _mean(values: np.ndarray) -> dict[str, float]:
    generator = np.random.default_rng(0)
    drawn = values[generator.integers(len(values), size=(1000, len(values)))].mean(axis=1)
    low, high = np.percentile(drawn, INTERVAL)
    return {"valence": float(values.mean()), "low": float(low), "high": float(high)}


def _repeated(texts: list[str]) -> float:
    """Share of words that stood in the same text before: steering that breaks the language shows here."""
    words = [words_of(text) for text in texts]
    return 1 - sum(len(set(row)) for row in words) / max(1, sum(len(row) for row in words))
