"""How a command ends when its user can do something: one line on stderr."""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from console.output import robust_output


@contextmanager
def one_line_errors(explain: Callable[[str], str] = str) -> Iterator[None]:
    """End the process with one line where its user can do something; ``VAXIS_DEBUG`` shows the traceback.

    An error that has an ``exit_status`` ends the process with it, so that who started the process can tell it apart.

    Args:
        explain: makes the line out of the message of an exception.
    """
    robust_output()
    try:
        refuse_bytes()
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


def refuse_bytes() -> None:
    """Refuse names in bytes that are no text here: YAML and JSON that hold them can be written and not read again.

    Raises:
        ValueError: says which name and what helps.
    """
    places = {f"'{word}'": word for word in sys.argv[1:]}
    places |= {"VAXIS_CACHE": os.environ.get("VAXIS_CACHE", ""), "the folder of the project": __file__}
    with contextlib.suppress(FileNotFoundError):  # a folder that was removed is another command's to tell
        places["the working directory"] = os.getcwd()
    for place, text in places.items():
        if any("\udc80" <= letter <= "\udcff" for letter in text):
            raise ValueError(
                f"{place} holds bytes that are no text in {sys.getfilesystemencoding()}; "
                "give it a name in ASCII (or set PYTHONUTF8=1 where it is UTF-8)"
            )
