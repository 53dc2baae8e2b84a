"""Flags that mean nothing are refused in one line, before anything is made."""

import pytest

from command_line.catalogue import class_path
from command_line.reader import instantiate
from command_line.settings import RunSettings
from datamodules.simulate import main as simulate
from losses.peft_lora import PEFTLoRA
from networks.global_context_de import GlobalContextDE
from studies.devices import chosen, named
from studies.plan import Plan
from sweeps import search, spaces, sweep
from tests.test_command_line import run

SMALL = ("--config", "configs/simulated.yaml")


@pytest.fixture
def no_cuda(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)


@pytest.fixture
def four_devices(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 4)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--data.snr=-1",), "snr must be 0"),
        (("--data.snr=.nan",), "snr must be 0"),
        (("--data.workers=-1",), "--data.workers must be 0"),
        (("--data.subjects=[]",), "--data.subjects names nobody"),
        (("--data.scale=0",), "--data.scale must be above 0"),
        (("--data=SimulatedSEEDV", "--data.subjects=[]"), "--data.subjects names nobody"),
        (("--data=SimulatedSEEDV", "--data.snr=.inf"), "snr must be 0"),
        (("--model.head_dropout=1.5",), "--model.head_dropout must be 0 or more and below 1"),
        (("--axis=",), "--axis is empty"),
        (("--loss=peft_lora", "--loss.pretrained="), "pretrained is empty"),
        (("--data.batch_size=null",), r"SimulatedFACED\.batch_size must be int, not null"),
        (("--data.scale=null",), r"SimulatedFACED\.scale must be float, not null"),
        (("--network.dim=null",), r"GlobalContextDE\.dim must be int, not null"),
        (("--loss=rsa+vaxis_mse", "--loss.rsa.weight=null"), r"RSA\.weight must be float, not null"),
        (("--source=SimulatedSEEDV", "--source.fold=null"), r"SimulatedSEEDV\.fold must be int, not null"),
        (("--trainer.max_epochs=1.5",), "--trainer.max_epochs must be int, not '1.5'"),
        (("--trainer.gradient_clip_val=nan",), "--trainer.gradient_clip_val must be int or float, not 'nan'"),
        (("--trainer.precision=8",), "--trainer.precision must be one of 64, 32, 16 or one of .*, not '8'"),
        (("--trainer.limit_train_batches=0",), "--trainer.limit_train_batches 0: must be above 0"),
        (("--trainer.limit_val_batches=0.0",), "--trainer.limit_val_batches 0.0: must be above 0"),
        (("--trainer.limit_test_batches=0",), "--trainer.limit_test_batches 0: must be above 0"),
        (("--model.optimisation.lr=nan",), "--model.optimisation.lr must be float, not 'nan'"),
        (("--model.head=nope",), "--model.head must be one of 'mean_linear', .*, not 'nope'"),
        (("--data.subjects=7",), r"SimulatedFACED\.subjects must be tuple, not '7'"),
    ],
)
def test_a_run_refuses_values_that_cannot_be_meant(words, message):
    with pytest.raises(ValueError, match=message) as refused:
        instantiate(RunSettings.parse(words))
    assert len(str(refused.value).splitlines()) == 1


def test_what_may_be_left_open_may_be_null():
    words = ("--data.root=null", "--data.subjects=null", "--loss=peft_lora", "--loss.pretrained=null")
    assert RunSettings.parse(words).value("data.root") is None


@pytest.mark.parametrize("words", [["--run_dir="], ["--seed=-1"], ["--seed=4294967296"], ["--trainer.max_epochs=1.5"]])
def test_a_fit_names_the_flag(words):
    done = run("fit", *SMALL, *words)
    assert done.returncode
    assert words[0].split("=")[0] in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 2


def test_a_file_in_the_place_of_a_name_is_not_printed(tmp_path):
    for name in ("../../etc/passwd", "/etc/passwd", "README.md/x"):
        with pytest.raises(SystemExit, match=f"unknown loss '{name}'"):
            class_path("loss", name)
    file = tmp_path / "long.yaml"
    file.write_text("|\n" + "  secret: words\n" * 100)
    with pytest.raises(ValueError, match="secret") as refused:
        RunSettings.parse([f"--loss={file}"])
    assert len(str(refused.value).splitlines()) <= 14


@pytest.mark.parametrize("seeds", ["", "-1,2", "1,4294967296", "1,x", "1,,2"])
def test_seeds_of_a_verdict_and_of_a_search(seeds):
    with pytest.raises((ValueError, SystemExit), match="--seeds"):
        Plan.parse([f"--seeds={seeds}"])
    with pytest.raises(ValueError, match="--seeds"):
        sweep.seeds(seeds)


@pytest.mark.parametrize(
    ("devices", "message"),
    [("x", "is no CUDA device"), ("", "is no CUDA device"), ("0,1", "no device 0")],
)
def test_devices_that_are_not_there(devices, message, no_cuda):
    with pytest.raises(ValueError, match=message):
        Plan.parse([f"--devices={devices}"])
    args, rest = search.parse(["--loss=rsa", f"--devices={devices}"])
    with pytest.raises(ValueError, match=message):
        named(args.devices)
    assert not rest


