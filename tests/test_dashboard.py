"""Dashboards as code: every panel draws something that runs log, and saving says what it did."""

import json
import os
import socket
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from tests.conftest import ROOT
from tests.runs import SMALL, train
from tests.wandb_records import records
from tests.wandb_server import KEY, FakeServer, SilentServer
from tracking.comparison import comparisons
from tracking.dashboard import NAMES, build, main

PAIRED = {
    "mean": -0.02, "low": -0.03, "high": -0.01, "sd": 0.01, "t": -5.9, "p": 0.004, "p_sign_flip": 0.06,
    "resolvable": 0.013,
}  # fmt: skip
VERDICT = {
    "dataset": "faced", "loss": "rsa", "weight": 1.0, "seeds": [1, 2], "simulated": True, "chance": 1 / 9,
    "judgement": "hurts", "accuracy": {"baseline": [0.6, 0.7], "treated": [0.5, 0.7], "paired": PAIRED},
}  # fmt: skip


def run(module, *words, **extra):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("WANDB_")} | extra
    return subprocess.run(
        [sys.executable, "-m", module, *map(str, words)], cwd=ROOT, env=environment, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=100,
    )  # fmt: skip


@pytest.fixture(scope="module")
def views():
    return build("someone", "project", parameters=["loss_weight", "loss_metric"])


def recorded(folder, **environment):
    """The W&B record of a small run, offline."""
    words = ("--trainer.max_epochs=2", "--loss", "rsa", "--group=my-study", f"--run_dir={folder / 'run'}")
    extra = {"WANDB_MODE": "", "HOME": str(folder), "WANDB_DATA_DIR": ""} | environment
    train(*SMALL, *words, "--trial_report.patience_seconds=0", cache=folder / "cache", **extra)
    (record,) = records(folder / "run")
    return SimpleNamespace(record=record, folder=folder / "run")


@pytest.fixture(scope="module")
def trial(tmp_path_factory):
    """Of a sweep: it has numbers, and neither pictures nor tables."""
    return recorded(tmp_path_factory.mktemp("trial"), VAXIS_TRIAL="7")


@pytest.fixture(scope="module")
def single(tmp_path_factory):
    """A run that no sweep started."""
    return recorded(tmp_path_factory.mktemp("single"))


@pytest.fixture(scope="module")
def comparison(tmp_path_factory):
    folder = tmp_path_factory.mktemp("comparison")
    (folder / "verdict.json").write_text(json.dumps(VERDICT))
    from matplotlib.figure import Figure

    Figure().savefig(folder / "verdict.png")
    done = run("tracking.comparison", folder, HOME=str(folder))
    assert done.returncode == 0, done.stderr
    (record,) = records(folder)
    return record


def drawn(panel):
    """Names of the metrics, tables and pictures that a panel shows, and of the configuration it reads."""
    parts = [getattr(panel, name, None) for name in ("x", "y", "z", "metrics", "media_keys")]
    parts += [getattr(panel, name, None) for name in ("with_respect_to", "table_name", "metric")]
    parts += [column.metric for column in getattr(panel, "columns", [])]
    flat = [item for part in parts if part for item in (part if isinstance(part, list) else [part])]
    config = {item.name for item in flat if type(item).__name__ == "Config"}
    metrics = {getattr(item, "name", item) for item in flat if type(item).__name__ != "Config"}
    return metrics, config


@pytest.mark.parametrize("name", NAMES)
def test_every_panel_draws_what_runs_log(name, views, trial, single, comparison):
    record = {"interventions": comparison, "sweep": trial.record}.get(name, single.record)
    panels = [panel for section in views[name].sections for panel in section.panels]
    assert panels
    for panel in panels:
        metrics, config = drawn(panel)
        assert metrics, f"{panel} shows nothing"
        known = record.history | {key.split(".")[0] for key in record.summary}
        assert metrics <= known, f"{name}: {metrics - known} is in no run"
        if type(panel).__name__ in ("ScatterPlot", "BarPlot", "ParallelCoordinatesPlot"):
            numbers = {key for key, value in record.summary.items() if isinstance(value, int | float)}
            assert metrics <= numbers, f"{name}: {metrics - numbers} is in no summary"
        assert config <= record.config.keys()


@pytest.mark.parametrize("name", NAMES)
def test_filters_and_groups_choose_by_what_runs_have(name, views, trial, comparison):
    record = comparison if name == "interventions" else trial.record
    section = json.loads(views[name]._to_model().spec.model_dump_json(by_alias=True))["section"]
    (runs,) = section["runSets"]
    (kinds,) = runs["filters"]["filters"]
    assert kinds["key"]["name"] == "kind"
    assert record.config["kind"] in kinds["value"]
    for group in runs["grouping"]:
        assert record.config[group["name"].removesuffix(".value")] not in (None, "")


def test_a_run_says_what_it_is_compared_by(trial):
    record = trial.record
    wanted = {"kind": "trial", "dataset": "SimulatedFACED", "strategy": "rsa", "study": "my-study", "trial": 7}
    assert wanted.items() <= record.config.items()
    assert record.config["loss_weight"] == 1.0
    assert record.config["model"]["optimisation"], "the whole configuration is there, too"
    assert (record.run["job_type"], record.run["run_group"]) == ("trial", "my-study")
    assert {"rsa", "SimulatedFACED", "global_context_de"} <= set(record.run["tags"])
    assert record.axes["val/*"] == record.axes["test/*"] == "epoch"
    assert record.axes["train/*"] == record.axes["grad/*"] == "trainer/global_step"
    for row in record.rows:
        for name, axis in (("val/balanced_accuracy", "epoch"), ("train/task", "trainer/global_step")):
            assert axis in row or name not in row


