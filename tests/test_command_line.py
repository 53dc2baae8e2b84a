"""The command before any heavy import: help, names, order of flags; and what the parser says to mistakes."""

import re
import shutil
import subprocess
import sys
from dataclasses import asdict, is_dataclass
from pathlib import Path

import pytest
from jsonargparse import Namespace

from command_line.catalogue import class_path, plugins
from command_line.help import short_help
from command_line.settings import RunSettings
from command_line.words import normalise, option
from studies.flags import told
from tests.conftest import ROOT


def run(*words: str, cwd: Path = ROOT) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "train.py", *words],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=120,
        stdin=subprocess.DEVNULL,
    )


def test_help_lists_every_plugin_and_imports_nothing_heavy():
    heavy = "{'torch', 'lightning', 'numpy', 'mne'}"
    code = f"import sys, train; train.main(['--help']); print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stdout.rstrip().endswith("[]")
    for kind in ("loss", "network", "data"):
        for plugin in plugins(kind):
            assert plugin.name in done.stdout
    assert "FACED" in short_help(told())


FACED = "datamodules.faced.FACED"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], []),
        (["fit"], ["fit"]),
        (
            ["fit", "--loss.weight", "5", "--loss", "rsa", "--config", "a.yaml"],
            ["fit", "--config", "a.yaml", "--loss", "losses.rsa.RSA", "--loss.weight", "5"],
        ),
        (
            ["--config", "a.yaml", "--data.fold", "1", "--data", "FACED"],
            ["--data", FACED, "--config", "a.yaml", "--data", FACED, "--data.fold", "1"],
        ),
        (["--loss=RSA", "-c=a.yaml"], ["-c", "a.yaml", "--loss", "losses.rsa.RSA"]),
        (["fit", "--loss", "mine.My", "--seed", "3"], ["fit", "--loss", "mine.My", "--seed_everything", "3"]),
        (["fit", "--run_dir=r", "--axis", "x"], ["fit", "--trainer.default_root_dir=r", "--model.axis", "x"]),
        (["fit", "--loss.help", "vaxis_mse"], ["fit", "--loss.help", "losses.vaxis_mse.VAxisMSE"]),
    ],
)
def test_normalise(words, expected):
    assert normalise(words) == expected
    assert normalise(expected) == expected


@pytest.mark.parametrize(
    ("kind", "name", "near"),
    [("loss", "vaxis_msee", "vaxis_mse"), ("data", "FACE", "FACED"), ("network", "emot", "emod")],
)
def test_unknown_name_suggests_the_nearest_and_lists_all(kind, name, near):
    with pytest.raises(SystemExit, match=f"Did you mean '{near}'") as error:
        class_path(kind, name)
    for plugin in plugins(kind):
        assert plugin.name in str(error.value)


def test_option_takes_a_flag_out():
    assert option(["--a", "1", "--seeds", "1,2", "--b=3"], "--seeds") == ("1,2", ["--a", "1", "--b=3"])
    assert option(["--seeds=1"], "--seeds") == ("1", [])
    assert option([], "--seeds") == (None, [])
    with pytest.raises(SystemExit, match="needs a value"):
        option(["--seeds", "--b"], "--seeds")


def test_wrong_argument_of_a_loss_names_the_right_ones():
    done = run("fit", "--loss", "rsa", "--loss.wieght", "5")
    assert done.returncode == 2
    assert "RSA has no argument 'wieght'. Did you mean 'weight'? It has: weight, compare, metric, level" in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 3


def test_wrong_flag_is_short():
    done = run("fit", "--no.such.flag", "5")
    assert done.returncode == 2
    assert "no.such.flag" in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 3


def test_wrong_value_names_the_field():
    done = run("fit", "--loss", "rsa", "--loss.compare", "persson")
    assert done.returncode == 2
    assert "compare" in done.stderr
    assert "pearson" in done.stderr


MINE = '''"""A loss of a user."""

from losses.base import AlignmentLoss, Batch, Output


class MyLoss(AlignmentLoss):
    """Pulls the features towards zero.

    Args:
        weight: factor of the loss.
        exponent: of the norm.
    """

    def __init__(self, *, weight: float = 0.25, exponent: float = 2.0) -> None:
        super().__init__(weight=weight)
        self.exponent = exponent

    def forward(self, output: Output, batch: Batch):
        return output.h.abs().pow(self.exponent).mean()
'''


@pytest.fixture(scope="module")
def copy_with_a_new_loss(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    for name in [path.name for path in ROOT.iterdir() if (path / "__init__.py").exists()] + ["tests", "configs"]:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("train.py", "pyproject.toml"):
        shutil.copy(ROOT / name, folder / name)
    (folder / "losses" / "my_loss.py").write_text(MINE)
    return folder


def test_a_dropped_in_loss_is_a_flag_and_a_help_text(copy_with_a_new_loss):
    assert re.search(r"  my_loss +Pulls the features towards zero\.", run("--help", cwd=copy_with_a_new_loss).stdout)
    shown = run("fit", "--loss.help", "my_loss", cwd=copy_with_a_new_loss).stdout
    assert "--loss.exponent" in shown
    assert "of the norm" in shown


def test_a_dropped_in_loss_is_a_row_of_the_contract(copy_with_a_new_loss):
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "no:cacheprovider",
            "tests/test_losses.py",
            "-k",
            "TestContract and my_loss",
            "-vv",
        ],
        cwd=copy_with_a_new_loss,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout
    assert "[my_loss]" in done.stdout


