"""Where in a plug-in an exception came from: the one line that who writes one needs."""

import sysconfig
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from command_line.catalogue import FOLDERS, ROOT

LIBRARIES = tuple(Path(sysconfig.get_path(name)) for name in ("stdlib", "purelib", "platlib"))


@contextmanager
def located() -> Iterator[None]:
    """Turn an exception that passed through a plug-in into one line with file, line and what was said.

    Raises:
        ValueError: in the place of whatever a plug-in raised; other exceptions pass as they are.
    """
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        raise
    except Exception as error:
        if (where := _place(error)) is None:
            raise
        said = " ".join(str(error).split())
        kind = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
        raise ValueError(f"{where}: {kind}{said}") from error


def _place(error: Exception) -> str | None:
    """File and line of the innermost frame in a plug-in: in its folder of the project, or in a module of the user's."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{_shown(Path(error.filename))}:{error.lineno}"
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        file = Path(frame.filename).resolve()
        if file.is_file() and _of_a_plugin(file):
            return f"{_shown(file)}:{frame.lineno}"
    return None


def _of_a_plugin(file: Path) -> bool:
    if file.is_relative_to(ROOT) and ".venv" not in file.parts:
        return file.relative_to(ROOT).parts[0] in FOLDERS.values()
    return not any(file.is_relative_to(folder) for folder in LIBRARIES) and "site-packages" not in file.parts


def _shown(file: Path) -> str:
    file = file.resolve()
    return str(file.relative_to(ROOT) if file.is_relative_to(ROOT) else file)
