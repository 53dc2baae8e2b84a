"""A bug in a new loss or network is told in seconds, with its file and line, before the first run of a study."""

import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from command_line import catalogue
from command_line.help import short_help
from command_line.located import located
from command_line.settings import RunSettings
from console import rooms
from studies.arms import Conditions, prepare
from studies.controls import check_controls
from studies.plan import Plan
from studies.preflight import preflight
from studies.study import Study
from tests.project_copy import copy_project
from tests.runs import environment
from vaxis.axis import Axis

LOSS = """\
import torch
from losses.vaxis_mse import VAxisMSE

class Mine(VAxisMSE):
    \"\"\"Mine.\"\"\"

    def {name}(self, {arguments}):
        {body}
"""
NETWORK = """\
import torch
from networks.global_context_de import GlobalContextDE

class Mine(GlobalContextDE):
    \"\"\"Mine.\"\"\"

    def forward(self, x):
        {body}
"""
FORWARD = {"name": "forward", "arguments": "output, batch"}


@pytest.fixture(scope="module")
def conditions(tmp_path_factory) -> Conditions:
    folder = tmp_path_factory.mktemp("conditions")
    words = ["--config", "configs/simulated.yaml", f"--data.root={folder / 'cohort'}", f"--data.cache={folder}"]
    return prepare(RunSettings.parse(words), planted=True, folder=folder / "runs", quiet=True)


def tried(conditions: Conditions, *words: str, controls: tuple[str, ...] = ()) -> None:
    """What the verdict does between its flags and its first run."""
    run = RunSettings(conditions.settings.content).with_words(words)
    with located():
        study = Study.prepare(run, plan=Plan(seeds=(1,), planted=True, controls=controls), conditions=conditions)
    taught = preflight(study.to_try((1,)), conditions=conditions, seed=1)
    check_controls(study.controls, treated=study.pair.treated, taught=taught)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (LOSS.format(**FORWARD, body="return output.h.men()"), r"plugin_0.py:8: AttributeError: .+ 'men'"),
        (
            LOSS.format(**FORWARD, body="return output.h.pow(2).mean(dim=1)"),
            r"plugin_1.py:7: Mine.forward",
        ),
        (LOSS.format(**FORWARD, body="return output.h.mean() / 0"), r"returns (-?inf|nan) for the first batch"),
        (LOSS.format(**FORWARD, body="return 3.0"), r"returns float; it must return a tensor"),
        (LOSS.format(**FORWARD, body="return self.v @ output.h"), r"plugin_4.py:8: RuntimeError: .*(shape|size)"),
        (LOSS.format(**FORWARD, body="return (output.h * 0).sum().sqrt()"), "gradient of .+ is not finite"),
        (LOSS.format(name="build", arguments="spec", body="self.v = spec.target"), "plugin_6.py:8: AttributeError"),
        (LOSS.format(name="prepare", arguments="decoder", body="decoder.net"), "plugin_7.py:8: AttributeError"),
    ],
)
def test_a_loss_with_a_bug(conditions, code, message, tmp_path, monkeypatch, request):
    number = request.node.callspec.indices["code"]
    (tmp_path / f"plugin_{number}.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match=message) as told:
        tried(conditions, "--loss", f"plugin_{number}.Mine", "--loss.weight=1")
    assert len(str(told.value).splitlines()) == 1
    assert "arm plugin_" in str(told.value)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("return super().forward(x).mean(dim=1)", r"states tokens .+ and returns \(2, 5, 32\)"),
        ("return super().forward(x) * (torch.inf if len(x) > 2 else 1)", "returns nan for the first batch"),
        ("return super().forward(x if self.training or len(x) < 3 else x[:3])", r"logits have shape \(3, 9\)"),
        ("return undefined", r"encoder_3.py:8: NameError: name 'undefined'"),
    ],
)
def test_a_network_with_a_bug(conditions, body, message, tmp_path, monkeypatch, request):
    name = f"encoder_{request.node.callspec.indices['body']}"
    (tmp_path / f"{name}.py").write_text(NETWORK.format(body=body))
    monkeypatch.syspath_prepend(tmp_path)
    words = ("--network", f"{name}.Mine", "--loss", "vaxis_mse")
    other = Conditions(**{**vars(conditions), "settings": conditions.settings.with_words(words[:2])})
    with pytest.raises(ValueError, match=message):
        tried(other, *words)


@pytest.mark.parametrize(
    "loss",
    ["vaxis_mse", "rsa+vaxis_mse", "pretrain_finetune", "xeeg", "peft_lora", "uncertainty", "topo_frontal", "crd"],
)
def test_what_is_right_passes_with_every_phase_and_control(loss, conditions):
    tried(conditions, "--loss", loss, controls=("random",))


def test_the_random_state_of_the_launcher_does_not_move(conditions):
    study = Study.prepare(
        RunSettings(conditions.settings.content).with_words(["--loss", "rsa"]),
        plan=Plan(seeds=(1,), planted=True),
        conditions=conditions,
    )
    before = torch.get_rng_state()
    preflight(study.to_try((1,)), conditions=conditions, seed=1)
    assert torch.equal(torch.get_rng_state(), before)


