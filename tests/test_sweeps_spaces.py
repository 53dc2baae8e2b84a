"""Search spaces, names of objectives and seeds, and the flags that a configuration becomes."""

import importlib
import inspect
import json
import shlex
import subprocess
import sys
from typing import Literal

import optuna
import pytest
import yaml

from command_line.catalogue import plugins
from command_line.settings import RunSettings
from sweeps import spaces
from sweeps import sweep as settings
from sweeps.sweep import Sweep
from tests.conftest import ROOT
from tests.sweep_runs import Search

SIMULATED = ["--config", "configs/simulated.yaml"]


class Loss:
    """Constructor with every kind of parameter."""

    def __init__(
        self, *, weight: float = 0.5, keep: float = 0.5, mode: Literal["a", "b"] = "a", dim: int = 16,
        tie: bool = False, name: str = "x", angle: float | None = None, off: float = 0.0,
        channels: Literal["p", "q"] | list[str] = "p",
    ) -> None:  # fmt: skip
        if not 0 < keep <= 1:
            raise ValueError("keep is a fraction")


def defaults(cls: type = Loss) -> dict:
    return {name: p.default for name, p in inspect.signature(cls).parameters.items()}


def test_space_follows_the_types_of_the_constructor():
    space = spaces.from_constructor(Loss, defaults())
    assert space == {
        "loss.weight": {"type": "float", "low": 0.005, "high": 5.0, "log": True, "default": 0.5},
        "loss.keep": {"type": "float", "low": 0.05, "high": 1.0, "log": True, "default": 0.5},
        "loss.mode": {"type": "categorical", "choices": ["a", "b"], "default": "a"},
        "loss.dim": {"type": "int", "low": 4, "high": 64, "log": True, "default": 16},
        "loss.tie": {"type": "categorical", "choices": [False, True], "default": False},
        "loss.channels": {"type": "categorical", "choices": ["p", "q"], "default": "p"},
    }


class Picky:
    """Refuses some pairs of choices, and a large weight beside one."""

    def __init__(
        self, *, weight: float = 0.5, mode: Literal["a", "b"] = "a", way: Literal["x", "y", "z"] = "x",
        side: Literal["l", "r"] = "l",
    ) -> None:  # fmt: skip
        if (mode, way) == ("b", "y") or (way, side) == ("z", "r") or (mode == "b" and weight > 1):
            raise ValueError("not together")


def test_choices_that_are_refused_beside_others_are_left_out_and_said(capsys):
    space = spaces.from_constructor(Picky, defaults(Picky))
    assert space.pop("loss.weight")["high"] == 1.0
    assert {flag: entry["choices"] for flag, entry in space.items()} == {
        "loss.mode": ["a", "b"],
        "loss.way": ["x", "z"],
    }
    said = capsys.readouterr().err.splitlines()
    assert said == [
        "Picky: way y is not searched, it is refused beside mode b",
        "Picky: side r is not searched, it is refused beside way z",
    ]


@pytest.mark.parametrize("plugin", plugins("loss"), ids=lambda plugin: plugin.name)
def test_every_loss_takes_whatever_its_space_offers(plugin):
    module, name = plugin.class_path.rsplit(".", 1)
    cls = getattr(importlib.import_module(module), name)
    space = spaces.from_constructor(cls, defaults(cls))
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(30):
        trial = study.ask()
        make_sweep({plugin.name: space}).suggest(trial)
        cls(**{flag.removeprefix("loss."): value for flag, value in trial.params.items()})


COMPOSITION = "rsa+vaxis_mse"


def test_ranges_are_read_without_what_a_run_does_not_need():
    """A search reads them in a process of its own; transformers and pyplot would double what that takes."""
    look = (
        "import sys; from sweeps.spaces import build; build(['rsa'], argv=[]);"
        "print([name for name in ('transformers', 'matplotlib.pyplot') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", look], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1:] == ["[]"], done.stderr


def test_a_composition_is_searched_over_the_parameters_of_its_parts():
    space, _ = spaces.build([COMPOSITION], argv=[*SIMULATED, "--loss.rsa.compare=cka", "--loss.vaxis_mse.weight=2"])
    alone = {loss: spaces.build([loss], argv=SIMULATED)[0][loss] for loss in ("rsa", "vaxis_mse")}
    expected = {f"loss.rsa.{flag[5:]}": entry for flag, entry in alone["rsa"].items()}
    expected |= {f"loss.vaxis_mse.{flag[5:]}": entry for flag, entry in alone["vaxis_mse"].items()}
    fixed = ("loss.rsa.compare", "loss.vaxis_mse.weight")
    assert space == {COMPOSITION: {flag: entry for flag, entry in expected.items() if flag not in fixed}}


