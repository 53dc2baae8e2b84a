"""Which code wrote a record: commit and versions of what the numbers depend on."""

import platform
import subprocess
from importlib.metadata import version
from pathlib import Path


def code_version() -> dict[str, str | bool | None]:
    """Commit of this code and whether files differ from it; None outside a git checkout."""

    def git(*arguments: str) -> str | None:
        try:
            return subprocess.run(
                ["git", *arguments], cwd=Path(__file__).parent, capture_output=True, text=True, check=True
            ).stdout.strip()
        except (OSError, subprocess.CalledProcessError):
            return None

    changes = git("status", "--porcelain")
    return {"commit": git("rev-parse", "HEAD"), "dirty": None if changes is None else bool(changes)}


def versions() -> dict[str, str]:
    """Versions of the libraries that compute."""
    return {name: version(name) for name in ("torch", "lightning", "numpy")} | {"python": platform.python_version()}
