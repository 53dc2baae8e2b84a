"""What a run has warned of, kept for its record: a line in a log that nobody reads is no warning."""

import logging
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

# Advice to programmers, and Lightning's about speed, say nothing about the numbers of a run.
NOT_OF_THE_RUN = (DeprecationWarning, PendingDeprecationWarning, FutureWarning, ImportWarning, ResourceWarning)
ROOMS = {path.name for path in Path(__file__).resolve().parents[1].iterdir() if (path / "__init__.py").is_file()}

# What a verdict counts itself, over all runs of an arm.
BEST_IS_LAST = "the last epoch is the best one: a longer run may have a better one"
WITHIN_WARMUP = "ends within its warm-up"

_heard: dict[str, None] = {}  # of this process, in order, each once


def so_far() -> list[str]:
    """The warnings of this process, and of the run that it resumes, in the order in which they came."""
    return list(_heard)


def add(texts: Iterable[str]) -> None:
    """Count warnings as heard that were not given as such."""
    _heard.update(dict.fromkeys(" ".join(text.split()) for text in texts))


@contextmanager
def listening() -> Iterator[None]:
    """Keep what is warned of within, by ``warnings`` or by a logger of the project; it is shown as before."""
    # Where nobody has set up logging, Python shows warnings by itself, but no more once there is a handler.
    handler = _Handler(show=not logging.getLogger().handlers)
    shown = warnings.showwarning
    _heard.clear()

    def show(message: Warning | str, category: type[Warning], *place: object, **more: object) -> None:
        if not issubclass(category, NOT_OF_THE_RUN) and category.__name__ != "PossibleUserWarning":
            add([str(message)])
        shown(message, category, *place, **more)  # type: ignore[arg-type]  # as it was called

    warnings.showwarning = show
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        warnings.showwarning = shown
        logging.getLogger().removeHandler(handler)


class _Handler(logging.Handler):
    def __init__(self, *, show: bool) -> None:
        super().__init__(logging.WARNING)
        self.show = show

    def emit(self, record: logging.LogRecord) -> None:
        if self.show and logging.lastResort:
            logging.lastResort.handle(record)
        if record.name.split(".")[0] in ROOMS:
            add([record.getMessage()])
