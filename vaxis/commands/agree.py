"""``python -m vaxis agree MODEL MODEL ...``: do the axes of different models order the same texts alike?"""

import argparse
import gc
import json
import re
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from records.files import atomic, cache_dir
from vaxis.commands.extract import add_model_arguments, model_options
from vaxis.language.readouts import HELP

if TYPE_CHECKING:
    from vaxis.validity.model_answer import Question

REFERENCE = "last"  # the paper's read-out is always reported beside the one asked for
_OWN = ("clips", "separation")  # what the results hold beside the corpora


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of the command; imports nothing heavy."""
    parser.add_argument(
        "models", nargs="+", metavar="MODEL", help="bundled, a folder, a .gguf file or a hub id; or NAME=MODEL"
    )
    parser.add_argument("--readout", default="framed", metavar="READOUT", help=HELP)
    parser.add_argument("--layer", default="penultimate", metavar="N", help="penultimate, final, or a number of blocks")
    parser.add_argument("--sentences", metavar="FILE", help="YAML with your own sentences for the nine classes")
    parser.add_argument(
        "--corpora",
        nargs="*",
        default=[],
        metavar="NAME",
        help="rated texts beside the 28 clips: tweets movies amazon nyt, or a .csv or .tsv file; see validate",
    )
    parser.add_argument("--samples", type=int, default=200, help="texts of each corpus")
    add_model_arguments(parser)
    parser.add_argument("--out", metavar="FOLDER", help="results; by default in the cache")
    parser.add_argument("--again", action="store_true", help="read every model again")


def main(args: argparse.Namespace) -> int:
    """Read each model that was not read before, then compare all that could be read."""
    from vaxis.language.readouts import readout_of
    from vaxis.language.texts import load_texts
    from vaxis.validity.comparison import compare
    from vaxis.validity.comparison_text import describe
    from vaxis.validity.corpora import by_name, reported
    from vaxis.validity.model_answer import Question

    readouts = tuple(dict.fromkeys((readout_of(args.readout).name, REFERENCE)))
    corpora = by_name((reported(name, args.samples) for name in args.corpora), taken=_OWN)
    question = Question(
        texts=load_texts("faced", args.sentences),
        corpora={name: corpus.texts for name, corpus in corpora.items()},
        readouts=readouts,
        layer=args.layer,
    )
    folder = Path(args.out) if args.out else cache_dir() / "agree"
    answers, failed = _ask_all(args, question, folder)
    ratings = {"clips": question.texts.rated_valence} | {name: corpus.ratings for name, corpus in corpora.items()}
    result = compare(answers, ratings=ratings, readouts=readouts) | {"failed": failed}
    for names in _repeated(answers):
        print(f"warning: one model under the names {', '.join(names)}; the mean counts it again", file=sys.stderr)
    print(describe(result))
    print(f"\n{_write(result, folder / 'agreement.json')}")
    if answers:
        from vaxis.validity.comparison_figure import draw

        print(draw(result, folder / "agreement.png"))
    return 1 if failed else 0


def _ask_all(args: argparse.Namespace, question: "Question", folder: Path) -> tuple[dict[str, dict], dict[str, str]]:
    """The answers by name, from files where there are any, and why the others failed."""
    from vaxis.validity.model_answer import ask, load, save

    answers, failed, options = {}, {}, model_options(args)
    for number, (name, model) in enumerate(_named(args.models).items(), start=1):
        start = f"[{number}/{len(args.models)}] {name}"
        try:
            path = folder / "models" / f"{_plain(name)}-{_key(model, question, options)}.npz"
            if path.is_file() and not args.again:
                answers[name] = load(path)
                print(f"{start}: read before", file=sys.stderr)
                continue
            print(f"{start}: opening", file=sys.stderr, flush=True)
            say = partial(print, f"{start}:", file=sys.stderr, flush=True)
            answers[name] = ask(model, question, on_plan=say, progress=sys.stderr.isatty(), **options)
            save(answers[name], path)
        except Exception as error:  # one model that fails must not cost the others
            # Other commands open models by --llm; here the model is named without a flag.
            failed[name] = " ".join(str(error).split()).removeprefix("--llm ") or type(error).__name__
            print(f"{start} failed: {failed[name]}", file=sys.stderr)
        gc.collect()
    return answers, failed


def _repeated(answers: dict[str, dict]) -> list[list[str]]:
    """Names of equal weights."""
    names: dict[str, list[str]] = {}
    for name, answer in answers.items():
        names.setdefault(answer["about"]["weights"], []).append(name)
    return [same for same in names.values() if len(same) > 1]


def _named(models: list[str]) -> dict[str, str]:
    """Models by the name they are shown under: the one given, or the end of the path."""
    named = {}
    for given in models:
        name, equals, model = given.partition("=")
        model = model if equals else given
        if not equals:
            name = "SmolLM2-135M-Instruct" if model == "bundled" else re.sub(r"\.gguf$", "", Path(model).name)
        if name in named:
            raise ValueError(f"two models are called '{name}'; tell them apart with NAME=MODEL")
        named[name] = model
    return named


def _key(model: str, question: "Question", options: dict) -> str:
    """What makes a file the answer asked for; a local model that is replaced is read again."""
    from vaxis.language.texts import digest

    path = Path(model)
    files = sorted(path.iterdir()) if path.is_dir() else [path] if path.is_file() else []
    stamp = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return digest([model, stamp, question.key, str(options.get("dtype"))])


def _plain(name: str) -> str:
    return re.sub(r"[^\w.-]+", "_", name)


def _write(result: dict, path: Path) -> Path:
    with atomic(path) as partial:
        partial.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return path
