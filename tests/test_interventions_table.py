"""The rendered table: numbers, corrections, what is missing or failed, files, pictures; and bad input."""

import csv
import shutil
import subprocess
import sys

import numpy as np
import pytest

from analysis.interventions import compare, seeds_needed, typical_sd
from measures.paired import benjamini_hochberg, holm, resolvable_dz
from paper.__main__ import main
from paper.rows import rows, select
from paper.table import Table, render
from tests.conftest import ROOT
from tests.finished_runs import write_run

SEEDS = (42, 123, 456, 789, 2025)
BASE = dict(zip(SEEDS, (0.60, 0.61, 0.59, 0.605, 0.598)))
CHANGES = {
    "10": (-0.09, -0.095, -0.085, -0.1, -0.09),
    "11": (-0.004, 0.006, -0.01, 0.002, 0.001),
    "12": (-0.02, -0.01, -0.03, -0.02, -0.01),
}


def arm(folder, name, accuracies):
    """An arm of finished runs."""
    for seed, accuracy in accuracies.items():
        run = write_run(folder / "loose", loss=name, weight=float(name != "none"), seed=seed, accuracy=accuracy)
        (folder / name).mkdir(parents=True, exist_ok=True)
        run.rename(folder / name / f"s{seed}")
    return folder / name


@pytest.fixture
def table(tmp_path):
    """Rows 10 to 12 finished, 14 and 24 on the same runs, 9 failed, 8 half run, 20 not startable, others not run."""
    setting = tmp_path / "runs" / "SimulatedFACED-abc"
    made = Table(folder=setting / "interventions", data="SimulatedFACED", simulated=True, epochs=6, command="test")
    control = arm(setting, "none", BASE)
    for name, changes in CHANGES.items():
        after = arm(setting, f"loss{name}", {seed: BASE[seed] + d for seed, d in zip(SEEDS, changes)})
        made.add(rows()[name], control=control, treated=after, seeds=SEEDS)
    shared = arm(setting, "shared", {seed: value - 0.02 * (1 + n) for n, (seed, value) in enumerate(BASE.items())})
    for name in ("14", "24"):
        made.add(rows()[name], control=control, treated=shared, seeds=SEEDS)
    half = arm(setting, "half", {seed: BASE[seed] for seed in SEEDS[:2]})
    made.add(rows()["8"], control=control, treated=half, seeds=SEEDS)
    for seed, log in ((42, "epoch 3\nerror: CUDA out of memory\n(VAXIS_DEBUG=1 shows where)\n"), (123, "epoch 2\n")):
        (setting / "procrustes" / f"s{seed}").mkdir(parents=True)
        (setting / "procrustes" / f"s{seed}" / "log.txt").write_text(log)
    made.add(rows()["9"], control=control, treated=setting / "procrustes", seeds=SEEDS[:2], note="mine")
    made.rows["20"] = {"problem": "not started: no peft_ia3"}
    made.save()
    return Table.load(made.folder)


def read(file):
    with open(file, newline="") as handle:
        return {row["row"]: row for row in csv.DictReader(handle)}


def test_numbers_and_corrections(table):
    lines = {line.asked.id: line for line in compare(table.entries(select(["paper"])))}
    assert lines["10"].paired.mean == pytest.approx(np.mean(CHANGES["10"]))
    assert (lines["10"].verdict, lines["11"].verdict, lines["1"].verdict) == ("hurts", "unresolved", None)
    assert lines["8"].unchanged
    assert lines["8"].paired.p == 1
    p = [lines[name].paired.p for name in ("8", "10", "11", "12", "14")]  # row 24 is row 14 again
    for rule, field in ((holm, "p_holm"), (benjamini_hochberg, "p_bh")):
        expected = dict(zip(("8", "10", "11", "12", "14"), rule(p)))
        for name, value in (expected | {"24": expected["14"]}).items():
            assert getattr(lines[name], field) == pytest.approx(value)
    assert np.isnan(lines["9"].p_holm)


def test_what_is_missing_is_said(table):
    text = render(table, select(["paper"]))
    assert "SIMULATED data" in text
    assert "9 Procrustes, λ 0.05: strategy, seed 42: failed: CUDA out of memory (" in text
    assert "strategy, seed 123: unfinished" in text
    assert "20 PEFT IA3, λ 0.1: not started: no peft_ia3" in text
    assert "  unchanged" in text
    assert "8 Optimal mask, λ 0.05: strategy, seed 456: not run" in text
    (not_run,) = [line for line in text.splitlines() if line.startswith("Not run: ")]
    assert not_run == "Not run: 1, 2, 3, 4, 5, 6, 7, 13, 15, 16, 17, 18, 19, 21, 22, 23, 25."
    assert "5 distinct comparisons" in text.replace("\n", " ")
    assert max(len(line) for line in text.splitlines() if "/" not in line) <= 144