def test_a_machine_with_devices_runs_one_a_device_unless_told_otherwise(four_devices, monkeypatch):
    run = RunSettings.parse(SMALL)
    plan = Plan.parse([])[0].on_this_machine(run)
    assert [slot.devices for slot in plan.slots(jobs=40)] == [("0",), ("1",), ("2",), ("3",)]
    pairs = Plan.parse(["--devices_per_run=2"])[0].on_this_machine(run)
    assert [slot.devices for slot in pairs.slots(jobs=40)] == [("0", "1"), ("2", "3")]
    one = Plan.parse(["--devices=2"])[0].on_this_machine(run)
    assert [slot.devices for slot in one.slots(jobs=40)] == [("2",)]
    processor = run.with_value("trainer.accelerator", "cpu")
    assert not Plan.parse([])[0].on_this_machine(processor).devices
    # Inside an allocation a process sees some devices alone, by the numbers that it was told.
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,7")
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    assert chosen((), run) == ("5", "7")
    with pytest.raises(ValueError, match="no device 3"):
        Plan.parse(["--devices=3"])


def test_a_machine_without_devices_uses_its_cores(no_cuda):
    plan = Plan.parse([])[0].on_this_machine(RunSettings.parse(SMALL))
    assert not plan.devices
    assert not any(slot.devices for slot in plan.slots(jobs=2))
    with pytest.raises(ValueError, match="devices_per_run 2 does not fit"):
        Plan.parse(["--devices_per_run=2"])[0].on_this_machine(RunSettings.parse(SMALL))
    with pytest.raises(ValueError, match="takes one number"):
        Plan.parse(["--devices_per_run=1,2"])


def test_a_search_takes_all_devices_too(four_devices):
    args, _ = search.parse(["--loss=rsa"])
    run = RunSettings.parse(SMALL)
    assert [slot.devices for slot in search._slots(args, run)] == [("0",), ("1",), ("2",), ("3",)]
    args, _ = search.parse(["--loss=rsa", "--workers=2"])
    assert [slot.devices for slot in search._slots(args, run)] == [(), ()]


@pytest.mark.parametrize(
    "flag",
    [
        *("--trials=0", "--devices_per_trial=-1", "--devices_per_trial=0", "--workers=-1", "--workers=0", "--beat=0"),
        *("--beat=nan", "--confirm=-1", "--confirm_seeds=1", "--study=", "--study=../x", "--study=.."),
    ],
)
def test_numbers_and_names_of_a_search(flag):
    args, _ = search.parse(["--loss=rsa", flag])
    with pytest.raises(ValueError, match=flag.split("=")[0]):
        search._check(args)


def test_runs_that_are_compared_have_an_epoch():
    for epochs in (0, -1):
        words = [*SMALL, f"--trainer.max_epochs={epochs}"]
        with pytest.raises(ValueError, match=f"max_epochs {epochs}: must be 1 or more"):
            RunSettings.parse(words)
        with pytest.raises(ValueError, match=f"max_epochs {epochs}: must be 1 or more"):
            spaces.build(["rsa"], argv=words)


def test_a_value_of_the_space_that_the_loss_refuses_is_told_before_the_search(tmp_path):
    file = tmp_path / "space.yaml"
    for text in ("loss.temperature: {low: -1.0, high: 2.0}", "loss.temperature: [0.5, 0]", "loss.weight: [-3]"):
        file.write_text(text)
        with pytest.raises(ValueError, match=rf"space\.yaml: {text.split(':')[0]} .+ is refused"):
            spaces.build(["soft_supcon"], argv=[], file=str(file))
    file.write_text("loss.temperature: {low: 0.1, high: 2.0}")
    assert spaces.build(["soft_supcon"], argv=[], file=str(file))[0]["soft_supcon"]["loss.temperature"]["low"] == 0.1


def test_a_cohort_is_not_written_with_a_strength_that_is_none(tmp_path):
    for snr in ("nan", "-1"):
        with pytest.raises(ValueError, match="snr must be 0"):
            simulate(["faced", str(tmp_path / "cohort"), f"--snr={snr}"])
    with pytest.raises(ValueError, match="--seed -1"):
        simulate(["faced", str(tmp_path / "cohort"), "--seed=-1"])
    assert not (tmp_path / "cohort").exists()


def test_a_rank_that_no_weight_has_is_refused_when_the_decoder_is_built():
    network = GlobalContextDE(dim=4, hidden=6)
    network.build(instantiate(RunSettings.parse(SMALL))[0].spec)
    with pytest.raises(ValueError, match=r"rank 1000000 is above the full rank .+ \(6 at most\)"):
        PEFTLoRA(rank=1_000_000).insert(network)
    PEFTLoRA(rank=6).insert(network)
