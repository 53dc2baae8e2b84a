"""Several runs on one device, or on the processor: what they are given, and how many fit."""

import pytest

from command_line.settings import RunSettings
from records.launched import by_a_study
from studies import memory, slots
from studies.memory import UNASKED, decided, default, per_device, that_fit
from studies.plan import Plan
from sweeps import search
from tests.runs import SMALL


@pytest.fixture
def eight_cores(monkeypatch):
    monkeypatch.setattr(slots, "cores", lambda: 8)
    monkeypatch.setattr(memory, "cores", lambda: 8)


@pytest.fixture
def two_devices(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)


@pytest.fixture
def no_devices(monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)


def test_a_device_that_is_named_twice_takes_two_runs(eight_cores, two_devices):
    plan, _ = Plan.parse(["--devices=0,0,1,1"])
    found = plan.slots(jobs=40)
    assert [slot.devices for slot in found] == [("0",), ("0",), ("1",), ("1",)]
    assert found[0].environment()["OMP_NUM_THREADS"] == "2", "they share the processor, too"
    assert found[0].environment()["CUDA_VISIBLE_DEVICES"] == "0"
    with pytest.raises(ValueError, match="names one twice"):
        Plan.parse(["--devices=0,0", "--devices_per_run=2"])


def test_runs_per_device_go_round_the_devices(eight_cores, two_devices):
    plan, _ = Plan.parse(["--devices=0,1", "--runs_per_device=2"])
    assert [slot.devices for slot in plan.slots(jobs=40)] == [("0",), ("1",), ("0",), ("1",)]
    args, _ = search.parse(["--loss=rsa", "--devices=0,1", "--runs_per_device=2"])
    assert search._slots(args, RunSettings.parse(SMALL[1:])) == plan.slots(jobs=40)


def test_one_run_a_device_chooses_its_threads_as_ever(eight_cores, two_devices, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    (slot, _) = Plan.parse(["--devices=0,1"])[0].slots(jobs=40)
    assert slot.own_threads is None
    assert slot.environment()["OMP_NUM_THREADS"] == "5"


@pytest.mark.parametrize(("words", "threads"), [([], [1] * 8), (["--runs_per_device=2"], [4, 4])])
def test_without_devices_they_share_the_processor(words, threads, eight_cores, no_devices):
    assert [slot.threads for slot in Plan.parse(words)[0].slots(jobs=40)] == threads
    args, _ = search.parse(["--loss=rsa", *words])
    assert [slot.threads for slot in search._slots(args, RunSettings.parse(SMALL[1:]))] == threads


@pytest.mark.parametrize("wrong", ["0", "-1", "two", "1.5", ""])
def test_what_is_no_number_of_runs(wrong, no_devices):
    with pytest.raises(ValueError, match="give a number of runs"):
        Plan.parse([f"--runs_per_device={wrong}"])


def test_two_ways_of_saying_it_are_refused(no_devices):
    args, _ = search.parse(["--loss=rsa", "--workers=2", "--runs_per_device=2"])
    with pytest.raises(ValueError, match="name one"):
        search._slots(args, RunSettings.parse(SMALL[1:]))
    with pytest.raises(ValueError, match="give a number"):
        Plan.parse(["--runs_per_device=auto", "--devices_per_run=2"])


def test_as_many_as_memory_and_cores_take():
    assert that_fit(10, free=100, shares=16) == 9, "a tenth of the memory stays free"
    assert that_fit(10, free=100, shares=4) == 4
    assert that_fit(60, free=100, shares=4) == 1
    with pytest.raises(ValueError, match="lower --data"):
        that_fit(101, free=100, shares=4)
    assert per_device("auto") == "auto"
    assert decided(3, RunSettings({}), devices=()) == 3


def test_a_gpu_is_filled_unless_the_user_says_how(monkeypatch):
    assert default(None, devices=("0", "1")) == UNASKED
    assert default(2, devices=("0",)) == 2
    assert default(None, devices=("0", "0")) is None, "named twice: two runs at a time"
    assert default(None, devices=("0", "1"), per_run=2) is None, "DDP"
    assert default(None, devices=()) is None, "the processor has a run a core"
    monkeypatch.setattr("studies.plan.chosen", lambda devices, run: ("0",))
    assert Plan.parse([])[0].on_this_machine(RunSettings({})).per_device == UNASKED, "the verdict measures it"
    assert Plan.parse(["--runs_per_device=3"])[0].on_this_machine(RunSettings({})).per_device == 3


def test_a_run_is_measured_on_the_processor(tmp_path, monkeypatch, eight_cores, capsys):
    monkeypatch.setenv("VAXIS_CACHE", str(tmp_path))
    run = RunSettings.parse([*SMALL[1:], "--data.n_subjects=12"])
    # Of some gigabytes that are free a run of torch takes a few hundred megabytes.
    assert 1 <= decided("auto", run, devices=()) <= 8
    said = capsys.readouterr().out
    assert "one takes 0." in said
    assert "8 cores" in said
    with pytest.raises(ValueError, match=r"fails on its first batches: .*no axis at"):
        decided("auto", run.with_value("model.axis", str(tmp_path / "none.npz")), devices=())
    assert decided(UNASKED, run.with_value("model.axis", str(tmp_path / "none.npz")), devices=()) == 1
    assert "could not be measured: " in capsys.readouterr().out


def test_a_run_of_a_launcher_knows_that_no_person_started_it(monkeypatch):
    monkeypatch.delenv("VAXIS_STUDY", raising=False)
    assert not by_a_study()
    monkeypatch.setenv("VAXIS_STUDY", slots.Slot().environment()["VAXIS_STUDY"])
    assert by_a_study()
