"""``python -m paper cascade``: the paper's ladder of recipes and its votes, ours beside the published numbers."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from console.arguments import Arguments
from paper import training

if TYPE_CHECKING:
    from command_line.settings import RunSettings
    from paper.recipes import Kind
    from studies.arms import Arm

ABOUT = """\
The ladder of arXiv 2606.00129: each rung adds to the one before it; then votes of the runs of its last two rungs.

  python -m paper cascade                     the rungs and their commands
  python -m paper cascade --run [FLAGS]       train what is missing, then the table; a simulated cohort unless --data
                                              is given
  FLAGS: any flag of train.py fit, for every rung, such as --data FACED --data.root DIR or --trainer.max_epochs 20

On raw EEG the rungs are those of the paper (EMOD). On band features stand the nearest things that a laptop can train;
no published number is expected of them. A repeated or interrupted command goes on where it was."""


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A rung with its runs.

    Attributes:
        id: of the rung.
        label: for people.
        arm: its runs.
        epochs: of each.
    """

    id: str
    label: str
    arm: "Arm"
    epochs: int


def main(argv: Sequence[str]) -> int:
    """Run the command; returns its exit code."""
    parser = Arguments("python -m paper cascade", about=ABOUT)
    training.add_arguments(parser, seeds="42,123,456,789,2025")
    parser.add_argument("--kind", choices=("raw", "band"), help="which ladder; by default raw on your data, else band")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where cascade.json, .md and .png go; beside the runs")
    args, words = parser.parse_known_args(list(argv))
    kind: Kind = args.kind or ("raw" if _real(words) else "band")
    if not args.run:
        print(_listing(kind, words))
        return 0
    from paper.cascade_table import tabulate
    from paper.recipes import rungs
    from studies.seeds import numbers

    seeds = numbers(args.seeds, flag="--seeds")
    runs = {step.id: settings_of(step.id, kind, words) for step in rungs()}
    arms, _ = training.train(runs, args, seeds)
    trained = [
        Trained(id=step.id, label=step.named(kind), arm=arms[step.id], epochs=runs[step.id].epochs) for step in rungs()
    ]
    folder = args.out or trained[0].arm.path.parent.parent / "cascade"
    print(
        tabulate(trained, seeds=seeds, folder=folder, command=shlex.join(["python", "-m", "paper", "cascade", *argv]))
    )
    return 0


def settings_of(rung: str, kind: "Kind", words: Sequence[str]) -> "RunSettings":
    """The run of a rung: its flags, then those of the user.

    Raises:
        ValueError: the user's flags choose a loss, which is the ladder's to choose, or are wrong.
    """
    from command_line.settings import RunSettings
    from command_line.words import chooses_strategy, normalise
    from paper.recipes import rungs, words_of

    if chooses_strategy(list(words)):
        raise ValueError(
            "--loss: the ladder chooses the loss; python train.py --loss ... gives the verdict on any other"
        )
    run = RunSettings.parse(normalise([*words_of(rung, kind), *words]))
    (step,) = (step for step in rungs() if step.id == rung)
    return run.with_value("trainer.max_epochs", round(step.longer * run.epochs))


def _real(words: Sequence[str]) -> bool:
    """Whether the words name data of the user's own."""
    from command_line.words import option

    name, _ = option(list(words), "--data")
    return name is not None and not name.startswith("Simulated")


def _listing(kind: "Kind", words: Sequence[str]) -> str:
    from paper.recipes import rungs, title, votes, words_of

    text = [f"{title()}, rungs on {'raw EEG' if kind == 'raw' else 'band features'}"]
    for step in rungs():
        known = f"published {step.published:.4f}" if step.published else ""
        text.append(f"{step.named(kind):<30} {known:<18} {step.source}")
        longer = f" (x {step.longer:g} epochs)" if step.longer != 1 else ""
        text.append(f"    python train.py fit {shlex.join([*words_of(step.id, kind), *words])}{longer}")
    for vote in votes():
        known = f"published {vote.published:.4f}" if vote.published else ""
        text.append(f"{vote.label:<30} {known:<18} {vote.source}")
    return "\n".join([*text, "", "python -m paper cascade --run trains them; --help"])
