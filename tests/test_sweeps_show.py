"""What is said and drawn of a study that is finished."""

import json
import shlex
import sys

import optuna
import pytest
from matplotlib import image

from sweeps import search, show
from sweeps.sweep import Sweep

WEIGHT = {"type": "float", "low": 0.1, "high": 1.0}
SPACE = {
    "a": {"loss.weight": WEIGHT, "loss.way": {"type": "categorical", "choices": [1, 2]}},
    "b": {"loss.weight": WEIGHT},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Twelve trials of two losses, whose weight is their value; the last failed, the one before was pruned."""
    folder = tmp_path_factory.mktemp("sweeps") / "mine"
    folder.mkdir()
    study = optuna.create_study(
        study_name="mine", storage=f"sqlite:///{folder}/study.db", direction="maximize",
        sampler=optuna.samplers.RandomSampler(seed=0),
    )  # fmt: skip
    common = {"argv": ["--x=1"], "objectives": ["val/balanced_accuracy"], "seeds": [7], "epochs": 4, "pruner": "median"}
    sweep = Sweep(space=SPACE, folder=str(folder), **common)
    sweep.save(study)
    for number in range(12):
        trial = study.ask()
        sweep.suggest(trial)
        weight = next(value for name, value in trial.params.items() if name.endswith("weight"))
        trial.set_user_attr("owner", {"pid": 1})
        trial.set_user_attr("begun", 10.0 * number)
        trial.set_user_attr("ended", 10.0 * number + 9.5)
        for step in range(2 if number == 10 else 4):
            trial.report(weight * (step + 1) / 4, step)
        run_dir = sweep.run_dir(number, 7)
        run_dir.mkdir()
        (run_dir / "result.json").write_text(json.dumps({"simulated": True, "val": {"chance": 1 / 9}}))
        if number == 11:
            trial.set_user_attr("error", "no memory")
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
        elif number == 10:
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        else:
            study.tell(trial, weight)
    return folder


def test_summary_says_best_chance_cost_and_the_command_of_the_best(folder):
    study = show.load("mine", folder=str(folder.parent))
    said = show.summary(study, best=3)
    best = max((t for t in study.trials if t.value is not None and t.number < 10), key=lambda t: t.value)
    assert "12 trials, 10 complete, 1 pruned, 1 fail" in said
    assert "trial 11 failed: no memory" in said
    assert "chance of balanced accuracy 0.111, SIMULATED" in said
    listed = said.split("SIMULATED\n")[1].splitlines()
    assert listed[0].split()[:2] == [str(best.number), f"{best.value:.4f}"]
    assert listed[3] == "", "three are listed"
    assert "42 of 44 epochs trained (5% saved by pruner median); 0.50 s between trials" in said
    command, verdict = said.splitlines()[-2:]
    assert verdict.startswith("verdict  python train.py --x=1 --loss=")
    assert command.startswith("again    python train.py fit --x=1 --loss=")
    assert f"--loss.weight={best.value}" in command
    assert "--seed_everything=7" in command


@pytest.mark.filterwarnings("error", "ignore::optuna.exceptions.ExperimentalWarning")
def test_pictures_show_something(folder, tmp_path):
    study = show.load(str(folder))
    made = {path.name: path for path in show.pictures(study, tmp_path)}
    # b has one parameter, so nothing to set beside it
    assert made.keys() == {"history.png", "curves.png", "importance.png", "parallel-a.png"}
    for path in made.values():
        pixels = image.imread(path)[..., :3]
        assert min(pixels.shape[:2]) > 300
        assert (abs(pixels - pixels[0, 0]).max(axis=2) > 0.2).mean() > 0.005, f"{path.name} is blank"


def test_a_study_that_is_not_there_lists_those_that_are(folder):
    with pytest.raises(FileNotFoundError, match=r"no study yours in .* \(there: mine\)"):
        show.load("yours", folder=str(folder.parent))


def test_without_a_name_the_studies_are_listed(folder, tmp_path, capsys):
    show.main(["--folder", str(folder.parent)])
    text = capsys.readouterr().out
    assert text.startswith("mine  ")
    assert "complete, best val/balanced_accuracy 0." in text
    show.main(["--storage", f"sqlite:///{folder / 'study.db'}"])
    assert capsys.readouterr().out == text
    show.main(["--folder", str(tmp_path)])
    assert "python -m sweeps.search --loss NAME" in capsys.readouterr().out


def test_text_only_needs_no_matplotlib(folder, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    show.main([str(folder), "--no_pictures"])
    assert "again" in capsys.readouterr().out
    assert not list(folder.glob("*.png"))


@pytest.mark.parametrize("place", [{"folder": "a folder"}, {"storage": "sqlite:///{}/study.db"}])
def test_the_command_that_a_search_ends_with_finds_its_study(place, folder, tmp_path, monkeypatch):
    (tmp_path / "a folder").symlink_to(folder.parent)
    monkeypatch.chdir(tmp_path)
    place = {"folder": None, "storage": None} | {key: value.format(folder) for key, value in place.items()}
    python, dash_m, module, *words = shlex.split(search.shown("mine", **place))
    assert [python, dash_m, module] == ["python", "-m", show.__name__]
    show.main([*words, "--no_pictures"])
    assert "pass" not in search.shown("mine", storage="postgresql://me:pass@there/x", folder=None)
