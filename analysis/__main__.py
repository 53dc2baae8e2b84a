"""``python -m analysis NAME RUN... [--out DIR]``: one analysis of finished runs; without a name, the list of them."""

import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

from analysis.base import commands
from console.arguments import Arguments, no_such
from console.errors import one_line_errors
from console.fitting import fitted
from console.output import robust_output

HELP = """\
Analyses of finished runs, from their folders alone:

  python -m analysis NAME RUN... [--out DIR]    one analysis; with --out its numbers as DIR/NAME.json
  python -m analysis NAME --help                its flags
"""


def main(args: Sequence[str] | None = None) -> None:
    """Run a command; expected errors are one line on stderr.

    Args:
        args: words after ``python -m analysis``; by default those of the process.
    """
    robust_output()
    words = list(sys.argv[1:] if args is None else args)
    known = commands()
    if not words or words[0] in ("-h", "--help"):
        print(fitted("\n".join([HELP, *(f"  {name:<21} {summary}" for name, summary in known.items())])))
        return
    name = words[0]
    if name not in known:
        raise SystemExit(no_such(name, known, what="analysis"))
    with one_line_errors():
        _run(name, words[1:])


def _run(name: str, words: list[str]) -> None:
    command = importlib.import_module(f"analysis.{name}")
    parser = Arguments(f"python -m analysis {name}", about=command.__doc__)
    # A flag that this parser does not know may have a value, which would pass for a RUN: either runs or settings.
    settings = getattr(command, "SETTINGS", False) and words[:1] not in ([], ["-h"], ["--help"]) and words[0][0] == "-"
    settings = settings or not getattr(command, "RUNS", True)  # a command on data alone may do without any word
    if not settings:
        parser.add_argument("runs", metavar="RUN", nargs="+", type=Path, help="run directory, or a folder of runs")
    parser.add_argument("--out", type=Path, metavar="DIR", help=f"write {name}.json and whatever else it makes there")
    command.add_arguments(parser)
    args, rest = parser.parse_known_args(words) if settings else (parser.parse_args(words), [])
    args.settings = rest
    if settings:
        args.runs = []
    findings = command.main(args)
    print(findings.text)
    if args.out:
        print(f"\n{findings.save(args.out, name=name)}")


if __name__ == "__main__":
    main()
