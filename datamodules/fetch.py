"""Fetch a public mirror of FACED or SEED-V: ``python -m datamodules fetch faced``; resumed, verified and described."""

import importlib
from collections.abc import Sequence
from pathlib import Path

from console.arguments import Arguments
from console.errors import one_line_errors

MIRRORS = {
    "faced": {
        "hub": "braindecode/faced, about 4 GB: 26 electrodes, 10 s windows of each clip, 8 emotions",
        "bids": "NEMAR nm000112, 34 GB: whole recordings, 32 electrodes, 9 emotions",
    },
    "seedv": {"hub": "braindecode/seed-v: what it holds is not published"},
}


def parser() -> Arguments:
    """The command line; imports nothing heavy, so help is immediate."""
    top = Arguments("python -m datamodules fetch", about=__doc__)
    datasets = top.add_subparsers(dest="dataset", required=True)
    for name, mirrors in MIRRORS.items():
        one = datasets.add_parser(name, help="; ".join(f"{kind}: {what}" for kind, what in mirrors.items()))
        one.add_argument(
            "folder", nargs="?", type=Path, metavar="DIR", help="for --data.root; the hub's own cache if absent"
        )
        one.add_argument("--mirror", choices=list(mirrors), default="hub", help="which one")
        if "bids" in mirrors:
            one.add_argument("--subjects", help="signals of these alone, for example 000,080,100 (bids)")
    return top


def main(args: Sequence[str] | None = None) -> None:
    """Run the command.

    Raises:
        ValueError: bids without a folder, or hub with people.
    """
    options = parser().parse_args(args)
    subjects = getattr(options, "subjects", None)
    if options.mirror == "bids":
        from datamodules import nemar

        if options.folder is None:
            raise ValueError("name a folder: python -m datamodules fetch faced --mirror bids DIR")
        nemar.fetch(options.folder, subjects=tuple(subjects.split(",")) if subjects else None)
    else:
        from datamodules.downloads import HUB_FACED, HUB_SEEDV, downloaded, verified

        if subjects:
            raise ValueError("--subjects goes with --mirror bids; the hub's copy comes whole")
        source = HUB_FACED if options.dataset == "faced" else HUB_SEEDV
        options.folder = downloaded(source, options.folder)
        print(verified(source, options.folder))
    print("\n".join(_described(options.dataset, options.folder)))


def _described(dataset: str, folder: Path) -> list[str]:
    """What came: the facts and peculiarities of its files, as a run will print them."""
    mirror = importlib.import_module(f"datamodules.{dataset}_mirror{'s' if dataset == 'faced' else ''}")
    return [*mirror.described(folder), f"use it with: --data {dataset.upper()} --data.root {folder}"]


if __name__ == "__main__":
    with one_line_errors():
        main()
