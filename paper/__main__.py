"""``python -m paper interventions``: the paper's tables, re-run and rendered beside the published values."""

import sys
from collections.abc import Sequence

from console.errors import one_line_errors

HELP = """\
The experiments of arXiv 2606.00129 as commands:

  python train.py                       one strategy against its baseline: helps, hurts, equivalent or unresolved
  python -m paper interventions         the table of all strategies; --run, --list, --help
"""


def main(args: Sequence[str] | None = None) -> int:
    """Run a command; expected errors are one line on stderr."""
    words = list(sys.argv[1:] if args is None else args)
    if not words or words[0] in ("-h", "--help"):
        print(HELP)
        return 0
    if words[0] != "interventions":
        raise SystemExit(f"error: no experiment '{words[0]}'; there is: interventions")
    from paper.interventions import main as interventions

    with one_line_errors():
        return interventions(words[1:])


if __name__ == "__main__":
    sys.exit(main())
