"""One typed run: parsed once, changed by name, written and read back, and told apart by what decides its numbers."""

import subprocess
import sys

import pytest

from command_line import reader
from command_line.catalogue import plugins
from command_line.reader import instantiate
from command_line.settings import NO_LOSS, RunSettings, digest
from tests.conftest import ROOT

SMALL = ["--config", "configs/simulated.yaml"]


@pytest.fixture(scope="module")
def run():
    return RunSettings.parse([*SMALL, "--loss", "rsa", "--loss.weight", "5", "--network.dim=16", "--seed", "3"])


def test_a_run_is_typed_and_complete(run):
    assert (run.value("loss.weight"), run.seed, run.epochs, run.run_dir) == (5.0, 3, 3, None)
    assert run.value("loss.compare") == "pearson", "defaults are filled in"
    assert run.value("network.dim") == 16
    assert run.value("residual_gradient.every_n_steps") == 5, "files are read"


@pytest.mark.parametrize(
    "words",
    [
        ["--loss", "rsa", "--model.optimisation.lr=1e-7", "--data.augmentation.probability=0.3"],
        ["--loss", "rsa+vaxis_mse", "--loss.rsa.weight=2e-07"],
        ["--loss", "xeeg", "--source", "SimulatedFACED", "--source.n_subjects=9", "--data.subjects=[sub000]"],
        ["--network", "emod", "--data.features=raw", "--run_dir=a folder", "--group=é"],
    ],
)
def test_a_file_is_the_run_itself_for_us_and_for_the_parser(words, tmp_path):
    run = RunSettings.parse(words)
    file = run.save(tmp_path / "new" / "settings.yaml")
    assert RunSettings.load(file) == run
    assert RunSettings.parse(["--config", str(file)]) == run
    assert digest(RunSettings.parse(["--config", str(file)]).content) == digest(run.content), "5 and 5.0 are one"


def test_with_loss_keeps_everything_else(run):
    for words in (["--loss", "vaxis_mse", "--loss.weight=2"], ["--loss", "rsa+rkd"], ["--loss", "none"]):
        other = run.with_loss(words)
        assert other.with_strategy(run) == run
        assert other.strategy == RunSettings.parse([*SMALL, *words]).strategy, "arguments of the one before are gone"
    assert run.with_loss().plain
    assert not run.plain
    again = run.with_loss(["--loss", "rsa"])
    assert again.value("loss.weight") == 1.0, "also those of the same strategy"


def test_without_a_strategy_there_is_no_second_data_set():
    run = RunSettings.parse(["--loss", "xeeg", "--source", "SimulatedFACED"])
    assert run.with_loss().strategy == {"loss": {"class_path": NO_LOSS}, "source": None}


def test_changes_are_made_on_a_copy_and_read_back(run):
    before = digest(run.content)
    changed = run.with_seed(7).with_run_dir("there").with_axis("axis.npz").with_data(["--data.n_subjects=9"])
    assert (changed.seed, changed.run_dir, changed.value("data.axis")) == (7, "there", "axis.npz")
    assert changed.value("data.n_subjects") == 9
    assert changed.value("model.axis") is None, "a simulated cohort is drawn from it"
    real = RunSettings.parse(["--data", "FACED", "--data.root=x"]).with_axis("axis.npz")
    assert real.value("model.axis") == "axis.npz"
    assert changed.with_data(["--data", "SimulatedSEEDV"]).value("data.n_subjects") == 16, "its own default"
    assert digest(run.content) == before


def test_places_are_named_as_flags_are(run):
    both = RunSettings.parse(["--loss", "rsa+vaxis_mse"]).with_value("loss.vaxis_mse.weight", 0.25)
    assert instantiate(both)[1].loss.parts[1].weight == 0.25
    assert run.with_value("data.augmentation.probability", 0.3).value("data.augmentation.probability") == 0.3
    network = run.with_value("network", "emod")
    assert network.value("network") == {"class_path": "networks.emod.EMOD"}, "from its own defaults"
    assert run.with_value("network", run.value("network.class_path")) == run, "what is there keeps its arguments"
    for place in ("trainer.max_epoch", "nothing", "trainer.max_epochs.x"):
        with pytest.raises(ValueError, match=f"there is no setting --{place}"):
            run.with_value(place, 1)
    with pytest.raises(ValueError, match=r"no setting --loss\.wieght"):
        run.value("loss.wieght")


def test_folders_are_named_by_what_decides_the_numbers(run):
    same = RunSettings.parse(
        [*SMALL, "--loss=rkd", "--network.dim=16", "--seed=4", "--run_dir=x", "--axis=a", "--data.axis=b", "--online"]
    )
    assert digest(same.rest) == digest(run.rest)
    for words in (["--network.dim=8"], ["--data.n_subjects=9"], ["--trainer.max_epochs=4"]):
        assert digest(run.with_words(words).rest) != digest(run.rest)
    assert run.differences(run.with_words(["--trainer.max_epochs=4"])) == ["trainer.max_epochs was 3, now 4"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--loss", "rsa", "--loss.wieght=1"], "RSA has no argument 'wieght'. Did you mean 'weight'?"),
        (["--loss", "rsa", "--loss.compare=persson"], "RSA.compare must be one of"),
        (["--loss", "rsa", "--loss.weight=-1"], "weight must be >= 0, got -1"),
        (["--data", "FACED"], "FACED needs --data.root"),
        (["--network", "emod"], "EMOD reads raw, --data.features is de"),
        (["--source", "SimulatedFACED"], "none does not train on a second data set"),
        (["--no.such=1"], "unknown flag --no.such"),
    ],
)
def test_mistakes_are_one_line(words, said):
    with pytest.raises(ValueError) as error:  # noqa: PT011 - the message is compared below
        instantiate(RunSettings.parse(words))
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_parts_are_made_without_changing_the_run():
    run = RunSettings.parse([*SMALL, "--loss", "rsa+vaxis_mse", "--seed=5"])
    before = digest(run.content)
    data, decoder, trainer = instantiate(run)
    assert (data.n_subjects, data.seed, decoder.loss.name, trainer["max_epochs"]) == (24, 5, "rsa+vaxis_mse", 3)
    assert digest(run.content) == before


def test_the_command_line_is_built_once_a_process(monkeypatch):
    RunSettings.parse([])
    monkeypatch.setattr(reader, "command_line", lambda *_, **__: pytest.fail("built a second time"))
    for plugin in plugins("loss")[:3]:
        instantiate(RunSettings.parse([]).with_loss(["--loss", plugin.name]))


def test_reading_and_changing_needs_neither_torch_nor_the_parser(run, tmp_path):
    file = run.save(tmp_path / "settings.yaml")
    code = (
        "import sys; from command_line.settings import RunSettings; r = RunSettings.load(sys.argv[1]).with_seed(9)\n"
        "r.with_value('loss.weight', 2.0).with_run_dir('x').save(sys.argv[1])\n"
        "print([name for name in ('torch', 'lightning', 'jsonargparse', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, file], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert RunSettings.load(file).differences(run) == [
        "seed_everything was 9, now 3",
        "trainer.default_root_dir was x, now None",
        "loss.init_args.weight was 2.0, now 5.0",
    ]
