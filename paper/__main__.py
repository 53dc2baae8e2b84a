"""``python -m paper interventions``: the paper's tables, re-run and rendered beside the published values."""

import os
import sys
from collections.abc import Sequence

HELP = """\
The experiments of arXiv 2606.00129 as commands:

  python train.py                       one strategy against its baseline: helps, hurts or unresolved
  python -m paper interventions         the table of all strategies; --run, --list, --help
"""


def main(args: Sequence[str] | None = None) -> int:
    """Run a command; expected errors are one line on stderr."""
    words = list(sys.argv[1:] if args is None else args)
    if not words or words[0] in ("-h", "--help"):
        print(HELP)
        return 0
    if words[0] != "interventions":
        print(f"error: no experiment '{words[0]}'; there is: interventions", file=sys.stderr)
        return 2
    from paper.interventions import main as interventions

    try:
        return interventions(words[1:])
    except (ValueError, OSError, RuntimeError) as error:
        if "VAXIS_DEBUG" in os.environ:
            raise
        print(f"error: {error}\n(VAXIS_DEBUG=1 shows where)", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; the same command goes on where it was", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
