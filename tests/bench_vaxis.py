"""Texts per second: this project's reader against the loop most people write, in one run, with the agreement of both.

``python -m tests.bench_vaxis [--texts 64] [--rounds 2] [--compile] [--llm bundled]``. Rated film reviews in the framed
read-out, on one thread and by processor time, so that other programs hardly disturb it. The variants take turns and the
fastest round of each counts. int8 is not here on purpose: dynamic quantisation destroys the axis (r .39).
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch

from vaxis.axis import orient, principal_axis
from vaxis.corpora import reported
from vaxis.emotions import FACED
from vaxis.hidden_states import HiddenStates, load_generator
from vaxis.readouts import READOUTS
from vaxis.texts import load_texts

Read = Callable[[list[str]], np.ndarray]


class Plain:
    """transformers as in its examples: the whole model with its head, all hidden states kept."""

    def __init__(self, llm: str, *, batch: int) -> None:
        self.network, self.tokenizer, _ = load_generator(llm, dtype=torch.float32, device="cpu")
        self.tokenizer.padding_side, self.batch = "right", batch

    @torch.inference_mode()
    def __call__(self, texts: list[str]) -> np.ndarray:
        frame, found = READOUTS["framed"], []
        framed = [frame.prefix + text + frame.suffix for text in texts]
        for start in range(0, len(framed), self.batch):
            given = self.tokenizer(framed[start : start + self.batch], return_tensors="pt", padding=True)
            states = self.network(**given, output_hidden_states=True).hidden_states[-2]
            last = given["attention_mask"].sum(dim=1) - 1
            found.append(states[torch.arange(len(last)), last].numpy())
        return np.concatenate(found)


def variants(llm: str, *, compiled: bool) -> dict[str, Read]:
    """Readers by name, the plain loop first."""
    found: dict[str, Read] = {
        "plain loop, one by one": Plain(llm, batch=1),
        "plain, batches of 32, unsorted": Plain(llm, batch=32),
        "vaxis, float32": HiddenStates(llm, dtype=torch.float32, device="cpu"),
        "vaxis, bfloat16": HiddenStates(llm, dtype=torch.bfloat16, device="cpu"),
    }
    if compiled:
        found["vaxis, float32, compiled"] = HiddenStates(llm, dtype=torch.float32, device="cpu", compile=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--llm", default="bundled")
    parser.add_argument("--texts", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--compile", action="store_true", help="also compiled; a minute of warm-up")
    args = parser.parse_args()
    torch.set_num_threads(1)
    texts = reported("movies", args.texts).texts
    nine = [sentence for (sentence,) in load_texts("faced").sentences.values()]
    readers = variants(args.llm, compiled=args.compile)
    warm_up = {}
    for name, read in readers.items():
        started = time.perf_counter()  # compiling runs in processes of its own
        read(texts[:8])
        warm_up[name] = time.perf_counter() - started
    seconds, states = dict.fromkeys(readers, np.inf), {}
    for _ in range(args.rounds):
        for name, read in readers.items():
            started = time.process_time()
            states[name] = read(texts)
            seconds[name] = min(seconds[name], time.process_time() - started)
    plain = next(iter(readers))
    # Each variant projects its own states on its own axis.
    scores = {name: states[name] @ axis_of(read(nine)) for name, read in readers.items()}
    print(f"{len(texts)} film reviews, one thread, best of {args.rounds} rounds by processor time")
    for name in readers:
        r = np.corrcoef(scores[name], scores[plain])[0, 1]
        print(
            f"  {name:<32} {len(texts) / seconds[name]:7.1f} texts/s   x {seconds[plain] / seconds[name]:5.2f}"
            f"   r with the plain loop {r:.5f}   first 8 texts {warm_up[name]:5.1f} s"
        )


def axis_of(centroids: np.ndarray) -> np.ndarray:
    """The V-axis of nine states."""
    return orient(principal_axis(centroids)[0], centroids=centroids, valence=FACED.valence)


if __name__ == "__main__":
    main()
