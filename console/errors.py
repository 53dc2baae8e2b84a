"""How a command ends when its user can do something: one line on stderr."""

import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def one_line_errors(explain: Callable[[str], str] = str) -> Iterator[None]:
    """End the process with one line where its user can do something; ``VAXIS_DEBUG`` shows the traceback.

    An error that has an ``exit_status`` ends the process with it, so that who started the process can tell it apart.

    Args:
        explain: makes the line out of the message of an exception.
    """
    _write_what_they_can()
    try:
        yield
    except (ValueError, OSError, RuntimeError) as error:
        if "VAXIS_DEBUG" in os.environ:
            raise
        said = f"error: {explain(str(error))}\n(VAXIS_DEBUG=1 shows where)"
        if (status := getattr(error, "exit_status", None)) is None:
            raise SystemExit(said) from None
        sys.stderr.write(f"{said}\n")
        raise SystemExit(status) from None
    except KeyboardInterrupt:
        raise SystemExit("stopped; the same command goes on where it was") from None


def _write_what_they_can() -> None:
    """Show a question mark where a terminal or a log has no such letter: an answer must not be lost to a name in it."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a test or a notebook may have put something else in its place
            stream.reconfigure(errors="replace")
