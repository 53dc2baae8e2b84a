"""``train.py validate | test | predict RUN``: from a run directory alone."""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from command_line.reopen import checkpoint_file, open_run, settings_anywhere
from command_line.words import normalise
from lightning_modules.contents import read
from records.files import atomic
from records.layout import RunDirectory
from records.result import SPLITS

USAGE = "python train.py {0} RUN_DIR [flags], or a checkpoint file in place of the folder"


def evaluate(argv: list[str]) -> None:
    """Score or predict with the best checkpoint of a run, or with the checkpoint file that is named.

    Settings come from the checkpoint; flags after it may name other data (``--data.root DIR``).

    Args:
        argv: the subcommand, the run, flags.
    """
    from command_line.parser import run

    subcommand, words = argv[0], argv[1:]
    if subcommand == "predict":
        return _predict(words)
    if any(word.split("=")[0].endswith(("-h", "help", "--print_config")) for word in words):
        return run(normalise(argv))
    file, words = _named(subcommand, words)
    settings = json.dumps(settings_anywhere(read(file)))
    words = ["--config", settings, f"--ckpt_path={file}", f"--run_dir={RunDirectory.of(file).path}", *words]
    run(normalise([subcommand, *words]))


def _named(subcommand: str, words: list[str]) -> tuple[Path, list[str]]:
    """The checkpoint that the words name and the words without it.

    Raises:
        ValueError: none or two are named.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--ckpt_path", type=Path)
    found, words = parser.parse_known_args(words)
    run = words.pop(0) if words and not words[0].startswith("-") else None
    if (found.ckpt_path is None) == (run is None):
        raise ValueError(f"name one run to {subcommand}: {USAGE.format(subcommand)}")
    file = found.ckpt_path if run is None else Path(run)
    return (file if file.suffix == ".ckpt" else checkpoint_file(file)), words


def _predict(words: list[str]) -> None:
    parser = argparse.ArgumentParser(
        prog="python train.py predict",
        description="Probabilities and features of the trials of a split, in a file.",
        usage=USAGE.format("predict"),
        epilog="Further flags name other data or settings: python train.py fit --help lists them.",
        allow_abbrev=False,
    )
    parser.add_argument("--split", choices=["train", *SPLITS, "all"], default="test")
    parser.add_argument("--out", type=Path, help="file to write; by default predict.npz in the run directory")
    args, words = parser.parse_known_args(words)
    file, flags = _named("predict", words)
    opened = open_run(file.parent, checkpoint=file, flags=flags)
    trials = opened.predict(split=args.split)
    out = args.out or RunDirectory.of(file).predict
    arrays: dict[str, Any] = {
        f"{args.split}_{name}": array for name, array in (trials.predictions() | {"h": trials.h}).items()
    }
    names: dict[str, Any] = {
        "subjects": np.array(opened.data.spec.subjects),
        "classes": np.array(opened.contents.spec.classes),
    }
    with atomic(out) as partial, open(partial, "wb") as handle:
        np.savez(handle, **arrays, **names)
    print(f"wrote {out}: {len(trials.index)} trials of {args.split}, epoch {opened.contents.epoch} of {file}")