def test_a_composition_beside_a_loss_and_its_values_reach_the_parts():
    space, runs = spaces.build([COMPOSITION, "rkd"], argv=SIMULATED)
    study = optuna.create_study()
    study.enqueue_trial({"loss": COMPOSITION, f"{COMPOSITION}:loss.rsa.weight": 0.02})
    trial = study.ask()
    sweep = make_sweep(space, argv=SIMULATED, settings={loss: run.content for loss, run in runs.items()})
    sweep.suggest(trial)
    run = sweep.run(trial.params, seed=1)
    assert run.seed == 1
    assert run.value("loss.rsa.weight") == 0.02
    for name, value in trial.params.items():
        if name.startswith(f"{COMPOSITION}:"):
            assert run.value(name.partition(":")[2]) == value
    words = shlex.split(sweep.shell(trial.params, seed=1))[3:]
    assert RunSettings.parse(words) == run, "what is shown is what is trained"
    tiny = sweep.run(trial.params | {f"{COMPOSITION}:loss.rsa.weight": 2e-07}, seed=1)
    assert tiny.value("loss.rsa.weight") == 2e-07


@pytest.mark.slow
def test_a_composition_is_searched_and_trained(tmp_path):
    words = ("--config", "configs/simulated.yaml", "--trainer.max_epochs=2", "--loss.rsa.compare=cosine", "--workers=1")
    search = Search(tmp_path, tmp_path / "cache", f"--loss={COMPOSITION}", "--trials=2", "--beat=0.5", *words)
    said = search.run()
    assert "2 complete" in said
    assert f"--loss={COMPOSITION}" in said
    weights = set()
    for trial in search.trials():
        run_dir = search.folder / f"trial-{trial.number:04d}"
        assert json.loads((run_dir / "result.json").read_text())["loss"] == COMPOSITION
        parts = yaml.safe_load((run_dir / "config.yaml").read_text())["loss"]["init_args"]["parts"]
        assert parts[0]["init_args"]["compare"] == "cosine"
        assert "loss.rsa.compare" not in trial.params
        assert parts[0]["init_args"]["weight"] == pytest.approx(trial.params["loss.rsa.weight"])
        assert parts[1]["init_args"]["weight"] == pytest.approx(trial.params["loss.vaxis_mse.weight"])
        weights.add(parts[0]["init_args"]["weight"])
    assert len(weights) == 2
    assert (search.folder / "trial-0000/reports.jsonl").read_text().count("epoch") >= 2


def test_flags_are_not_searched_and_files_come_on_top(tmp_path):
    file = tmp_path / "space.yaml"
    file.write_text("model.optimisation.lr: {low: 1.0e-4, high: 1.0e-2, log: true}\nrsa:\n  loss.level: trial\n")
    argv = [*SIMULATED, "--loss.compare=cka", "--trainer.max_epochs=4"]
    space, runs = spaces.build(["rsa"], argv=argv, file=str(file))
    assert runs["rsa"].epochs == 4
    assert space["rsa"].keys() == {"loss.weight", "loss.metric", "loss.level", "model.optimisation.lr"}
    assert space["rsa"]["loss.level"] == {"type": "categorical", "choices": ["trial"]}
    assert space["rsa"]["model.optimisation.lr"] == {"type": "float", "low": 1e-4, "high": 1e-2, "log": True}


def test_printed_space_reads_back_as_itself(tmp_path, capsys):
    spaces.main(["--loss", "soft_supcon", *SIMULATED])
    file = tmp_path / "space.yaml"
    file.write_text(capsys.readouterr().out)
    first, _ = spaces.build(["soft_supcon"], argv=SIMULATED)
    again, _ = spaces.build(["soft_supcon"], argv=SIMULATED, file=str(file))
    without = {flag: {k: v for k, v in entry.items() if k != "default"} for flag, entry in first["soft_supcon"].items()}
    assert again["soft_supcon"] == without


def test_a_loss_without_parameters_needs_a_file():
    with pytest.raises(ValueError, match="no parameter to search"):
        spaces.build(["none"], argv=SIMULATED)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("loss.weight: {low: 0, high: 1, log: true}", "low > 0 where log is true"),
        ("loss.weight: {low: 2, high: 1}", "low < high"),
        ("loss.weight: {low: 1e-4, high: 1}", "write 1.0e-4, not 1e-4"),
        ("loss.axes: [[a], [b]]", "list of numbers, words or switches"),
        ("--loss.weight: [1]", "without the dashes"),
        ("- a", "'flag: range' lines"),
        ("loss.weight: {min: 1, max: 2}", "needs low and high"),
    ],
)
def test_bad_files_name_the_flag_and_the_fix(text, said, tmp_path):
    file = tmp_path / "space.yaml"
    file.write_text(text)
    with pytest.raises(ValueError, match=r"space\.yaml") as error:
        spaces.build(["rsa"], argv=SIMULATED, file=str(file))
    assert said in str(error.value)


