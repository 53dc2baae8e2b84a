"""``python -m vaxis ablate``: what is left of valence in a model's features once the axis is projected out.

With ``--inside N`` the axis of layer N is projected out there, at every token, while the model goes on reading.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from records.files import atomic, cache_dir
from vaxis.commands.extract import add_model_arguments, model_options

if TYPE_CHECKING:
    import numpy as np

    from vaxis.validity.corpora import Corpus
    from vaxis.validity.rated_texts import Instrument

MEASURES = {
    "zero-shot, whole": "zero_shot",
    "zero-shot, axis removed (0.5)": "zero_shot_without",
    "axis made again, sign-free": "axis_again",
    "linear probe, whole": "probe",
    "linear probe, axis removed": "probe_without",
    "linear probe, loss": "probe_loss",
}
NULLS = {"isotropic": "isotropic", "covariance": "texts' covariance", "random_texts": "PC1 of nine texts"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags; imports nothing heavy."""
    parser.add_argument("--llm", default="bundled", metavar="MODEL", help="bundled, a folder, a .gguf file or a hub id")
    parser.add_argument("--layer", default="penultimate", metavar="N", help="penultimate, final, or a number of blocks")
    parser.add_argument("--readout", default="framed", help="ensemble, or one of extract's")
    parser.add_argument("--sentences", metavar="FILE", help="YAML with your own nine sentences")
    parser.add_argument("--corpora", nargs="+", default=["tweets", "movies", "amazon", "nyt"], help="as in validate")
    parser.add_argument("--samples", type=int, default=1000, help="texts of each corpus")
    parser.add_argument(
        "--draws", type=int, default=200, help="random directions of each kind that are removed instead"
    )
    parser.add_argument(
        "--inside", type=int, metavar="N",
        help="project the axis of the states after N blocks out of them, at every token, and read what the blocks "
        "above make of the rest; 20 is where steering the bundled model first works, 200 --samples take minutes",
    )  # fmt: skip
    add_model_arguments(parser)
    parser.add_argument("--out", metavar="JSON", help="the results; by default in the cache; a folder gets ablate.json")


def main(args: argparse.Namespace) -> int:
    """Ablate on every corpus, print the table and keep the numbers."""
    from tqdm import tqdm

    from vaxis.validity.ablation import ablation
    from vaxis.validity.corpora import by_name, sample

    if args.samples < 50 or args.draws < 20:
        raise ValueError("--samples must be at least 50 and --draws at least 20")
    corpora = by_name(sample(name, args.samples) for name in args.corpora)
    if args.inside is not None:
        return _inside(args, list(corpora.values()))
    instrument = open_instrument(args)
    result: dict = {"model": args.llm, "readout": args.readout, "draws": args.draws, "corpora": {}}
    for corpus in tqdm(corpora.values(), desc="removing the axis", unit="corpus", disable=not sys.stderr.isatty()):
        states = instrument.read(corpus.texts)
        result["corpora"][corpus.name] = ablation(instrument.axis, states, corpus.ratings > 0, draws=args.draws)
    print(describe(result))
    _write(result, args.out, name="ablate", fingerprint=instrument.axis.fingerprint)
    return 0


def _write(result: dict, out: str | None, *, name: str, fingerprint: str) -> None:
    """Where the user asked for it, in a folder under its own name, or in the cache."""
    path = Path(out) if out else cache_dir() / "validity" / f"{name}-{fingerprint}.json"
    path = path if path.suffix == ".json" else path / f"{name}.json"
    with atomic(path) as partial_path:
        partial_path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(f"\n{path}")


