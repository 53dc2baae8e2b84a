"""The callback of docs/extending: one file dropped into a copy of the project takes part in a run, flag and all."""

import csv
import re
import shutil
import subprocess
import sys

import yaml

from tests.conftest import ROOT
from tests.runs import SMALL, environment

GUIDE = ROOT / "docs" / "extending" / "callback.md"


def test_the_callback_of_the_guide_takes_part_in_a_run(tmp_path):
    text = GUIDE.read_text()
    (name,) = re.findall(r"`callbacks/(\w+\.py)`:", text)
    (code,) = re.findall(r"```python\n(.*?)```", text, re.S)
    (flag,) = re.findall(r"(--feature_norm\.skip) \d", text)
    project = tmp_path / "project"
    ignored = shutil.ignore_patterns("__pycache__", ".*", "runs", "data", "tests", "docs", "*.egg-info")
    shutil.copytree(ROOT, project, ignore=ignored)
    (project / "callbacks" / name).write_text(code)

    few = ["--trainer.max_epochs=1", "--data.n_subjects=5", "--model.optimisation.warmup_epochs=0"]
    done = subprocess.run(
        [sys.executable, "train.py", *SMALL, "--loss", "none", f"{flag}=1", "--run_dir", str(tmp_path / "run"), *few],
        cwd=project,
        env=environment(tmp_path / "cache"),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    with open(tmp_path / "run" / "metrics.csv") as file:
        values = [row["train/feature_norm"] for row in csv.DictReader(file)]
    assert any(float(value) > 0 for value in values if value)
    assert yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())["feature_norm"] == {"skip": 1}