def test_arms_that_are_finished_are_not_tried_again(conditions, tmp_path, monkeypatch):
    (tmp_path / "late.py").write_text(LOSS.format(**FORWARD, body="raise KeyError('never')"))
    monkeypatch.syspath_prepend(tmp_path)
    run = RunSettings(conditions.settings.content).with_words(["--loss", "late.Mine"])
    study = Study.prepare(run, plan=Plan(seeds=(1,), planted=True), conditions=conditions)
    assert len(study.to_try((1,))) == 2
    for arm in study.to_try((1,)):
        arm.run_dir(1).mkdir(parents=True)
        (arm.run_dir(1) / "result.json").write_text("{}")
    assert not study.to_try((1,))
    assert not preflight([], conditions=conditions, seed=1)


class TestAFileThatIsNoPython:
    @pytest.fixture(autouse=True)
    def folder(self, tmp_path, monkeypatch):
        """A project of one good and one bad loss; the other plug-ins are those of the project."""
        for kind in catalogue.FOLDERS.values():
            (tmp_path / kind).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / kind).symlink_to(catalogue.ROOT / kind)
        (tmp_path / "losses").unlink()
        (tmp_path / "losses").mkdir()
        (tmp_path / "losses" / "good.py").write_text('class Good(AlignmentLoss):\n    """Does."""\n')
        (tmp_path / "losses" / "bad.py").write_text('"""Bad."""\n\nclass Bad(AlignmentLoss:\n    pass\n')
        monkeypatch.setattr(catalogue, "ROOT", tmp_path)

    def test_help_lists_the_others_and_says_what_is_wrong(self):
        said = short_help("")
        assert "good" in said
        assert "global_context_de" in said
        assert "LEFT OUT: losses/bad.py:3: " in said

    def test_who_names_it_is_told_the_line(self):
        assert catalogue.class_path("loss", "good") == "losses.good.Good"
        with pytest.raises(SystemExit, match=r"losses/bad.py:3: .+; mend the file"):
            catalogue.class_path("loss", "bad")


@pytest.mark.slow
def test_the_command_beside_a_file_that_is_no_python_and_with_a_loss_that_has_a_bug(tmp_path):
    copy = copy_project(tmp_path)
    (copy / "losses" / "unread.py").write_text('"""Unread."""\n\nclass Unread(AlignmentLoss:\n    pass\n')
    (copy / "losses" / "mine.py").write_text(LOSS.format(**FORWARD, body="return output.h.men()"))

    def command(*words: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, "train.py", *words], cwd=copy, env=environment(tmp_path / "cache"),
            capture_output=True, text=True, timeout=600, stdin=subprocess.DEVNULL,
        )  # fmt: skip

    helped = command("--help")
    assert helped.returncode == 0
    assert "LEFT OUT: losses/unread.py:3: " in helped.stdout
    assert "mine" in helped.stdout
    for words in (["fit", "--loss", "unread"], ["--loss", "unread"]):
        assert "losses/unread.py:3: " in command(*words).stderr
    runs = tmp_path / "verdict"
    told = command("--config=configs/simulated.yaml", "--planted", "--seeds=1,2", "--loss=mine", f"--run_dir={runs}")
    assert told.returncode == 1
    assert "error: losses/mine.py:8: AttributeError: 'Tensor' object has no attribute 'men' (tried on" in told.stderr
    assert not list(runs.rglob("metrics.csv")), "no run was started"


def test_commands_of_a_room_are_listed_beside_one_that_is_no_python(tmp_path, monkeypatch):
    (tmp_path / "room").mkdir()
    guard = '\nif __name__ == "__main__":\n    pass\n'
    (tmp_path / "room" / "good.py").write_text(f'"""Does."""\n{guard}')
    (tmp_path / "room" / "bad.py").write_text(f'"""Does not."""\ndef f(:\n{guard}')
    monkeypatch.setattr(rooms, "ROOT", tmp_path)
    assert rooms.commands("room")["good"] == "Does."
    assert "line 2" in rooms.commands("room")["bad"]


@pytest.fixture(scope="module")
def other(conditions, tmp_path_factory):
    """An artifact with the texts of the axis of the data and other positions, as that of arousal has."""
    axis = Axis.load(conditions.axis_path)
    turned = {name: values[::-1].copy() for name, values in axis.positions.items()}
    return str(replace(axis, positions=turned).save(tmp_path_factory.mktemp("other") / "other.npz"))


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--loss=crd",), "crd"),
        (("--loss=clip_infonce",), "clip_infonce"),
        (("--loss=rkd", "--loss.teacher=text"), "rkd"),
        (("--loss=prototype_kd",), "prototype_kd"),
        (("--loss=rsa+crd",), "crd"),
    ],
)
def test_a_control_that_differs_by_its_direction_is_none_for_a_loss_that_reads_texts(words, named, conditions, other):
    with pytest.raises(ValueError, match=rf"is no control for --loss {named}, .+ use --controls random"):
        tried(conditions, *words, controls=(other,))


@pytest.mark.parametrize("loss", ["vaxis_mse", "rsa", "rkd", "soft_label_kd"])
def test_it_is_one_for_a_loss_that_reads_positions(loss, conditions, other):
    tried(conditions, "--loss", loss, controls=(other,))
