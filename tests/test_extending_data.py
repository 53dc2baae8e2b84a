"""The data set of docs/extending/data.md, taken out of the document and used the way a reader would."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from tests.conftest import ROOT
from tests.project_copy import copy_project, files_in

FILES = files_in(ROOT / "docs" / "extending" / "data.md")
YAML, CODE = FILES["datamodules/seediv.yaml"], FILES["datamodules/seediv.py"]
# ``python -m vaxis`` with a stand-in that knows good and bad words where a language model would be opened.
WITH_WORDS = (
    "import sys\nfrom tests.words_model import Words\nfrom vaxis.__main__ import main\n"
    "from vaxis.language import extraction\n"
    "extraction._open = lambda *args, **kwargs: Words()\nsys.exit(main(sys.argv[1:]))"
)


def write_files(root: Path) -> Path:
    """Fifteen people in the document's layout: two or three windows a clip, louder the better the clip feels."""
    taxonomy = yaml.safe_load(YAML)
    valence = np.array(list(taxonomy["classes"].values()))[taxonomy["class_of"]]
    rng = np.random.default_rng(0)
    pattern = rng.normal(size=(62, 5))
    (root / "eeg_de").mkdir(parents=True)
    for subject in range(1, 16):
        clip = np.repeat(np.arange(72), rng.integers(2, 4, size=72))
        de = rng.normal(size=(len(clip), 62, 5)) + valence[clip, None, None] * pattern
        np.savez(root / "eeg_de" / f"{subject}.npz", de=de, clip=clip)
    return root


def run(*words: str, cwd: Path, cache: Path, **extra: str) -> subprocess.CompletedProcess:
    environment = os.environ | {"VAXIS_CACHE": str(cache), "WANDB_MODE": "disabled", "OMP_NUM_THREADS": "1", **extra}
    return subprocess.run(
        [sys.executable, *words], cwd=cwd, env=environment, capture_output=True, text=True, timeout=300
    )


def printed_command(message: str) -> list[str]:
    """The words after ``python -m vaxis`` of the command that a message asks for."""
    return shlex.split(message.split("make one with: python -m vaxis ")[1].split("\n")[0])


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    return write_files(tmp_path_factory.mktemp("data") / "SEED-IV")


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    folder = copy_project(tmp_path_factory.mktemp("project"))
    for path, content in FILES.items():
        (folder / path).write_text(content)
    return folder


@pytest.fixture(scope="module")
def axis(project, root, cache) -> Path:
    """Made by the very command that a first ``fit`` asks for."""
    refused = run("train.py", "fit", "--data", "SEEDIV", f"--data.root={root}", cwd=project, cache=cache)
    assert refused.returncode == 1
    words = printed_command(refused.stderr)
    assert words == ["extract", "--taxonomy", "seediv"]
    made = run("-c", WITH_WORDS, *words, cwd=project, cache=cache)
    assert made.returncode == 0, made.stderr
    return Path(made.stdout.strip().split("\n")[-1])


def test_the_artifact_carries_its_classes(axis):
    """Read by this project, which does not have the file."""
    from vaxis.axis import Axis

    loaded = Axis.load(axis)
    assert loaded.classes.classes == ("neutral", "sad", "fear", "happy")
    assert len(loaded.classes.class_of) == 72
    assert loaded.own_classes is not None


def test_the_verdict_on_four_runs(project, root, cache, axis, tmp_path):
    """Each of its runs is a ``fit`` of the dropped-in class."""
    words = [
        "--data",
        "SEEDIV",
        f"--data.root={root}",
        "--loss",
        "rsa",
        "--trainer.max_epochs=1",
        "--seeds",
        "1,2",
        "--controls",
        "none",
    ]
    done = run("train.py", *words, f"--run_dir={tmp_path}", cwd=project, cache=cache)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SEEDIV" in done.stdout
    assert list(tmp_path.rglob("verdict.json"))
    results = [json.loads(path.read_text()) for path in tmp_path.rglob("result.json")]
    assert len(results) == 4
    assert all(set(result["test"]["per_class_recall"]) == {"neutral", "sad", "fear", "happy"} for result in results)


def test_the_contract_holds_it_to_its_word(project, root, cache):
    words = ["-m", "pytest", "-n", "0", "-p", "no:cacheprovider", "tests/test_datamodules_contract.py", "-k", "SEEDIV"]
    done = run(*words, "-vv", "--data-root", f"SEEDIV={root}", cwd=project, cache=cache)
    assert done.returncode == 0, done.stdout
    assert "test_no_split_shares_what_it_keeps_apart[SEEDIV] PASSED" in done.stdout
    assert "SKIPPED" not in done.stdout


def test_an_import_path_from_elsewhere(root, cache, tmp_path):
    """This project, unchanged; the class in a package of the user's, started from the user's folder."""
    package = tmp_path / "mypackage"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "mymodule.py").write_text(CODE.replace("SEEDIV(", "MyData("))
    (package / "mymodule.yaml").write_text(YAML)
    fit = [str(ROOT / "train.py"), "fit", "--data", "mypackage.mymodule.MyData", f"--data.root={root}"]
    here = {"cwd": tmp_path, "cache": cache, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    refused = run(*fit, "--loss", "rsa", **here)
    words = printed_command(refused.stderr)
    assert words == ["extract", "--taxonomy", str(package / "mymodule.yaml")]
    made = run("-c", WITH_WORDS, *words, **here)
    assert made.returncode == 0, made.stderr
    done = run(*fit, "--loss", "rsa", "--data.split=subject_9_3_3", "--trainer.max_epochs=1", "--run_dir=out", **here)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "out" / "result.json").is_file()
