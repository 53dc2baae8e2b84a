"""A copy of the project that a test may add files to, and the files that a document tells its reader to add."""

import re
import shutil
from pathlib import Path

from tests.conftest import ROOT


def copy_project(folder: Path) -> Path:
    """Every package, the tests and the settings files; no runs and no data.

    Args:
        folder: an existing empty folder.
    """
    packages = [path.name for path in ROOT.iterdir() if (path / "__init__.py").exists()]
    for name in [*packages, "tests", "configs"]:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("train.py", "pyproject.toml"):
        shutil.copy(ROOT / name, folder / name)
    return folder


def files_in(document: Path) -> dict[str, str]:
    """The titled code blocks of a document: path below the project -> content."""
    blocks = re.findall(r'^```\w+ title="([^"]+)"\n(.*?)^```$', document.read_text(), flags=re.MULTILINE | re.DOTALL)
    return dict(blocks)