def make_sweep(losses: dict, **changes) -> Sweep:
    common = {"argv": ["--x=1"], "objectives": ["val/kappa"], "seeds": [1, 2], "epochs": 3, "pruner": "none"}
    return Sweep(**(common | {"space": losses, "folder": "/f"} | changes))


def test_parameters_of_losses_in_one_study_are_kept_apart():
    weight = {"type": "float", "low": 0.1, "high": 1.0, "log": True, "default": 0.3}
    lr = {"type": "float", "low": 1e-4, "high": 1e-2}
    sweep = make_sweep({"a": {"loss.weight": weight, "model.lr": lr}, "b": {"loss.weight": weight, "model.lr": lr}})
    study = optuna.create_study()
    for params in sweep.defaults():
        study.enqueue_trial(params)
    first = study.ask()
    sweep.suggest(first)
    assert first.params.keys() == {"loss", "a:loss.weight", "model.lr"}
    assert (first.params["loss"], first.params["a:loss.weight"]) == ("a", 0.3)
    words = sweep.shell(first.params, seed=7).split()
    assert words[3:6] == ["--x=1", "--loss=a", "--loss.weight=0.3"]
    assert words[-1] == "--seed_everything=7"
    assert str(sweep.run_dir(3, 2)) == "/f/trial-0003/s2"
    assert str(make_sweep({"a": {}}, seeds=[1]).run_dir(3, 1)) == "/f/trial-0003"


def test_flags_are_written_so_that_the_parser_reads_them_back():
    flags = {"loss.a": True, "loss.b": None, "loss.c": "word", "loss.d": 1e-7, "loss.e": 3}
    sweep = make_sweep({"a": {flag: {"type": "categorical", "choices": [value]} for flag, value in flags.items()}})
    words = sweep.shell(flags, seed=1).split()[5:-1]
    assert words == ["--loss.a=true", "--loss.b=null", "--loss.c=word", "--loss.d=1e-07", "--loss.e=3"]
    assert [yaml.safe_load(word.split("=")[1]) for word in words[:3]] == [True, None, "word"]


def test_a_class_that_is_searched_keeps_the_arguments_that_are_searched_with_it():
    content = RunSettings.parse(["--network", "axial_de", "--network.depth=3"]).content
    flags = {"network.dim": 8, "network": "emod"}
    space = {"rsa": {flag: {"type": "categorical", "choices": [value]} for flag, value in flags.items()}}
    run = make_sweep(space, settings={"rsa": content}).run(flags, seed=1)
    assert run.value("network") == {"class_path": "networks.emod.EMOD", "init_args": {"dim": 8}}


def test_objectives_never_look_at_test_data():
    assert settings.objectives("val/kappa,val/within_class_r") == ["val/kappa", "val/within_class_r"]
    for name in ("test/balanced_accuracy", "balanced_accuracy", "val/chance"):
        with pytest.raises(ValueError, match="choose from"):
            settings.objectives(name)
    result = {"val": {"kappa": 0.25, "within_class_residual": {"value": None}}, "test": {"kappa": 0.9}}
    kappa, residual = settings.scores(result, ["val/kappa", "val/within_class_r"])
    assert kappa == 0.25
    assert residual != residual


def test_seeds_are_a_number_of_them_or_these():
    assert settings.seeds("3") == [42, 123, 456]
    assert settings.seeds("7") == [42, 123, 456, 789, 2025, 3000, 3001]
    assert settings.seeds("5,6") == [5, 6]


@pytest.mark.parametrize("text", ["0", "a", "1,1", "-2"])
def test_bad_seeds(text):
    with pytest.raises(ValueError, match="--seeds"):
        settings.seeds(text)


@pytest.mark.parametrize("text", ["loss.weight: {choices: true}", "loss.weight: {choices: 3}", "loss.weight: []"])
def test_choices_that_are_no_list_are_refused_by_file_and_flag(tmp_path, text):
    (tmp_path / "space.yaml").write_text(text)
    with pytest.raises(ValueError, match=r"space\.yaml: loss\.weight: choices must be a list"):
        spaces._read(str(tmp_path / "space.yaml"), ["rsa"])
