"""``python -m vaxis steer``: add the axis to a layer while the model writes, and rate what it writes.

Layer 20 of the bundled model's 30 blocks is the default because it is the earliest of 5, 10, 15, 20, 25 and 29 at which
the axis steers: over 32 texts of 12 tokens the slopes are 0.41, 0.00, 0.40, 2.82, 2.74 and 2.91, and the axis separates
its nine sentences by .46, .52, .52, .72, .82 and .82. So it is chosen on the result, though not as the largest.
"""

import argparse
import json
from pathlib import Path

from records.files import atomic, cache_dir
from records.reading import read_json
from vaxis.commands.extract import add_model_arguments, model_options

NULLS = {"random_texts": "first components of nine everyday texts", "isotropic": "isotropic directions"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags; imports nothing heavy."""
    parser.add_argument("--llm", default="bundled", metavar="MODEL", help="bundled, a folder, a .gguf file or a hub id")
    parser.add_argument(
        "--layer",
        default="20",
        metavar="N",
        help="penultimate, or the number of blocks to run before; 20 is where steering the bundled model first works",
    )
    parser.add_argument("--readout", default="framed", help="of the axis: ensemble, or one of extract's")
    parser.add_argument("--sentences", metavar="FILE", help="YAML with your own nine sentences")
    parser.add_argument(
        "--alphas",
        nargs="+",
        type=float,
        default=[-0.4, 0.0, 0.4],
        help="how much is added, in units of the mean size of the states at that layer",
    )
    parser.add_argument("--texts", type=int, default=64, help="texts written for each alpha")
    parser.add_argument("--tokens", type=int, default=20, help="length of each text")
    parser.add_argument(
        "--draws",
        type=int,
        default=19,
        help="axes of nine everyday texts for the null, beside a quarter as many isotropic directions",
    )
    add_model_arguments(parser)
    parser.add_argument("--out", metavar="JSON", help="the results; by default in the cache")


def main(args: argparse.Namespace) -> int:
    """Steer, print the table and keep numbers and texts; goes on where it was stopped."""
    if len(set(args.alphas)) < 2 or args.texts < 2 or args.draws < 2 or args.tokens < 1:
        raise ValueError("--alphas needs two different values, --texts and --draws at least 2, --tokens at least 1")
    from vaxis.commands.ablate import open_instrument
    from vaxis.language.model import load_generator
    from vaxis.language.texts import digest, load_texts
    from vaxis.validity.steering import Writer, nulls_along, study

    instrument = open_instrument(args)
    axis, layer = instrument.axis, instrument.layer
    path = Path(args.out) if args.out else cache_dir() / "validity" / f"steer-{axis.fingerprint}.json"
    everyday = load_texts("faced").everyday
    nulls = nulls_along(instrument.read(everyday), axis.direction, draws=args.draws)
    options = {name: value for name, value in model_options(args).items() if name != "compile"}  # pays in reading only
    network = load_generator(args.llm, **options)
    writer = Writer(*network, layer=layer, texts=args.texts, tokens=args.tokens)
    settings = {"model": args.llm, "axis": axis.fingerprint, "layer": layer, "texts": args.texts, "tokens": args.tokens}
    settings |= {"dtype": str(network[0].dtype).removeprefix("torch."), "everyday": digest(everyday)}

    def save(result: dict) -> None:
        with atomic(path) as partial:
            partial.write_text(json.dumps(settings | result, indent=1) + "\n", encoding="utf-8")

    before = read_json(path, remedy="delete it and run again") if path.exists() else {}
    done = before.get("runs", {}) if settings.items() <= before.items() else {}
    result = study(writer, axis.direction, alphas=sorted(set(args.alphas)), nulls=nulls, done=done, save=save)
    print(describe(settings | result), f"\n\n{path}", sep="")
    return 0


def describe(result: dict) -> str:
    """The table that the command prints."""
    draws, cosine, slope, removed = (result[name] for name in ("draws", "cosine", "slope", "removed"))
    lines = [
        f"{result['model']} | layer {result['layer']} | {result['texts']} texts of {result['tokens']} tokens an alpha",
        "rated by the mean valence of their words in the VADER lexicon (-4 to 4) [95 % over texts]",
        "null: the same with other directions, signed towards the axis: median [95 % over directions]",
        *(f"  {draws[kind]} {name}, median |cosine| to the axis {cosine[kind]:.2f}" for kind, name in NULLS.items()),
        f"{'alpha':<9}{'axis':<24}{'nine everyday texts':<24}{'isotropic':<24}{'repeated':<10}example",
    ]
    for row in [*result["table"], removed]:
        cells = [_cell(row, "valence"), *(_cell(row["nulls"][kind], "median") for kind in NULLS)]
        values = "".join(f"{cell:<24}" for cell in cells)
        lines.append(f"{row.get('alpha', 'removed'):<9}{values}{row['repeated']:<10.0%}{row['example'][:50]!r}")
    lines.append(f"slope (valence a unit of alpha) {slope['value']:+.2f}; |slope| of other directions:")
    for kind, name in NULLS.items():
        null = slope["nulls"][kind]
        lines.append(f"  {name}: {_cell(null, 'median')}, p = {_with_floor(null['p'], draws[kind])}")
    lines.append(
        "removed: projected out of every token, which also shifts the mean state by "
        f"{removed['shift']:+.2f} alpha; change against alpha 0, two-sided:"
    )
    lines += [f"  {name}: p = {_with_floor(removed['p'][kind], draws[kind])}" for kind, name in NULLS.items()]
    return "\n".join(lines)


def _cell(row: dict, name: str) -> str:
    return f"{row[name]:+.2f} [{row['low']:+.2f}, {row['high']:+.2f}]"


def _with_floor(p_value: float, draws: int) -> str:
    return f"{p_value:.3f} (at least {1 / (1 + draws):.3f})"
