"""Texts per second: this project's reader against the loop most people write, in one run, with the agreement of both.

``python -m benchmarks.vaxis [--texts 64] [--rounds 2] [--compile] [--llm bundled]``. Rated film reviews in the framed
read-out and in the ensemble of four phrases, on one thread and by processor time, so that other programs hardly disturb
it. The variants take turns and the fastest round of each counts. int8 is not here on purpose: dynamic quantisation
destroys the axis (r .39).
"""

import argparse
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import nn

from vaxis.axis import Read
from vaxis.emotions import FACED
from vaxis.fit import fit_direction
from vaxis.language.hidden_states import HiddenStates
from vaxis.language.model import load_generator
from vaxis.language.readouts import READOUTS
from vaxis.language.texts import load_texts
from vaxis.validity.corpora import reported


class Plain:
    """transformers as in its examples: the whole model with its head, all hidden states kept, a phrase at a time."""

    def __init__(self, llm: str) -> None:
        self.network, self.tokenizer, _ = load_generator(llm, dtype=torch.float32, device="cpu")
        self.tokenizer.padding_side = "right"

    @torch.inference_mode()
    def read(self, texts: list[str], *, readout: str, batch: int) -> np.ndarray:
        """(n, L) states."""
        how = READOUTS[readout]
        each = [self._after(suffix, how.prefix, texts, batch) for suffix in how.suffixes]
        if len(each) == 1:
            return each[0]
        return np.mean([states / np.sqrt(np.mean(states**2, axis=1, keepdims=True)) for states in each], axis=0)

    def _after(self, suffix: str, prefix: str, texts: list[str], batch: int) -> np.ndarray:
        framed, found = [prefix + text + suffix for text in texts], []
        for start in range(0, len(framed), batch):
            given = self.tokenizer(framed[start : start + batch], return_tensors="pt", padding=True)
            states = self.network(**given, output_hidden_states=True).hidden_states[-2]
            last = given["attention_mask"].sum(dim=1) - 1
            found.append(states[torch.arange(len(last)), last].numpy())
        return np.concatenate(found)


class Limit:
    """The matrix products of the same tokens and blocks alone: no attention, no padding, nothing in between."""

    def __init__(self, states: HiddenStates) -> None:
        self.states = states
        self.layers = [m for block in states.blocks for m in block.modules() if isinstance(m, nn.Linear)]

    @torch.inference_mode()
    def read(self, texts: list[str], *, readout: str) -> None:
        """Computes and throws away."""
        how = READOUTS[readout]
        tails = sum(len(self.states._tail(suffix)) for suffix in how.suffixes)
        tokens = sum(len(self.states._encode(text, how)) + tails for text in texts)
        for layer in self.layers:
            layer(torch.ones(tokens, layer.in_features))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--llm", default="bundled")
    parser.add_argument("--texts", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--compile", action="store_true", help="also compiled; a minute of warm-up")
    args = parser.parse_args()
    torch.set_num_threads(1)
    texts = reported("movies", args.texts).texts
    plain, ours = Plain(args.llm), HiddenStates(args.llm, dtype=torch.float32, device="cpu")
    low = HiddenStates(args.llm, dtype=torch.bfloat16, device="cpu")
    print(f"{len(texts)} film reviews, one thread, best of {args.rounds} rounds by processor time")
    for readout in ("framed", "ensemble"):
        readers: dict[str, Read] = {
            "plain loop, one by one": partial(plain.read, readout=readout, batch=1),
            "plain, batches of 32, unsorted": partial(plain.read, readout=readout, batch=32),
            "vaxis, float32": partial(ours, readout=readout),
            "vaxis, bfloat16": partial(low, readout=readout),
        }
        if args.compile:
            compiled = HiddenStates(args.llm, dtype=torch.float32, device="cpu", compile=True)
            readers["vaxis, float32, compiled"] = partial(compiled, readout=readout)
        print(f"{readout}, {len(READOUTS[readout].suffixes)} phrase(s)")
        _compare(readers, texts, rounds=args.rounds, limit=partial(Limit(ours).read, readout=readout))


def _compare(readers: dict[str, Read], texts: list[str], *, rounds: int, limit: Callable) -> None:
    nine = [sentence for (sentence,) in load_texts("faced").sentences.values()]
    warm_up = {}
    for name, read in readers.items():
        started = time.perf_counter()  # compiling runs in processes of its own
        read(texts[:8])
        warm_up[name] = time.perf_counter() - started
    named = {**readers, "limit: its matrix products alone": limit}
    seconds, states = dict.fromkeys(named, np.inf), {}
    for _ in range(rounds):
        for name, read in named.items():
            started = time.process_time()
            states[name] = read(texts)
            seconds[name] = min(seconds[name], time.process_time() - started)
    plain = next(iter(readers))
    # Each variant projects its own states on its own axis.
    scores = {name: states[name] @ axis_of(read(nine)) for name, read in readers.items()}
    for name in named:
        line = f"  {name:<32} {len(texts) / seconds[name]:7.1f} texts/s   x {seconds[plain] / seconds[name]:5.2f}"
        if name in scores:
            r = np.corrcoef(scores[name], scores[plain])[0, 1]
            line += f"   r with the plain loop {r:.5f}   first 8 texts {warm_up[name]:5.1f} s"
        print(line, flush=True)


def axis_of(centroids: np.ndarray) -> np.ndarray:
    """The V-axis of nine states."""
    return fit_direction(centroids, valence=FACED.valence).direction


if __name__ == "__main__":
    main()
