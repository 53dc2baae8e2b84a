"""``python -m paper augmentations``: which operation of the augmentation carries it? All, less one at a time."""

import json
import shlex
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from console.arguments import Arguments
from paper import training

ALL = "all operations"
ABOUT = """\
Drop one out: the decoder with every operation of the augmentation, without each of them, and without any.

  python -m paper augmentations                    the arms and their commands
  python -m paper augmentations --run [FLAGS]      train what is missing, then the table; FLAGS: of train.py fit

On raw EEG the operations are noise, channel dropout, a mask in time, jitter and amplitude; on band features, which have
no time, noise, channel dropout and amplitude. One arm stands against all operations, paired by seed."""
# The defaults of ``datamodules.augmentation`` are the paper's; jitter and amplitude are those of its earlier draft.
OPERATIONS = {
    "noise_std": 0.05,
    "channel_dropout": 0.15,
    "amplitude_scale": 0.1,
    "time_mask": 0.05,
    "jitter_samples": 20,
}
IN_TIME = ("time_mask", "jitter_samples")


def arms(*, raw: bool) -> dict[str, list[str]]:
    """Flags of every arm by its name."""
    kept = {name: value for name, value in OPERATIONS.items() if raw or name not in IN_TIME}
    off = {name: 0 for name in OPERATIONS if name not in kept}

    def words(values: dict[str, float]) -> list[str]:
        every = {"probability": 0.6, **off, **values}
        return [f"--data.augmentation.{name}={value:g}" for name, value in every.items()]

    without = {f"without {name}": words(kept | {name: 0}) for name in kept}
    return {ALL: words(kept), **without, "no augmentation": []}


def main(argv: Sequence[str]) -> int:
    """Run the command; returns its exit code."""
    parser = Arguments("python -m paper augmentations", about=ABOUT)
    training.add_arguments(parser, seeds="42,123,456,789,2025")
    args, words = parser.parse_known_args(list(argv))
    from command_line.settings import RunSettings
    from command_line.words import normalise

    base = RunSettings.parse(normalise(list(words)))
    every = arms(raw=base.value("data.features") == "raw")
    if not args.run:
        lines = [f"{name:<26} python train.py fit {shlex.join([*words, *own])}" for name, own in every.items()]
        print("\n".join([*lines, "", "python -m paper augmentations --run trains them; --help"]))
        return 0
    from studies.seeds import numbers

    seeds = numbers(args.seeds, flag="--seeds")
    trained, simulated = training.train({name: base.with_words(own) for name, own in every.items()}, args, seeds)
    folders = {name: arm.path for name, arm in trained.items()}
    print(_table(folders, seeds, simulated=simulated, command=shlex.join(["python", "-m", "paper", *argv])))
    return 0


def _table(folders: dict[str, Path], seeds: Sequence[int], *, simulated: bool, command: str) -> str:
    """Every arm against that with all operations, corrected for their number; also written as JSON."""
    from analysis.base import finite
    from analysis.interventions import Intervention, compare
    from analysis.interventions_text import terminal
    from records.files import atomic

    asked = [
        Intervention(
            id=str(k), label=name, group="augmentation", baseline=folders[ALL], treated=path, seeds=tuple(seeds)
        )
        for k, (name, path) in enumerate(folders.items())
        if name != ALL
    ]
    found = compare(asked)
    file = folders[ALL].parent / "augmentations.json"
    rows = [
        {"arm": line.asked.label, **asdict(line.measured), "p_holm": line.p_holm, "seeds": line.seeds} for line in found
    ]
    with atomic(file) as partial:
        content = {"format": 1, "analysis": "augmentations", "command": command, "simulated": simulated, "rows": rows}
        partial.write_text(json.dumps(finite(content), indent=1, allow_nan=False) + "\n", encoding="utf-8")
    title = "Drop one out: change when an operation is taken away"
    headings = {"augmentation": "against the same decoder with every operation"}
    return f"{terminal(found, title=title, headings=headings)}\n\nwritten  {file}"
