"""How a run ends that somebody stops: not with success, and with the one line that says how it goes on."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn, cast

from lightning.pytorch.utilities.exceptions import SIGTERMException
from lightning.pytorch.utilities.rank_zero import rank_zero_only

GOES_ON = "the same command goes on after its last complete epoch"


@contextmanager
def said_when_stopped() -> Iterator[None]:
    """End with a status that no batch system takes for success when SIGTERM or Ctrl-C arrives within.

    Lightning ends a fit that was sent SIGTERM as if it were complete, with status 0 and no result.
    """
    if threading.current_thread() is threading.main_thread():  # others may not; then Lightning's own handler is left
        signal.signal(signal.SIGTERM, _stop)
    try:
        yield
    except SIGTERMException:
        _end("SIGTERM", signal.SIGTERM)
    except KeyboardInterrupt:
        _end("Ctrl-C", signal.SIGINT)
    except SystemExit as stop:
        if not isinstance(stop.__context__, KeyboardInterrupt):
            raise
        _end("Ctrl-C", signal.SIGINT)  # the Trainer has turned it into an exit of its own


def _stop(number: int, frame: Any) -> NoReturn:
    raise SIGTERMException


def _end(what: str, number: signal.Signals) -> NoReturn:
    if getattr(cast(Any, rank_zero_only), "rank", 0) == 0:  # one line a run, not one a rank
        print(f"stopped by {what}; {GOES_ON}", file=sys.stderr, flush=True)
    raise SystemExit(128 + number) from None  # as a shell counts the deaths by signals
