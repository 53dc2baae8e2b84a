"""Write a simulated cohort: ``python -m datamodules.simulate faced DIR`` (nobody was recorded; the truth is known)."""

import argparse
from collections.abc import Sequence

from console.arguments import Arguments
from console.errors import one_line_errors


def parser() -> Arguments:
    """The command line; imports nothing heavy, so help is immediate."""
    top = Arguments("python -m datamodules.simulate", about=__doc__)
    datasets = top.add_subparsers(dest="dataset", required=True)
    for name, people in (("faced", 123), ("seedv", 16)):
        one = datasets.add_parser(
            name, help=f"the layout of {name}", formatter_class=argparse.ArgumentDefaultsHelpFormatter
        )
        one.add_argument("root", metavar="DIR", help="empty or absent folder, or one to resume or to grow")
        one.add_argument("--snr", type=float, default=1.0, help="strength of what clips evoke: 0 (chance) to 3")
        one.add_argument("--seed", type=int, default=0, help="same seed, same bytes")
        one.add_argument("--n_subjects", type=int, default=people, help="how many people")
        one.add_argument("--raw_subjects", type=int, default=0, help="how many of them also get raw signals")
        one.add_argument("--axis", help="axis artifact whose stimulus positions are planted; if absent one is drawn")
    faced, seedv = datasets.choices["faced"], datasets.choices["seedv"]
    faced.add_argument("--outlier", action="store_true", help="make sub023 3000 times too large, as in the release")
    seedv.add_argument("--seconds_per_trial", type=int, help="length of every clip; official lengths if absent")
    seedv.add_argument("--corrupt_header", action="store_true", help="break 7_1_20180411.cnt as in the release")
    return top


def main(args: Sequence[str] | None = None) -> None:
    """Run the command."""
    options = vars(parser().parse_args(args))
    dataset, root = options.pop("dataset"), options.pop("root")
    if dataset == "faced":
        from datamodules.simulation.faced_files import write_faced

        write_faced(root, **options)
    else:
        from datamodules.simulation.seedv_files import write_seedv

        write_seedv(root, **options)
    print(f"simulated {dataset} cohort in {root}; --data.root {root}, axis {root}/axis.npz")


if __name__ == "__main__":
    with one_line_errors():
        main()
