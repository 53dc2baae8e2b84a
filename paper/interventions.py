"""The paper's table of interventions as one command: run any subset of its rows, render ours beside the published."""

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path

from console.arguments import Arguments
from console.fitting import fitted

HELP = """\
The interventions of arXiv 2606.00129: every strategy against its control arm on paired seeds, ours beside published.

  python -m paper interventions                      render what is finished: table, CSV, LaTeX, forest plot, doses
  python -m paper interventions --run [FLAGS]        run what is missing; a simulated cohort unless --data is given
  python -m paper interventions --list [FLAGS]       the rows and the train.py commands of their arms

  --rows 1-8,rsa,recipe   rows: numbers, ranges, names, losses, families or groups (paper, recipe, figure, dose); all
  --seeds 42,123          paired seeds; by default the paper's five: 42,123,456,789,2025
  --devices 0,1,...       GPUs, one run on each      --devices_per_run N   GPUs a run (DDP)
  --planted               a simulated cohort draws its own axis; no language model is used
  --axes A,B              axis artifacts of further language models, for the rows that take several; by default two
                          other layers of the bundled model stand in
  --run_dir DIR           where settings and their runs lie (runs)
  --table DIR             where the record of the table lies; by default beside the runs of its setting, newest first
  FLAGS                   any flag of train.py fit but those of a loss: --config, --data, --trainer.max_epochs, ...

A repeated or interrupted --run goes on where it was; a failing run stops no other and its row says why.
"""

LISTED = """\
Each command runs once a seed (--seed N). Unless --planted or an axis is given, a simulated cohort also gets --data.axis
with the axis of the bundled language model."""


def main(argv: Sequence[str]) -> int:
    """Run the command; returns its exit code."""
    words = list(argv)
    if "-h" in words or "--help" in words:
        print(fitted(HELP))
        return 0
    from command_line.words import flags
    from paper.rows import rows, select

    args, words = _parser().parse_known_args(words)
    chosen = select(args.rows.split(",")) if args.rows else list(rows().values())
    if loss := next((f"--{name}" for name in sorted(flags(words)) if name.split(".")[0] == "loss"), None):
        raise ValueError(f"{loss}: the rows choose the loss; python train.py --loss ... gives the verdict on any other")
    if args.list:
        print(_listing(chosen, words))
        return 0
    if args.run:
        campaign = _campaign(args, words, command=shlex.join(["python", "-m", "paper", "interventions", *argv]))
        failed = campaign.run(chosen)
        folder = campaign.table.folder
    elif words or args.planted or args.seeds or args.devices or args.axes:
        given = words[0] if words else "this flag"
        raise ValueError(
            f"{given} only means something with --run or --list; rendering takes --rows, --run_dir and --table"
        )
    else:
        failed, folder = False, _newest(args.table, root=args.run_dir)
    from paper.table import Table, render

    print(render(Table.load(folder), chosen))
    return int(failed)


def _parser() -> Arguments:
    parser = Arguments("python -m paper interventions", add_help=False)
    for switch in ("--run", "--list", "--planted"):
        parser.add_argument(switch, action="store_true")
    for name in ("--rows", "--seeds", "--devices", "--axes", "--table"):
        parser.add_argument(name)
    parser.add_argument("--devices_per_run", default="1")
    parser.add_argument("--run_dir", default="runs")
    return parser


def _campaign(args: argparse.Namespace, words: Sequence[str], *, command: str):
    """Everything that the flags ask for, made ready; what does not fit is refused before anything is made."""
    from command_line.settings import RunSettings
    from paper.campaign import Campaign, existing
    from paper.rows import seeds
    from studies.devices import chosen, named
    from studies.seeds import one_number, seeds_given
    from studies.slots import slots

    devices, per_run = named(args.devices), one_number(args.devices_per_run, flag="--devices_per_run")
    wanted = {"seeds": seeds() if args.seeds is None else seeds_given(args.seeds), "axes": existing(args.axes)}
    run = RunSettings.parse(words)
    devices = chosen(devices, run)
    slots(devices=devices, per_run=per_run)  # refuses what does not fit before anything is made
    return Campaign.prepare(
        run, command=command, folder=args.table, planted=args.planted, root=Path(args.run_dir),
        devices=devices, per_run=per_run, **wanted,
    )  # fmt: skip


def _newest(named: str | None, *, root: str) -> Path:
    from paper.table import NAME

    if named:
        return Path(named)
    found = sorted(Path(root).glob(f"*/interventions/{NAME}"), key=lambda file: file.stat().st_mtime, reverse=True)
    if not found:
        raise FileNotFoundError(f"no table under {root}/; make one with: python -m paper interventions --run")
    if len(found) > 1:
        others = ", ".join(str(file.parent) for file in found[1:])
        print(f"the newest of {len(found)} tables; others, by --table: {others}\n")
    return found[0].parent


def _listing(chosen, argv: Sequence[str]) -> str:
    """Every row with its published result and the commands of both arms."""
    from command_line.settings import RunSettings
    from paper.row_flags import readable
    from paper.rows import GROUPS

    text, base = [LISTED], RunSettings.parse(argv)
    group = None
    for row in chosen:
        if row.group != group:
            group = row.group
            text += ["", f"-- {GROUPS[group] or 'for the dose curves'}"]
        published = f"published {row.delta:+.4g}" + (f", p {row.p_text}" if row.p_text else "") if row.delta else ""
        text.append(f"{row.id:<6} {row.label:<28} {row.family:<20} {published}")
        text += [f"       note: {row.note}"] if row.note else []
        for arm in ("control", "treated"):
            try:
                text.append(f"       {arm:<8} python train.py fit {shlex.join(readable(row, base, arm, typed=argv))}")
            except (ValueError, SystemExit) as error:
                text.append(f"       {arm:<8} {error}")
                break
    return "\n".join(text)
