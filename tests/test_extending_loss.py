"""The losses of ``docs/extending/loss.md``, dropped into a copy of the project: they keep the contract and train."""

import ast
import json
import re
import shutil
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.runs import environment

PAGE = ROOT / "docs" / "extending" / "loss.md"
FILES = dict(re.findall(r"^`(losses/\w+\.py)`:\n\n```python\n(.*?)^```", PAGE.read_text(), re.M | re.S))


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A copy without its tests' results or its history, with the two files of the page."""
    folder = tmp_path_factory.mktemp("project")
    for name in [path.name for path in ROOT.iterdir() if (path / "__init__.py").exists()] + ["tests", "configs"]:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("train.py", "pyproject.toml"):
        shutil.copy(ROOT / name, folder / name)
    for name, source in FILES.items():
        (folder / name).write_text(source)
    return folder


def started(project, cache, *words: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, *words],
        cwd=project,
        env=environment(cache),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_the_page_has_two_files_and_shows_what_it_explains():
    assert sorted(FILES) == ["losses/axis_in_change.py", "losses/pull_to_axis.py"]
    defined = {node.name for node in ast.walk(ast.parse("\n".join(FILES.values()))) if hasattr(node, "name")}
    assert {"build", "forward", "prepare", "phases"} <= defined
    assert "couples_samples = True" in FILES["losses/axis_in_change.py"]


def test_they_keep_the_contract(project, tmp_path):
    done = started(
        project, tmp_path, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", "-rA", "-k",
        "pull_to_axis or axis_in_change", "tests/test_losses.py", "tests/test_losses_degenerate.py",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    for name in ("pull_to_axis", "axis_in_change"):
        assert f"TestContractInTheDecoder::test_computes_in_float32_without_autocast[{name}]" in done.stdout


def test_they_train_side_by_side(project, tmp_path):
    """A combination with a first phase: both files, both hooks of the second and the data of a user without any."""
    done = started(
        project, tmp_path / "cache", "train.py", "fit", "--config", "configs/simulated.yaml", "--loss",
        "pull_to_axis+axis_in_change", "--loss.axis_in_change.axis_epochs", "1", "--trainer.max_epochs", "1",
        "--model.optimisation.warmup_epochs", "0", "--trainer.enable_progress_bar=false",
        f"--run_dir={tmp_path / 'run'}",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert result["loss"] == "pull_to_axis+axis_in_change"
    assert [(phase["name"], phase["epochs"], phase["task"]) for phase in result["phases"]] == [
        ("axis", 1, False),
        ("train", 1, True),
    ]