def test_a_trial_of_a_sweep_spends_nothing_on_pictures_and_tables(trial, single):
    media = [list(one.folder.glob("wandb/offline-run-*/files/media/*")) for one in (trial, single)]
    assert not media[0]
    assert media[1]


def test_summary_tables_and_files_agree(single):
    result, summary = json.loads((single.folder / "result.json").read_text()), single.record.summary
    for split in ("val", "test"):
        assert summary[f"final/{split}/balanced_accuracy"] == pytest.approx(result[split]["balanced_accuracy"])
        assert summary[f"final/{split}/class_pc1_r"] == pytest.approx(result[split]["class_pc1"]["value"])
    share = result["residual_gradient"]["alignment"]["sample_share"]
    assert summary["final/grad/alignment_sample_share"] == pytest.approx(share)
    (file,) = (single.folder / "wandb").glob("offline-run-*/files/media/table/test/recall*.json")
    table = json.loads(file.read_text())
    assert {row[0]: row[1] for row in table["data"]} == pytest.approx(result["test"]["per_class_recall"])
    assert sum(row[3] for row in table["data"]) == result["test"]["trials"]
    (file,) = (single.folder / "wandb").glob("offline-run-*/files/media/table/test/predictions*.json")
    rows = json.loads(file.read_text())["data"]
    assert len(rows) == 200
    assert all((row[3] == row[4]) == row[5] for row in rows)


def test_listing_needs_no_network_and_no_key_and_json_is_written_on_request(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("a connection"))
    main(["--only", "sweep", "--parameters", "loss_weight"])
    text = capsys.readouterr().out
    assert text.startswith("Sweep\n  Parameters\n    ParallelCoordinatesPlot: Parallel coordinates\n")
    assert "ScatterPlot: loss_weight" in text
    assert "Saturation" not in text
    main(["--only", "sweep", "--json", "-"])
    shown = json.loads(capsys.readouterr().out)
    assert shown.keys() == {"sweep"}
    assert "Parallel Coordinates Plot" in json.dumps(shown)
    main(["--json", str(tmp_path / "views.json")])
    assert json.loads((tmp_path / "views.json").read_text()).keys() == set(NAMES)


def test_saving_sends_the_views_that_are_printed():
    with FakeServer() as server:
        done = run("tracking.dashboard", "--entity", "someone", "--save", **server.environment)
        assert done.returncode == 0, done.stderr
    assert [view["displayName"].lower() for view in server.views] == list(NAMES)
    assert all(view["entityName"] == "someone" and view["projectName"] == "vaxis-align" for view in server.views)
    assert '"final/val/balanced_accuracy' not in server.views[3]["spec"]
    assert "summary:final/val/balanced_accuracy" in server.views[0]["spec"]
    assert done.stdout.count(server.url) == 4


def test_saving_without_key_network_or_answer_ends_in_one_line():
    with SilentServer() as silent:
        for url, key, why in (
            ("http://127.0.0.1:9", "", "no API key"),
            ("http://127.0.0.1:9", KEY, "no connection"),
            (silent.url, KEY, "no answer"),
        ):
            begun = time.monotonic()
            done = run(
                "tracking.dashboard", "--entity", "someone", "--save", HOME="/nowhere", WANDB_BASE_URL=url,
                WANDB_API_KEY=key,
            )  # fmt: skip
            said = [line for line in done.stderr.splitlines() if "VAXIS_DEBUG" not in line]
            assert (done.returncode, len(said)) == (1, 1)
            assert why in done.stderr
            assert time.monotonic() - begun < 20


def test_comparisons_of_a_verdict_and_of_a_table(tmp_path):
    with pytest.raises(FileNotFoundError, match="neither"):
        comparisons(tmp_path)
    header, finished = (
        "row,label,family,seeds,base,with,change,low,high,p,p_holm,verdict,simulated,published_change",
        ("10,RSA,similarity,42 123,0.6,0.58,-0.02,-0.03,-0.01,0.004,0.1,hurts,yes,-0.054"),
    )
    (tmp_path / "table.csv").write_text(f"{header}\n{finished}\n11,RKD,similarity,,,,,,,,,,,-0.03\n")
    (tmp_path / "table.json").write_text(json.dumps({"data": "SimulatedFACED"}))
    (row,) = comparisons(tmp_path)
    assert (row["numbers"]["change"], row["numbers"]["published_change"]) == (-0.02, -0.054)
    assert (row["config"]["strategy"], row["config"]["seeds"], row["judgement"]) == ("RSA", [42, 123], "hurts")
    (tmp_path / "verdict.json").write_text(json.dumps(VERDICT))
    (row,) = comparisons(tmp_path)
    assert row["numbers"]["base"] == pytest.approx(0.65)
    assert (row["numbers"]["low"], row["numbers"]["high"]) == (-0.03, -0.01)
    looked = {**VERDICT, "format": 2, "judged": {"outcome": "unresolved", "low": -0.05, "high": 0.01}}
    (tmp_path / "verdict.json").write_text(json.dumps(looked))
    (row,) = comparisons(tmp_path)
    assert (row["numbers"]["low"], row["numbers"]["high"]) == (-0.05, 0.01)
    (tmp_path / "verdict.json").write_text("{}")
    with pytest.raises(ValueError, match="broken"):
        comparisons(tmp_path)
