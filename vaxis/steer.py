"""``python -m vaxis steer``: add the axis to a layer while the model writes, and rate what it writes."""

import argparse
import json
from pathlib import Path

from eeg.files import atomic, cache_dir


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags; imports nothing heavy."""
    parser.add_argument("--llm", default="bundled", metavar="MODEL", help="bundled, a folder, a .gguf file or a hub id")
    parser.add_argument("--layer", default="20", metavar="N", help="penultimate, or the number of blocks to run before")
    parser.add_argument("--readout", default="framed", help="of the axis: ensemble, or one of extract's")
    parser.add_argument("--sentences", metavar="FILE", help="YAML with your own nine sentences")
    parser.add_argument(
        "--alphas",
        nargs="+",
        type=float,
        default=[-0.4, -0.2, 0.0, 0.2, 0.4],
        help="how much is added, in units of the mean size of the states at that layer",
    )
    parser.add_argument("--texts", type=int, default=64, help="texts written for each alpha")
    parser.add_argument("--tokens", type=int, default=20, help="length of each text")
    parser.add_argument("--draws", type=int, default=20, help="random directions of the same size, for the null")
    parser.add_argument("--out", metavar="JSON", help="the results; by default in the cache")


def main(args: argparse.Namespace) -> int:
    """Steer, print the table and keep numbers and texts; goes on where it was stopped."""
    if len(set(args.alphas)) < 2 or args.texts < 2 or args.draws < 2 or args.tokens < 1:
        raise ValueError("--alphas needs two different values, --texts and --draws at least 2, --tokens at least 1")
    from vaxis.ablate import open_instrument
    from vaxis.language_model import load_generator
    from vaxis.steering import Writer, study

    instrument = open_instrument(args)
    axis, layer = instrument.axis, instrument.layer
    path = Path(args.out) if args.out else cache_dir() / "validity" / f"steer-{axis.fingerprint}.json"
    writer = Writer(*load_generator(args.llm), layer=layer, texts=args.texts, tokens=args.tokens)
    settings = {"model": args.llm, "axis": axis.fingerprint, "layer": layer, "texts": args.texts, "tokens": args.tokens}

    def save(result: dict) -> None:
        with atomic(path) as partial:
            partial.write_text(json.dumps(settings | result, indent=1) + "\n", encoding="utf-8")

    before = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    done = before.get("runs", {}) if settings.items() <= before.items() else {}
    result = study(writer, axis.direction, alphas=sorted(set(args.alphas)), draws=args.draws, done=done, save=save)
    print(describe(settings | result), f"\n\n{path}", sep="")
    return 0


def describe(result: dict) -> str:
    """The table that the command prints."""
    lines = [
        f"{result['model']} | layer {result['layer']} | {result['texts']} texts of {result['tokens']} tokens an alpha",
        "rated by the mean valence of their words in the VADER lexicon (-4 to 4); confidence intervals over texts",
        f"{'alpha':>9}  {'valence, axis [95 %]':<26} {'random directions [5, 95 %]':<30} {'repeated':<16} example",
    ]
    for row in result["table"]:
        null = row["null"]
        lines.append(
            f"{row['alpha']:>9}  {row['valence']:+.2f} [{row['low']:+.2f}, {row['high']:+.2f}]{'':<8} "
            f"{null['median']:+.2f} [{null['p5']:+.2f}, {null['p95']:+.2f}]{'':<11} {row['repeated']:<16.0%} "
            f"{row['example'][:70]!r}"
        )
    slope = result["slope"]
    lines.append(
        f"slope (valence a unit of alpha) {slope['value']:+.2f}; {slope['draws']} random directions: 95 % of |slope| "
        f"{slope['null_p95']:.2f}, p = {slope['p']:.3f} (at least {1 / (1 + slope['draws']):.3f})"
    )
    removed = result["removed"]
    band = f"{removed['valence']:+.2f} [{removed['low']:+.2f}, {removed['high']:+.2f}]"
    lines.append(f"axis projected out of every token instead: valence {band}")
    return "\n".join(lines)
