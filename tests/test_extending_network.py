"""The worked example of ``docs/extending/network.md``: one file is a network whose tokens belong to no electrode."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT
from tests.project_copy import copy_project, files_in
from tests.runs import environment

HEADS = ("mean_linear", "emod", "flatten_mlp")
REFUSED = {
    "topo_optimal": "topo_optimal",
    "faa": "faa",
    "rsa+topo_occipital": r"rsa\+topo_occipital",
}
# All fits in one process: starting one takes longer than the training.
SCRIPT = """
import sys, yaml, train
for words in yaml.safe_load(sys.stdin):
    print("===", flush=True)
    try:
        train.main(words)
        print("finished", flush=True)
    except SystemExit as end:
        print(f"ended: {end}", flush=True)
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    folder = copy_project(tmp_path_factory.mktemp("project"))
    for name, content in files_in(ROOT / "docs" / "extending" / "network.md").items():
        (folder / name).write_text(content)
    assert (folder / "networks" / "mixed.py").exists()
    return folder


def python(*words: str, cwd: Path, text: str = "") -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, *words], cwd=cwd, input=text, capture_output=True, text=True, timeout=600,
        env=environment(cwd / "cache"),
    )  # fmt: skip


@pytest.fixture(scope="module")
def said(project) -> dict[str, str]:
    """What each run prints, by the name of its folder."""
    fit = ["fit", "--config", "configs/simulated.yaml", "--network", "mixed", "--trainer.enable_progress_bar=false"]
    fit += ["--data.n_subjects=12", "--trainer.max_epochs=1", "--model.optimisation.warmup_epochs=0"]
    runs = {head: [*fit, "--loss", "rsa", f"--model.head={head}"] for head in HEADS}
    runs["physiology"] = [*fit, "--loss", "faa", "--loss.mode=physiology"]
    runs |= {loss: [*fit, "--loss", loss] for loss in REFUSED}
    runs["verdict"] = [*fit[1:], "--loss", "topo_optimal", "--seeds=1"]
    runs = {name: [*words, f"--run_dir={project / 'runs' / name}"] for name, words in runs.items()}
    done = python("-c", SCRIPT, cwd=project, text=yaml.safe_dump(list(runs.values())))
    assert done.returncode == 0, done.stderr
    return dict(zip(runs, done.stdout.split("===\n")[1:], strict=True)) | {"stderr": done.stderr}


@pytest.mark.parametrize("name", [*HEADS, "physiology"])
def test_it_trains_with_every_head_and_with_what_reads_electrodes_of_the_signal(project, said, name):
    assert "finished" in said[name], said["stderr"]
    result = json.loads((project / "runs" / name / "result.json").read_text())
    assert result["network"] == "mixed"
    assert result["residual_gradient"]["alignment"]["norm"] > 0
    assert 0 < result["test"]["balanced_accuracy"] < 1


def test_the_head_that_pools_rows_says_that_there_is_one(said):
    assert said["stderr"].count("its channel pool is left out") == 1


@pytest.mark.parametrize("loss", REFUSED)
def test_strategies_on_single_electrodes_refuse_it_in_one_line_before_data_are_read(project, said, loss):
    line = rf"ended: error: --loss {REFUSED[loss]} reads the tokens of single electrodes, but --network mixed mixes"
    assert re.search(line + r".*--network global_context_de.*--loss vaxis_mse\)", said[loss]), said[loss]
    assert not (project / "runs" / loss / "metrics.csv").exists()


def test_a_verdict_refuses_before_it_trains_the_baseline(project, said):
    assert "ended: error: --loss topo_optimal reads" in said["verdict"]
    assert "Training" not in said["verdict"]
    assert not list((project / "runs" / "verdict").rglob("metrics.csv"))


def test_it_has_flags_and_passes_the_tests_of_every_network(project):
    done = python("train.py", "fit", "--network.help", "mixed", cwd=project)
    assert "--network.filters" in done.stdout
    assert "filters along time" in done.stdout
    done = python(
        "-m", "pytest", "-p", "no:cacheprovider", "-n0", "tests/test_networks.py", "-k", "Mixed", "-vv", cwd=project
    )
    assert done.returncode == 0, done.stdout
    assert {f"[Mixed-{kind}]" for kind in ("raw", "de", "psd")} <= set(re.findall(r"\[Mixed-\w+\]", done.stdout))


def test_weights_of_the_example_load(project):
    """The second block of the document, on a file with the names that it speaks of."""
    block = re.search(r"^```python\n(state = .*?)^```$", (ROOT / "docs/extending/network.md").read_text(), re.M | re.S)
    code = f"""
import torch
from dataclasses import replace
from networks.mixed import Mixed
from networks.weights import load_strictly, read_weights
from tests.test_networks import BANDS
self, other = Mixed(), Mixed()
self.build(BANDS); other.build(BANDS)
names = {{n: "module.encoder." + n.replace("time.", "conv_t.") for n in other.state_dict()}}
torch.save({{names[n]: t for n, t in other.state_dict().items()}} | {{"classifier.bias": torch.ones(2)}}, "weights.pt")
self.weights = "weights.pt"
{block[1]}
assert all(torch.equal(a, b) for a, b in zip(self.state_dict().values(), other.state_dict().values()))
print("loaded")
"""
    done = python("-c", code, cwd=project)
    assert done.stdout == "loaded\n", done.stderr