def _inside(args: argparse.Namespace, corpora: "Sequence[Corpus]") -> int:
    """Ablate the residual stream on every corpus."""
    from vaxis.axis import sentence_axis
    from vaxis.emotions import FACED
    from vaxis.language.hidden_states import HiddenStates
    from vaxis.language.texts import load_texts
    from vaxis.language.upper_blocks import UpperBlocks, without
    from vaxis.validity import inside

    texts = load_texts("faced", args.sentences)
    sentences = [sentence for group in texts.sentences.values() for sentence in group]
    states = HiddenStates(args.llm, layer=args.layer, **model_options(args))
    below = partial(states, readout=args.readout, layer=args.inside)
    axis = sentence_axis(partial(states, readout=args.readout), texts.sentences, classes=FACED)
    result: dict = {"analysis": "ablate_inside", "model": args.llm, "readout": args.readout, "layer": states.layer}
    result |= {"inside": args.inside, "draws": args.draws, "corpora": {}}
    for corpus in corpora:
        upper = UpperBlocks(states, [*sentences, *corpus.texts], readout=args.readout, layer=args.inside)
        local = sentence_axis(below, texts.sentences, classes=FACED)
        drawn = inside.nulls(
            local.direction, texts=below(corpus.texts), everyday=below(texts.everyday), draws=args.draws
        )  # fmt: skip

        def read(direction: "np.ndarray | None", upper: UpperBlocks = upper) -> "np.ndarray":
            return upper(None if direction is None else without(direction))

        result["corpora"][corpus.name] = {"texts": len(corpus.texts)} | inside.study(
            read, axis=axis, sizes=[len(group) for group in texts.sentences.values()],
            positive=corpus.ratings > 0, direction=local.direction, drawn=drawn,
        )  # fmt: skip
    print(describe_inside(result))
    result["numbers"] = inside.numbers(result["corpora"])
    result["roles"] = inside.roles(result["corpora"])
    _write(result, args.out, name="ablate_inside", fingerprint=axis.fingerprint)
    return 0


def open_instrument(args: argparse.Namespace) -> "Instrument":
    """The model and the axis of its nine sentences, as the flags ask for them."""
    from vaxis.axis import sentence_axis
    from vaxis.emotions import FACED
    from vaxis.language.cached_states import CachedStates
    from vaxis.language.hidden_states import HiddenStates
    from vaxis.language.texts import load_texts
    from vaxis.validity.rated_texts import Instrument

    sentences = load_texts("faced", args.sentences).sentences
    states = HiddenStates(args.llm, layer=args.layer, **model_options(args))
    reader = CachedStates(states, progress=sys.stderr.isatty())
    read = partial(reader, readout=args.readout)
    return Instrument(sentence_axis(read, sentences, classes=FACED), read, layer=states.layer)


def describe(result: dict) -> str:
    """The table that the command prints."""
    corpora, draws = result["corpora"], result["draws"]
    lines = [
        f"{result['model']} | {result['readout']} read-out | probe: ridge, five folds, trained again after the removal",
        "chance 0.5, where zero-shot without the axis is by construction: its p says nothing",
        "value [95 % over texts]; under it the same with one of "
        f"{draws} random directions removed instead: median [95 %], p (at least {1 / (1 + draws):.3f})",
        f"{'AUC':<32}" + "".join(f"{name:<34}" for name in corpora).rstrip(),
    ]
    for label, name in MEASURES.items():
        lines.append(f"{label:<32}" + "".join(f"{_value(row[name]):<34}" for row in corpora.values()).rstrip())
        for kind, removed in NULLS.items():
            if name in next(iter(corpora.values()))["nulls"][kind]:
                cells = "".join(f"{_null(row['nulls'][kind][name]):<34}" for row in corpora.values())
                lines.append(f"  {removed:<30}{cells}".rstrip())
    return "\n".join(lines)


def describe_inside(result: dict) -> str:
    """The table that the command prints with ``--inside``."""
    labels = {
        "axis": "axis of the whole model",
        "axis_again": "axis of the nine sentences, read again",
        "probe": "linear probe, trained again",
    }
    kinds = {"isotropic": "same norm", "variance": "same variance", "random_texts": "PC1 of nine texts"}
    lines = [
        f"{result['model']} | the axis of layer {result['inside']} projected out of every token there, "
        f"read at layer {result['layer']} ({result['readout']})",
        f"AUC of valence, whole and without; what {result['draws']} other directions take instead: mean, z and p "
        f"(at least {1 / (1 + result['draws']):.3f})",
    ]
    for corpus, row in result["corpora"].items():
        lines += ["", f"{corpus}, {row['texts']} texts"]
        for name, label in labels.items():
            found = row[name]
            lines.append(f"  {label:<40}{_value(found['whole'])}  ->  {_value(found['without'])}")
            lines.append(f"    {'lost':<38}{_value(found['lost'])}")
            for kind, null in found["nulls"].items():
                lines.append(
                    f"      {kinds[kind]:<36}{null['mean']:+.4f}, z {null['z']:.1f}, p {null['p']:.3f}"
                )  # fmt: skip
    return "\n".join(lines)


def _value(row: dict[str, float]) -> str:
    return f"{row['value']:.4f} [{row['low']:.4f}, {row['high']:.4f}]"


def _null(row: dict[str, float]) -> str:
    return f"{_value(row | {'value': row['median']})} p {row['p']:.3f}"
