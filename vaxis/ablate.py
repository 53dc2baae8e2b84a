"""``python -m vaxis ablate``: what is left of valence in a model's features once the axis is projected out."""

import argparse
import json
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from eeg.files import atomic, cache_dir

if TYPE_CHECKING:
    import numpy as np

    from vaxis.zero_shot import Instrument


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags; imports nothing heavy."""
    parser.add_argument("--llm", default="bundled", metavar="MODEL", help="bundled, a folder, a .gguf file or a hub id")
    parser.add_argument("--layer", default="penultimate", metavar="N", help="penultimate, or a number of blocks")
    parser.add_argument("--readout", default="framed", help="ensemble, or one of extract's")
    parser.add_argument("--sentences", metavar="FILE", help="YAML with your own nine sentences")
    parser.add_argument("--corpora", nargs="+", default=["tweets", "movies", "amazon", "nyt"], help="as in validate")
    parser.add_argument("--samples", type=int, default=1000, help="texts of each corpus")
    parser.add_argument("--draws", type=int, default=200, help="random directions that are removed instead")
    parser.add_argument("--out", metavar="JSON", help="the results; by default in the cache")


def main(args: argparse.Namespace) -> int:
    """Ablate on every corpus, print the table and keep the numbers."""
    from tqdm import tqdm

    from vaxis.ablation import ablation
    from vaxis.corpora import sample

    if args.samples < 50 or args.draws < 20:
        raise ValueError("--samples must be at least 50 and --draws at least 20")
    corpora = [sample(name, args.samples) for name in args.corpora]
    instrument = open_instrument(args)
    result: dict = {"model": args.llm, "readout": args.readout, "draws": args.draws, "corpora": {}}
    for corpus in tqdm(corpora, desc="removing the axis", unit="corpus", disable=not sys.stderr.isatty()):
        states = instrument.read(corpus.texts)
        result["corpora"][corpus.name] = ablation(instrument.axis, states, corpus.ratings > 0, draws=args.draws)
    print(describe(result))
    path = Path(args.out) if args.out else cache_dir() / "validity" / f"ablate-{instrument.axis.fingerprint}.json"
    with atomic(path) as partial_path:
        partial_path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(f"\n{path}")
    return 0


def open_instrument(args: argparse.Namespace) -> "Instrument":
    """The model and the axis of its nine sentences, as the flags ask for them."""
    from vaxis.hidden_states import HiddenStates
    from vaxis.reading import Reader
    from vaxis.set_study import fit_axis
    from vaxis.texts import load_texts
    from vaxis.zero_shot import Instrument

    sentences = load_texts("faced", args.sentences).sentences
    states = HiddenStates(args.llm, layer=args.layer)
    reader = Reader(states, progress=sys.stderr.isatty())
    read = partial(reader, readout=args.readout)
    return Instrument(fit_axis(read, sentences), read, layer=states.layer)


def describe(result: dict) -> str:
    """The table that the command prints."""
    rows = {
        "zero-shot, whole": lambda row: f"{row['zero_shot']:.3f}",
        "zero-shot, axis removed": lambda row: f"{row['zero_shot_without']:.3f} (0.5 by construction)",
        "axis made again without it": lambda row: f"{row['axis_again']:.3f} (sign-free)",
        "linear probe, whole": lambda row: f"{row['probe']:.4f}",
        "linear probe, axis removed": lambda row: f"{row['probe_without']:.4f}",
        "  loss": lambda row: f"{row['probe_loss']:+.4f}",
        "  loss, isotropic": lambda row: _null(row["isotropic"]),
        "  loss, texts' covariance": lambda row: _null(row["covariance"]),
    }
    corpora = result["corpora"]
    lines = [
        f"{result['model']} | {result['readout']} read-out | probe: ridge, five folds, trained again after the removal",
        f"{result['draws']} random directions of each kind: median loss [5, 95 %], z of the axis's loss among them",
        f"{'AUC':<28}" + "".join(f"{name:<36}" for name in corpora),
    ]
    for label, cell in rows.items():
        lines.append(f"{label:<28}" + "".join(f"{cell(row):<36}" for row in corpora.values()).rstrip())
    return "\n".join(lines)


def _null(row: dict[str, "np.ndarray | float"]) -> str:
    return f"{row['median']:+.4f} [{row['p5']:+.4f}, {row['p95']:+.4f}] z {row['z']:+.1f}"
