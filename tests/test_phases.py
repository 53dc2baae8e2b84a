"""Phases do what they say: what trains and what rests, on which trials, from which start."""

import json

import lightning as L
import pytest
import torch
from torch import Tensor, nn

from callbacks.run_writer import RunWriter
from eeg.batch import Batch, DataSpec, SourceBatch
from losses.base import AlignmentLoss, Output, Phase
from networks.axial_de import AxialDE
from networks.base import Adaptable, Network
from tests.phase_runs import BATCH, checkpoint, data_for, decoder, equal, fit, state
from tests.test_losses import strategy

pytestmark = pytest.mark.filterwarnings("ignore")


class Delicate(Network):
    """All that training changes without an optimiser: batch statistics and dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.dim = 8

    def build(self, spec: DataSpec) -> None:
        channels, self.n_tokens = spec.shape
        self.gain = nn.Parameter(torch.randn(channels, self.n_tokens, 8))
        self.norm, self.dropout, self.mix = nn.BatchNorm2d(channels), nn.Dropout(0.3), nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        return self.mix(self.dropout(self.norm(x[..., None] * self.gain)).tanh())

    def adaptable(self) -> list[Adaptable]:
        return [Adaptable(self.mix, "weight", "mixing", slice(None))]


class Diary(L.Callback):
    """What each step saw and what each epoch left behind."""

    def __init__(self) -> None:
        self.steps, self.epochs = [], []

    def of(self, phase: str, what: str) -> list:
        return [step[what] for step in self.steps if step["phase"] == phase]

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.start = state(pl_module)

    def on_train_batch_start(self, trainer, pl_module, batch: Batch, batch_idx: int) -> None:
        (optimizer,) = trainer.optimizers
        held = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
        self.steps.append(
            {
                "phase": pl_module.phase.name,
                "trials": tuple(batch.index.tolist()),
                "source": isinstance(batch, SourceBatch),
                "rate": optimizer.param_groups[-1]["lr"],
                "moments": len(optimizer.state),
                "held": {name for name, parameter in pl_module.named_parameters() if id(parameter) in held},
                "network trains": pl_module.network.training,
                "progress": pl_module.progress(batch_idx),
            }
        )

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.epochs.append((pl_module.phase.name, state(pl_module)))  # before the decoder enters the next phase

    def after(self, phase: str) -> dict[str, Tensor]:
        return [values for name, values in self.epochs if name == phase][-1]


def run(folder, loss: AlignmentLoss, *callbacks, data=None, network=None, epochs: int = 2, **options):
    """A whole run; its diary and its decoder."""
    L.seed_everything(11)
    diary, model = Diary(), decoder(loss, network=network or Delicate())
    fit(model, data or data_for(loss, folder), folder, *callbacks, diary, epochs=epochs, **options)
    return diary, model


def part(values: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name: value for name, value in values.items() if name.startswith(prefix)}


class TestPretrainFinetune:
    def test_axis_phase_leaves_the_classifier_and_does_not_look_at_labels(self, tmp_path):
        loss = strategy("pretrain_finetune")
        diary, _ = run(tmp_path, loss)
        data = data_for(loss, tmp_path)
        data.columns = data.columns._replace(y=data.columns.y.roll(1))
        other, _ = run(tmp_path, strategy("pretrain_finetune"), data=data)
        assert equal(part(diary.after("axis"), "classifier."), part(diary.start, "classifier."))
        assert not equal(part(diary.after("axis"), "network."), part(diary.start, "network."))
        assert equal(diary.after("axis"), other.after("axis"))
        assert not equal(diary.after("labels"), other.after("labels")), "the labels did differ"

    @pytest.mark.parametrize("freeze", [True, False])
    def test_frozen_encoder_is_the_same_to_the_last_statistic(self, freeze, tmp_path):
        diary, model = run(tmp_path, strategy("pretrain_finetune", freeze=freeze))
        before, after = diary.after("axis"), diary.after("labels")
        names = ["network.gain", "network.norm.weight", "network.norm.running_mean", "network.norm.running_var"]
        assert [torch.equal(before[name], after[name]) for name in names] == 4 * [freeze]
        assert equal(part(before, "network."), part(after, "network.")) == freeze
        assert not equal(part(before, "classifier."), part(after, "classifier."))
        assert equal(part(before, "loss."), part(after, "loss."))
        assert set(diary.of("labels", "network trains")) == {not freeze}
        encoder = dict(model.network.named_parameters(prefix="network"))
        assert model.resting() == (dict.fromkeys(encoder, "the axis phase") if freeze else {})

    def test_second_phase_has_a_new_optimiser_and_the_trials_of_a_plain_run(self, tmp_path):
        staged, _ = run(tmp_path, strategy("pretrain_finetune"))
        plain, _ = run(tmp_path, strategy("none"))
        for what in ("trials", "rate", "progress"):
            assert staged.of("labels", what) == plain.of("train", what)
        assert staged.of("axis", "rate") == staged.of("labels", "rate")
        assert len(set(staged.of("axis", "rate"))) == 4
        assert staged.of("labels", "moments")[0] == 0 < staged.of("axis", "moments")[-1]
        assert staged.of("labels", "progress") == [0, 0.25, 0.5, 0.75]


class TestTeacherKD:
    def test_student_is_the_plain_decoder_but_for_the_teacher(self, tmp_path):
        """Start, batch statistics, optimiser, schedule, trials and dropout: with next to no distillation all bits."""
        staged, model = run(tmp_path, strategy("teacher_kd", weight=1e-30))
        plain, _ = run(tmp_path, strategy("none"))
        for prefix in ("network.", "classifier."):
            assert equal(part(staged.after("student"), prefix), part(plain.after("train"), prefix))
            assert not equal(part(staged.after("teacher"), prefix), part(plain.after("train"), prefix))
        learned = staged.after("teacher")
        taught = {n.replace("network.", "loss.teacher.0."): v for n, v in part(learned, "network.").items()}
        assert equal(part(staged.after("student"), "loss.teacher.0."), taught)
        assert not model.loss.teacher.training

    def test_distillation_changes_the_student(self, tmp_path):
        students = [run(tmp_path, strategy("teacher_kd", weight=w))[0].after("student") for w in (1e-30, 1.0)]
        assert not equal(*students)


class TestPEFT:
    @pytest.mark.parametrize(
        ("name", "learns"),
        [
            ("peft_fullhead", ("network.blocks.1.", "network.blocks.2.")),
            ("peft_lora", (".up", ".down")),
            ("peft_ia3", (".gain",)),
        ],
    )
    def test_only_the_listed_tensors_learn(self, name, learns, tmp_path):
        diary, model = run(tmp_path, strategy(name), network=AxialDE(dim=8, depth=3))
        adapters = {n for n in diary.start if "parametrizations" in n and "original" not in n}
        encoder = {n for n in diary.start if n.startswith("network.")}
        listed = {n for n in encoder if any(word in n for word in learns)} - {"network.gain"}
        assert listed == (adapters or listed)
        assert set(diary.of("pretrain", "source")) == {True}
        assert set(diary.of("adapt", "source")) == {False}
        before, between, after = diary.start, diary.after("pretrain"), diary.after("adapt")
        changed = [{n for n in a if not torch.equal(a[n], b[n])} for a, b in ((before, between), (between, after))]
        assert changed[0] == encoder - adapters | {n for n in before if n.startswith("source_classifier.")}
        heads = {n for n in before if n.startswith(("classifier.", "loss."))}
        assert changed[1] == listed | heads
        assert diary.of("pretrain", "held")[0] == changed[0]
        assert diary.of("adapt", "held")[0] == changed[1]
        assert model.resting() == dict.fromkeys(encoder - listed, "the pretrain phase")

    def test_frozen_statistics_rest_beside_adapters(self, tmp_path):
        diary, _ = run(tmp_path, strategy("peft_lora"))
        before, after = (part(values, "network.norm.") for values in (diary.after("pretrain"), diary.after("adapt")))
        assert equal(before, after)
        assert not equal(before, part(diary.start, "network.norm."))

    def test_result_lists_phases_and_where_frozen_tensors_come_from(self, tmp_path):
        loss, writer = strategy("peft_lora", pretrain_epochs=1), RunWriter(run_dir=str(tmp_path))
        model, data = decoder(loss, network=Delicate()), data_for(loss, tmp_path)
        trainer = fit(model, data, tmp_path, writer, checkpoint(tmp_path), epochs=2, limit_val_batches=None)
        trainer.validate(model, datamodule=data, ckpt_path="best", weights_only=True)
        trainer.test(model, datamodule=data, ckpt_path="best", weights_only=True)
        result = json.loads((tmp_path / "result.json").read_text())
        phases = [(p["name"], p["epochs"], p["data"]) for p in result["phases"]]
        assert phases == [("pretrain", 1, "source"), ("adapt", 2, "main")]
        assert result["epochs"] == 2
        assert set(result["frozen"].values()) == {"the pretrain phase"}
        assert "network.mix.parametrizations.weight.original" in result["frozen"]
        assert "network.mix.parametrizations.weight.0.up" not in result["frozen"]


@pytest.mark.parametrize("name", ["pretrain_finetune", "teacher_kd", "prototype_kd"])
def test_weight_zero_is_the_plain_run_bit_for_bit(name, tmp_path):
    (zero, _), (plain, _) = run(tmp_path, strategy(name, weight=0.0)), run(tmp_path, strategy("none"))
    assert equal(zero.after("train"), plain.after("train"))


class Staged(AlignmentLoss):
    """A strategy of a user's own: phases from outside."""

    def __init__(self, *phases: Phase) -> None:
        super().__init__(weight=1.0)
        self.course = phases

    def phases(self, epochs: int) -> tuple[Phase, ...]:
        return self.course

    def forward(self, output: Output, batch: Batch) -> Tensor:
        return output.h.square().mean()


