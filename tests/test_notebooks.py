"""The notebooks of the documentation run from top to bottom."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from tests.conftest import ROOT

NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))


def code(path):
    cells = json.loads(path.read_text())["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_valid_python_and_carries_no_output(path):
    for cell in code(path):
        compile(cell, str(path), "exec")
    assert all(not cell.get("outputs") for cell in json.loads(path.read_text())["cells"])


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path, tmp_path):
    """In a folder of its own that has the project's files, so that ``runs/`` is not the user's."""
    for entry in ROOT.iterdir():
        if entry.name not in ("runs", ".git", ".cache") and not entry.name.endswith("_cache"):
            (tmp_path / entry.name).symlink_to(entry)
    script = tmp_path / "notebook.py"
    script.write_text("\n".join(code(path)))
    env = {
        **os.environ,
        "VAXIS_CACHE": os.environ.get("VAXIS_CACHE", str(ROOT / ".cache")),
        "PYTHONPATH": str(tmp_path),
    }
    found = subprocess.run(
        [sys.executable, str(script)], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=900
    )
    shutil.rmtree(tmp_path / "runs", ignore_errors=True)
    assert not found.returncode, found.stderr
    assert found.stdout.strip()