def test_a_dropped_in_loss_trains(copy_with_a_new_loss, tmp_path):
    done = run(
        "fit", "--config", "configs/simulated.yaml", "--loss", "my_loss", "--loss.exponent", "3",
        "--trainer.fast_dev_run", "2", f"--data.cache={tmp_path}", f"--data.root={tmp_path / 'cohort'}",
        cwd=copy_with_a_new_loss,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "exponent=3.0" in done.stdout


@pytest.mark.parametrize("kind", ["loss", "network", "data"])
def test_a_chosen_class_starts_from_its_own_defaults(kind):
    """Nothing of the default class or of a settings file that names another class may leak in."""
    import inspect

    from command_line.parser import parse

    for plugin in plugins(kind):
        if "." not in plugin.class_path or plugin.name in ("FACED", "SEEDV", "BIDS", "braindecode"):
            continue  # these need a root, or the name of a model
        words = {
            "network": ["--network", plugin.name],
            "loss": ["--loss", plugin.name],
            "data": ["--data", plugin.name],
        }
        module, cls = plugin.class_path.rsplit(".", 1)
        own = getattr(__import__(module, fromlist=[cls]), cls)
        raw = kind == "network" and "de" not in own.reads
        words = words[kind] + (["--data.features", "raw", "--data.sampling_rate", "200"] if raw else [])
        chosen = parse(normalise(words)).config[kind]
        signature = inspect.signature(own.__init__)
        for name, parameter in signature.parameters.items():
            if parameter.default is not parameter.empty and name != "features":
                value = chosen.init_args[name]
                value = vars(value) if isinstance(value, Namespace) else value
                default = parameter.default if not is_dataclass(parameter.default) else asdict(parameter.default)
                assert value == default or tuple(value) == tuple(default), f"{plugin.name}.{name}"


def test_a_recipe_sets_batches_and_units_of_data_that_are_chosen_beside_it():
    words = ["--config", "configs/cbramod.yaml", "--data", "FACED", "--data.root", "DIR"]
    run = RunSettings.parse(words)
    assert run.value("data.class_path") == FACED
    assert (run.value("data.features"), run.value("data.scale"), run.value("data.batch_size")) == ("raw", 100, 64)
    assert RunSettings.parse([*words, "--data.batch_size", "32"]).value("data.batch_size") == 32
    of_its_class = RunSettings.parse(["--config", "configs/simulated.yaml", "--data", "FACED", "--data.root", "DIR"])
    assert of_its_class.value("data.batch_size") == 128


def test_a_loss_on_the_command_line_forgets_the_arguments_of_the_one_in_a_file(tmp_path):
    from command_line.parser import parse

    file = tmp_path / "settings.yaml"
    file.write_text("loss: {class_path: losses.vaxis_mse.VAxisMSE, init_args: {weight: 7.0}}\n")
    assert parse(normalise(["--config", str(file)])).config.loss.init_args.weight == 7.0
    assert parse(normalise(["--config", str(file), "--loss", "rsa"])).config.loss.init_args.weight == 1.0


def test_missing_root_and_bad_weight_are_one_line():
    said = run("fit", "--data", "FACED").stderr.splitlines()[0]
    assert said == "error: FACED needs --data.root DIR, or --data.mirror hub to fetch its public copy"
    assert "error: weight must be >= 0, got -1.0" in run("fit", "--loss", "rsa", "--loss.weight", "-1").stderr


def test_a_checkpoint_that_is_none_is_refused_without_torchs_advice(tmp_path):
    words = ["--config", "configs/simulated.yaml", f"--data.cache={tmp_path}", f"--data.root={tmp_path / 'cohort'}"]
    said = run("fit", *words, f"--run_dir={tmp_path / 'run'}", "--ckpt_path", "README.md").stderr
    assert "error: README.md cannot be read as the checkpoint of a run" in said
    assert "weights_only" not in said


def test_in_a_slurm_job_lightning_does_not_save_in_mid_epoch(monkeypatch):
    from command_line.parser import parse

    job = {"SLURM_NTASKS": "2", "SLURM_NTASKS_PER_NODE": "1", "SLURM_JOB_NAME": "rsa"}
    step = {"SLURM_STEP_NUM_TASKS": "2", "SLURM_PROCID": "0", "SLURM_LOCALID": "0", "SLURM_NODEID": "0"}
    for name, value in (job | step).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("lightning.fabric.plugins.environments.slurm.shutil.which", lambda _: "/usr/bin/srun")
    trainer = parse(["--config", str(ROOT / "configs" / "simulated.yaml"), "--trainer.num_nodes=2"]).trainer
    environment = trainer._accelerator_connector.cluster_environment
    assert type(environment).__name__ == "SLURMEnvironment"
    assert not environment.auto_requeue
