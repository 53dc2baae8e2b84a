"""A direction added to one layer while a model writes, and the valence of the words that come out."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from measures.bootstrap import INTERVAL
from vaxis.language.chance_axes import random_directions
from vaxis.validity.lexicons import lexicon, rate, words_of

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
        self.size, self.mean = self._profile()

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
    def _profile(self) -> tuple[float, np.ndarray]:
        """Mean norm and mean (L,) of the states at the layer over the openings, less the first, far larger, token."""
        seen: list[Tensor] = []

        def note(states: Tensor) -> Tensor:
            seen.append(states[:, 1:].float().flatten(0, 1).cpu())
            return states

        with _changed(self._block, note):
            for opening in OPENINGS:
                ids = self._tokenizer(opening, add_special_tokens=False, return_tensors="pt").input_ids
                self._network(input_ids=ids.to(self._device))
        states = torch.cat(seen)
        return float(states.norm(dim=-1).mean()), states.mean(dim=0).numpy()


@contextmanager
def _changed(block: nn.Module, change: Callable[[Tensor], Tensor]) -> Iterator[None]:
    def hook(_module: nn.Module, _inputs: Any, output: Any) -> Any:
        return (change(output[0]), *output[1:]) if isinstance(output, tuple) else change(output)

    handle = block.register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()


def nulls_along(everyday: np.ndarray, axis: np.ndarray, *, draws: int) -> dict[str, np.ndarray]:
    """Unit directions (m, L) of each kind that know nothing of the nine sentences, with the sign nearer to the axis.

    ``random_texts`` are first components of nine everyday texts: what any nine texts would have given. ``isotropic``
    ones do little where states vary along a few directions, so there are a quarter as many, at least two.

    Args:
        everyday: (n, L) states of everyday texts in the read-out and at the layer of the axis.
        axis: (L,) unit direction.
        draws: directions of nine texts.
    """
    counts = {"random_texts": draws, "isotropic": max(2, draws // 4)}
    drawn = {kind: random_directions(everyday, kind=kind, count=count) for kind, count in counts.items()}
    return {kind: rows * np.where(rows @ axis < 0, -1, 1)[:, None] for kind, rows in drawn.items()}


def study(
    writer: Writer,
    direction: np.ndarray,
    *,
    alphas: list[float],
    nulls: Mapping[str, np.ndarray],
    done: dict[str, list[str]],
    save: Callable[[dict], None],
) -> dict:
    """Write under every condition and rate it.

    Args:
        writer: the model.
        direction: (L,) unit axis.
        alphas: sizes in units of ``writer.size``.
        nulls: unit directions (m, L) by kind; the same is done with each of them.
        done: texts of an interrupted study, by condition.
        save: called with the state after each condition.
    """
    from tqdm import tqdm

    runs = dict(done)
    units = {"axis": direction} | {f"{kind} {k}": unit for kind, rows in nulls.items() for k, unit in enumerate(rows)}
    # Nothing added is the same for all directions.
    wanted: dict[str, tuple[np.ndarray, float | None]] = {"nothing": (direction, 0.0)}
    wanted |= {f"{name} {size:g}": (unit, size) for name, unit in units.items() for size in alphas if size}
    wanted |= {f"{name} removed": (unit, None) for name, unit in units.items()}
    for key, (unit, size) in tqdm(wanted.items(), desc="writing", unit="condition", disable=None):
        if key not in runs:
            runs[key] = writer.remove(unit) if size is None else writer.add(writer.size * size * unit)
            save({"runs": runs})
    result = effects(runs, alphas=alphas, draws={kind: len(rows) for kind, rows in nulls.items()})
    result |= {"size": writer.size, "runs": runs}
    result["removed"]["shift"] = -float(writer.mean @ direction) / writer.size
    cosines = {kind: float(np.median(np.abs(rows @ direction))) for kind, rows in nulls.items()}
    save(result := result | {"cosine": cosines})
    return result


def effects(runs: dict[str, list[str]], *, alphas: list[float], draws: Mapping[str, int]) -> dict:
    """Mean valence by alpha, its slope over all alphas and the effect of removal, each beside its nulls.

    Both p are two-sided, by size alone, so that the sign of a null direction does not count.

    Args:
        runs: texts by condition, ``axis 0.2``, ``isotropic 3 -0.4``, ``random_texts 0 removed``, ``nothing``.
        alphas: sizes.
        draws: null directions of each kind.
    """
    valences = lexicon("vader")
    rated = {key: np.array([rate(text, valences) for text in texts]) for key, texts in runs.items()}

    def own(what: str, name: str = "axis") -> str:
        return "nothing" if what == "0" else f"{name} {what}"

    def null(kind: str, what: str) -> np.ndarray:
        return np.array([rated[own(what, f"{kind} {k}")].mean() for k in range(draws[kind])])

    def condition(what: str) -> dict:
        key = own(what)
        row = _mean(rated[key]) | {"repeated": _repeated(runs[key]), "example": runs[key][0].strip()}
        return row | {"nulls": {kind: _band(null(kind, what)) for kind in draws}}

    sizes = [f"{alpha:g}" if alpha else "0" for alpha in alphas]
    slope = float(_slope(alphas, [rated[own(size)].mean() for size in sizes]))
    slopes = {kind: _slope(alphas, [null(kind, size) for size in sizes]) for kind in draws}
    removed, nothing = condition("removed"), rated["nothing"].mean()
    change = removed["valence"] - nothing
    removed["p"] = {kind: _p_value(change, null(kind, "removed") - nothing) for kind in draws}
    bands = {kind: _band(np.abs(rows)) | {"p": _p_value(slope, rows)} for kind, rows in slopes.items()}
    return {
        "table": [{"alpha": alpha, **condition(size)} for alpha, size in zip(alphas, sizes)],
        "slope": {"value": slope, "nulls": bands},
        "removed": removed,
        "draws": dict(draws),
    }


def _slope(alphas: list[float], valences: list) -> np.ndarray:
    """Least-squares slope of valences (alphas,) or of m such columns."""
    return np.polyfit(alphas, np.array(valences), 1)[0]


def _p_value(own: float, null: np.ndarray) -> float:
    # The tolerance makes equal texts count as equal in spite of rounding.
    return float((1 + np.sum(np.abs(null) >= abs(own) - 1e-9)) / (1 + len(null)))


def _band(values: np.ndarray) -> dict[str, float]:
    low, middle, high = (float(value) for value in np.percentile(values, [2.5, 50, 97.5]))
    return {"median": middle, "low": low, "high": high}


def _mean(values: np.ndarray) -> dict[str, float]:
    generator = np.random.default_rng(0)
    drawn = values[generator.integers(len(values), size=(1000, len(values)))].mean(axis=1)
    low, high = np.percentile(drawn, INTERVAL)
    return {"valence": float(values.mean()), "low": float(low), "high": float(high)}


def _repeated(texts: list[str]) -> float:
    """Share of words that stood in the same text before: steering that breaks the language shows here."""
    words = [words_of(text) for text in texts]
    return 1 - sum(len(set(row)) for row in words) / max(1, sum(len(row) for row in words))