def no_encoder(name: str) -> bool:
    return not name.startswith("network.")


def test_what_rested_in_one_phase_trains_in_the_next(tmp_path):
    phases = Phase(name="head", epochs=1, trains=no_encoder), Phase(name="all", epochs=1)
    diary, _ = run(tmp_path, Staged(*phases))
    assert set(diary.of("head", "network trains")) == {False}
    assert set(diary.of("all", "network trains")) == {True}
    assert equal(part(diary.after("head"), "network."), part(diary.start, "network."))
    assert not torch.equal(diary.after("all")["network.norm.running_mean"], diary.start["network.norm.running_mean"])


def test_an_encoder_that_never_trains_is_a_linear_probe(tmp_path):
    diary, model = run(tmp_path, Staged(Phase(name="probe", epochs=1, trains=no_encoder)))
    assert equal(part(diary.after("probe"), "network."), part(diary.start, "network."))
    assert not equal(part(diary.after("probe"), "classifier."), part(diary.start, "classifier."))
    assert set(model.resting().values()) == {"random start"}


def test_three_phases_of_unequal_length(tmp_path):
    course = (("a", 1, False), ("b", 3, True), ("c", 2, False))
    phases = [Phase(name=name, epochs=epochs, task=task) for name, epochs, task in course]
    diary, _ = run(tmp_path, Staged(*phases))
    assert [name for name, _ in diary.epochs] == ["a", "b", "b", "b", "c", "c"]
    assert diary.of("b", "progress") == [i / 6 for i in range(6)]
    assert [len(step["trials"]) for step in diary.steps] == 12 * [BATCH]


@pytest.mark.parametrize("epochs", [0, -1])
def test_phase_without_epochs_is_refused(epochs, tmp_path):
    phases = Phase(name="empty", epochs=epochs), Phase(name="labels", epochs=1)
    with pytest.raises(ValueError, match="phase empty needs an epoch at least"):
        run(tmp_path, Staged(*phases))
