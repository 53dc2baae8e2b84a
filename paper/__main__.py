"""``python -m paper COMMAND``: the paper's tables and claims, re-run and rendered beside the published values."""

import importlib
import sys
from collections.abc import Sequence

from console.arguments import no_such
from console.errors import one_line_errors
from console.fitting import fitted
from console.output import robust_output

COMMANDS = ("interventions", "cascade", "reproduce", "augmentations", "one_run", "report", "claims")
HELP = """\
The experiments of arXiv 2606.00129 as commands:

  python train.py                       one strategy against its baseline: helps, hurts, equivalent or unresolved
  python -m paper interventions         the table of all strategies; --run, --list, --help
  python -m paper cascade               the ladder of recipes and its votes; --run, --help
  python -m paper reproduce NAME        a published decoder by its own recipe; --run, --help
  python -m paper augmentations         drop one operation out at a time; --run, --help
  python -m paper one_run               one run against the vote of ten, on many worlds; --run, --help
  python -m paper report                everything found under --runs as one HTML page and Markdown
  python -m paper claims                one line a claim: v1, revision, ours, and what it would take
"""


def main(args: Sequence[str] | None = None) -> int:
    """Run a command; expected errors are one line on stderr."""
    robust_output()
    words = list(sys.argv[1:] if args is None else args)
    if not words or words[0] in ("-h", "--help"):
        print(fitted(HELP))
        return 0
    if words[0] not in COMMANDS:
        raise SystemExit(no_such(words[0], COMMANDS, what="experiment"))
    with one_line_errors():
        return importlib.import_module(f"paper.{words[0]}").main(words[1:])


if __name__ == "__main__":
    sys.exit(main())