def test_files_carry_ours_beside_published(table):
    render(table, list(rows().values()))
    cells = read(table.folder / "table.csv")
    assert len(cells) == 35
    ten = cells["10"]
    assert (ten["published_change"], ten["published_p"], ten["verdict"], ten["simulated"]) == (
        "-0.093",
        "<1e-4",
        "hurts",
        "yes",
    )
    assert float(ten["change"]) == pytest.approx(-0.092)
    assert float(ten["base"]) == pytest.approx(np.mean(list(BASE.values())))
    assert float(ten["low"]) < float(ten["change"]) < float(ten["high"]) < 0
    assert (cells["1"]["change"], cells["1"]["missing"], cells["9"]["note"]) == ("", "not run", "mine")
    latex = (table.folder / "table.tex").read_text()
    assert latex.count(r"\\") >= 38
    assert r"10 & RSA, $\lambda$ 5 & 0.601 & $\mathbf{-0.092}$" in latex
    assert latex.count("{") == latex.count("}")
    doses = (table.folder / "doses.csv").read_text().splitlines()
    assert len(doses) == 1 + 4 + 4 + 3 + 4 + 4
    assert any(line.startswith("rsa,weight λ,5,10,5,") and ",-0.093,yes" in line for line in doses)
    for name in ("forest.png", "doses.png"):
        assert (table.folder / name).read_bytes().startswith(b"\x89PNG")


def test_an_empty_table_renders(tmp_path):
    table = Table(folder=tmp_path, data="FACED", simulated=False, epochs=100, command="test")
    text = render(table, list(rows().values()))
    assert "Nothing is finished yet." in text
    assert "SIMULATED" not in text


def test_runs_of_different_data_are_refused(table):
    other = table.folder.parent / "loss10" / "s42"
    shutil.rmtree(other)
    write_run(table.folder.parent / "loose", loss="x", seed=42, data="another").rename(other)
    (line,) = compare(table.entries(select(["10"])))
    assert line.paired is None
    assert "cannot be compared: data is" in line.missing[0]


def test_seeds_needed_solves_the_power_of_the_t_test(table):
    for n in (2, 5, 20):
        effect = resolvable_dz(n) * 0.011
        assert seeds_needed(effect, sd=0.011) == seeds_needed(-effect * 1.0001, sd=0.011) == n
    assert seeds_needed(1e-5, sd=0.011) is None
    assert seeds_needed(0.02, sd=float("nan")) is None
    lines = compare(table.entries(select(["10", "11", "12"])))
    middle = np.median([line.paired.sd for line in lines])
    assert typical_sd(lines) == pytest.approx(middle * np.sqrt(4 / 3.3567), rel=1e-3)  # median of chi-square, 4 df


def test_a_second_call_adds_seeds_to_the_same_runs(table):
    known = table.rows["10"]
    paths = {arm: table.folder / known[arm] for arm in ("control", "treated")}
    table.add(rows()["10"], **paths, seeds=(7, 42))
    assert table.rows["10"]["seeds"] == [*SEEDS, 7]
    table.add(rows()["10"], control=paths["control"], treated=table.folder / "elsewhere", seeds=(7,))
    assert table.rows["10"]["seeds"] == [7], "other runs start anew"


def test_rendering_needs_no_torch_and_help_needs_nothing(table):
    code = (
        "import sys; from paper.__main__ import main; assert main(['interventions', *sys.argv[1:]]) == 0\n"
        "print([name for name in ('torch', 'lightning', 'numpy', 'yaml') if name in sys.modules])"
    )

    def loaded(*words):
        done = subprocess.run(
            [sys.executable, "-c", code, *words], cwd=ROOT, capture_output=True, text=True, check=True
        )
        return done.stdout.splitlines()[-1]

    assert loaded("--help") == "[]"
    root = table.folder.parents[1]
    assert loaded("--rows", "10-12", "--run_dir", str(root)) == "['numpy', 'yaml']"


def test_the_list_shows_commands_and_published_values(capsys):
    assert main(["interventions", "--list", "--rows", "10,23", "--config", "configs/simulated.yaml"]) == 0
    said = capsys.readouterr().out
    assert "published -0.093, p <1e-4" in said
    assert "python train.py fit --config configs/simulated.yaml --loss rsa --loss.weight 5" in said
    assert "--data SimulatedSEEDV --data.batch_size=64 --loss xeeg --loss.weight 0.5 --source SimulatedFACED" in said


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nothing"], "no experiment 'nothing'"),
        (["interventions", "--rows", "rsaa"], "no row 'rsaa'"),
        (["interventions", "--run", "--loss", "rsa"], "the rows choose the loss"),
        (["interventions", "--trainer.max_epochs=3"], "only means something with --run"),
        (["interventions", "--seeds", "1,2"], "only means something with --run"),
        (["interventions", "--run_dir", "nowhere"], "no table under nowhere/"),
        (["interventions", "--table", "nowhere"], "no table.json in nowhere"),
        (["interventions", "--run", "--axes", "none.npz"], "--axes: no file none.npz"),
        (["interventions", "--run", "--devices_per_run", "2"], "--devices_per_run 2 does not fit"),
        (["interventions", "--run", "--planted", "--data.subjets=3"], "subjets"),
        (["interventions", "--run", "--planted", "--config", "none.yaml"], "none.yaml"),
    ],
)
def test_bad_input_is_one_line(words, message, tmp_path, monkeypatch):
    monkeypatch.setenv("VAXIS_CACHE", str(tmp_path))
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert message in str(stop.value).splitlines()[0]


def test_a_broken_record_says_what_to_do(table):
    (table.folder / "table.json").write_text("{")
    with pytest.raises(SystemExit, match="run the rows again"):
        main(["interventions", "--table", str(table.folder)])
