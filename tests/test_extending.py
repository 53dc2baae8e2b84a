"""The worked examples of docs/extending/ for measures and analyses, dropped into a copy of the project as one file."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import ROOT
from tests.finished_runs import write_arms
from tests.runs import environment

VERDICT = ("--planted", "--config", "configs/simulated.yaml", "--seeds", "42", "--trainer.max_epochs", "1")


def example(page: str) -> str:
    """The file that a page of the documentation tells its reader to write."""
    return re.search(r"```python\n(.*?)```", (ROOT / "docs" / "extending" / page).read_text(), re.S)[1]


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """A copy of the project with both examples in it."""
    folder = tmp_path_factory.mktemp("project")
    for name in [path.name for path in ROOT.iterdir() if (path / "__init__.py").exists()] + ["configs"]:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "train.py", folder)
    (folder / "measures" / "axis_cka.py").write_text(example("measure.md"))
    (folder / "analysis" / "generalisation.py").write_text(example("analysis.md"))
    return folder


def run(*words: object, project: Path) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, *map(str, words)],
        cwd=project,
        env=environment(project / "cache"),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.fixture(scope="module")
def verdict(project) -> tuple[str, Path]:
    """What the main job of the copy prints on one seed, and the folder of its runs."""
    done = run("train.py", *VERDICT, "--controls", "none", "--run_dir", project / "runs", project=project)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout, project / "runs"


def test_a_measure_is_one_file_from_log_to_report(verdict):
    text, folder = verdict
    assert re.search(r"^  CKA with the axis +0\.\d{3} +0\.\d{3} ", text, re.M)
    results = sorted(folder.glob("*/s42/result.json"))
    assert len(results) == 2
    for file in results:
        found = json.loads(file.read_text())["test"]["axis_cka"]
        assert 0 < found["value"] < 1
        assert 1 / 1001 <= found["p_value"] <= 1
        header = (file.parent / "metrics.csv").read_text().splitlines()[0].split(",")
        assert {"val/axis_cka", "val/axis_cka_null95", "test/axis_cka"} <= set(header)
    (report,) = folder.glob("*/report.html")
    assert re.search(r"<td[^>]*>CKA with the axis</td>", report.read_text())
    (saved,) = folder.glob("*/verdict.json")
    assert "axis_cka" in [c["name"] for c in json.loads(saved.read_text())["others"]]


def test_a_measure_in_one_file_is_an_objective_and_a_curve_of_the_dashboards(project):
    assert "val/axis_cka" in run("-m", "sweeps.search", "--help", project=project).stdout
    shown = run("-m", "tracking.dashboard", "--only", "run", "--only", "saturation", "--json", "-", project=project)
    assert shown.returncode == 0, shown.stderr
    assert all('"val/axis_cka_null95"' in json.dumps(view) for view in json.loads(shown.stdout).values())


def test_rows_are_read_without_torch_and_without_the_file(project):
    code = "import sys; from measures.names import known; print('axis_cka' in known())"
    loaded = "print([name for name in ('measures.axis_cka', 'torch', 'numpy') if name in sys.modules])"
    assert run("-c", f"{code}; {loaded}", project=project).stdout.split() == ["True", "[]"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ('MeasureName(key="a", logged="a", label=NAME)', "plain values of key, logged, label"),
        ('MeasureName(key="a", logged="a")', "missing 1 required keyword-only argument: 'label'"),
        ('MeasureName(key="a", logged="a", label="far too long for its column")', "at most 25 fit"),
        ('MeasureName(key="a", logged="a", label="a", maximise=True)', "not direction='higher'"),
        ('MeasureName(key="a", logged="kappa", label="a")', "share key or logged; rename one ROW"),
        ("3", "ROW must be MeasureName"),
    ],
)
def test_a_wrong_row_is_named_in_one_line(tmp_path, monkeypatch, row, message):
    from measures import names

    for folder in names.FOLDERS:
        (tmp_path / folder).mkdir()
    (tmp_path / "measures" / "mine.py").write_text(f"ROW = {row}\n")
    monkeypatch.setattr(names, "ROOT", tmp_path)
    names.in_files.cache_clear()
    names.known.cache_clear()
    try:
        with pytest.raises(ValueError, match=message) as caught:
            names.known()
        assert "\n" not in str(caught.value)
    finally:
        names.in_files.cache_clear()
        names.known.cache_clear()


def test_an_analysis_is_one_file_that_is_listed_and_runs(project, tmp_path):
    write_arms(tmp_path)
    listed = run("-m", "analysis", project=project).stdout
    assert re.search(r"^  generalisation +Does the validation accuracy", listed, re.M)
    names = set(re.findall(r"^  (\w+)  ", listed, re.M))
    assert {"baselines", "directional_ablation", "generalisation", "verdict"} <= names
    assert not {"ablated", "arms", "base", "page"} & names  # libraries are not commands
    out = tmp_path / "out"
    done = run("-m", "analysis", "generalisation", tmp_path / "a", tmp_path / "b", "--out", out, project=project)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("r = 1.000 over 10 runs, p = 0.001")
    content = json.loads((out / "generalisation.json").read_text())
    number = content["numbers"]["validation_test_r"]
    assert number.keys() == {"value", "null_mean", "null_95", "p_value", "n", "simulated"}
    assert (number["n"], number["simulated"]) == (10, True)
    failed = run("-m", "analysis", "generalisation", tmp_path / "nowhere", project=project)
    assert failed.returncode == 1
    assert failed.stderr.startswith("error: no folder")
    assert "Traceback" not in failed.stderr


def test_the_verdict_command_agrees_with_the_main_job(verdict, project):
    text, folder = verdict
    (treated,) = [path.parent for path in folder.glob("*/verdict.json")]
    done = run("-m", "analysis", "verdict", folder / "none", treated, "--out", project / "out", project=project)
    assert done.returncode == 0, done.stderr
    # The main job adds simple models, which folders of runs alone cannot give.
    block = re.search(r"Test balanced accuracy.*?(?=\n\n)", done.stdout, re.DOTALL)
    assert block
    assert block[0] in text
    content, saved = (json.loads((path / "verdict.json").read_text()) for path in (project / "out", treated))
    assert (content["accuracy"], content["others"]) == (saved["accuracy"], saved["others"])
    accuracy = content["accuracy"]
    assert content["numbers"]["balanced_accuracy"]["value"] == pytest.approx(
        np.subtract(accuracy["treated"], accuracy["baseline"]).mean()
    )
