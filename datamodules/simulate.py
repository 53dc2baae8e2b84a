"""Write a simulated cohort: ``python -m datamodules.simulate faced DIR`` (nobody was recorded; the truth is known)."""

import argparse
from collections.abc import Sequence
from dataclasses import fields, replace

from console.arguments import Arguments
from console.errors import one_line_errors
from datamodules.simulation.world import CLIP_CODES, LINEAR, World, check_strength


def parser() -> Arguments:
    """The command line; imports nothing heavy, so help is immediate."""
    top = Arguments("python -m datamodules simulate", about=__doc__)
    datasets = top.add_subparsers(dest="dataset", required=True)
    for name, people in (("faced", 123), ("seedv", 16)):
        one = datasets.add_parser(
            name, help=f"the layout of {name}", formatter_class=argparse.ArgumentDefaultsHelpFormatter
        )
        one.add_argument("root", metavar="DIR", help="empty or absent folder, or one to resume or to grow")
        one.add_argument("--snr", type=float, default=0.8, help="strength of what clips evoke: 0 to 3")
        one.add_argument("--seed", type=int, default=0, help="same seed, same bytes")
        one.add_argument("--n_subjects", type=int, default=people, help="how many people")
        one.add_argument("--raw_subjects", type=int, default=0, help="how many of them also get raw signals")
        one.add_argument("--axis", help="axis artifact whose stimulus positions are planted; if absent one is drawn")
        _add_world(one)
    faced, seedv = datasets.choices["faced"], datasets.choices["seedv"]
    faced.add_argument("--outlier", action="store_true", help="make sub023 3000 times too large, as in the release")
    seedv.add_argument("--seconds_per_trial", type=int, help="length of every clip; official lengths if absent")
    seedv.add_argument("--corrupt_header", action="store_true", help="break 7_1_20180411.cnt as in the release")
    return top


def _add_world(command: argparse.ArgumentParser) -> None:
    """``--linear``, the first version's world (with ``--snr 1``), and one flag a dial."""
    command.add_argument("--linear", action="store_true", help="a world without codes: linear decoders see everything")
    dials = command.add_argument_group("dials", "documented in datamodules/simulation/world.py")
    for dial in fields(World):
        kind = type(dial.default)
        default = f"{dial.default}; linear {getattr(LINEAR, dial.name)}"
        dials.add_argument(
            f"--{dial.name}", type=kind, default=argparse.SUPPRESS, metavar="X", help=f"default {default}"
        )


def _world(options: dict) -> World:
    """Take the dials out of the options of a command."""
    start = LINEAR if options.pop("linear") else CLIP_CODES
    return replace(start, **{dial.name: options.pop(dial.name) for dial in fields(World) if dial.name in options})


def main(args: Sequence[str] | None = None) -> None:
    """Run the command."""
    options = vars(parser().parse_args(args))
    dataset, root = options.pop("dataset"), options.pop("root")
    options["world"] = _world(options)
    check_strength(options["snr"])
    if options["seed"] < 0:
        raise ValueError(f"--seed {options['seed']}: a seed is a whole number from 0 on")
    if dataset == "faced":
        from datamodules.simulation.faced_files import SUBJECTS, spread_subjects, write_faced

        write_faced(root, **options)
        people = tuple(SUBJECTS[n] for n in spread_subjects(options["n_subjects"]))
    else:
        from datamodules.simulation.seedv_files import SUBJECTS, write_seedv

        write_seedv(root, **options)
        people = SUBJECTS[: options["n_subjects"]]
    print(f"simulated {dataset} cohort in {root}; a verdict on it, with the axis that was planted:")
    some = f" --data.subjects '[{','.join(people)}]'" if len(people) < len(SUBJECTS) else ""
    print(f"python train.py --data {dataset.upper()} --data.root {root} --axis {root}/axis.npz{some} --loss NAME")


if __name__ == "__main__":
    with one_line_errors():
        main()
