"""Teacher, two stages, two data sets: what each phase trains on, what it leaves alone, whose weights it starts from."""

import copy
import warnings

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from eeg.batch import SourceBatch
from lightning_modules.decoder import Decoder
from losses.base import Output
from losses.none import NoAlignment
from losses.peft_lora import PEFTLoRA
from losses.pretrain_finetune import PretrainFinetune
from losses.teacher_kd import TeacherKD
from losses.vaxis_mse import VAxisMSE
from losses.xeeg import XEEG
from networks.axial_de import AxialDE
from tests.conftest import make_axis
from tests.loss_cases import SPEC, K, batch_of, decoder_with, normal, train_steps, trials
from vaxis.emotions import SEEDV
from vaxis.targets import Targets

SOURCE = Targets.from_axis(make_axis("seedv"))


def state(model: Decoder, *prefixes: str) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items() if name.startswith(prefixes)}


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    assert a.keys() == b.keys() != set()
    return all(torch.equal(value, b[name]) for name, value in a.items())


def onward(model: Decoder) -> None:
    """To the next phase, as the end of an epoch does."""
    model.go_to(model.phase_index + 1)
    model.loss.enter(model)


def saved(model: Decoder, path) -> str:
    torch.save({"state_dict": model.state_dict()}, path)
    return str(path)


class TestTeacherKD:
    def test_a_teacher_like_the_student_costs_nothing(self, targets):
        model = decoder_with(TeacherKD(), targets).eval()
        model.go_to(1)
        batch, logits = trials(), model(trials().x).detach().requires_grad_()
        found = model.loss(Output(logits=logits, h=torch.zeros(36, 8)), batch)
        assert found.abs() < 1e-6
        (gradient,) = torch.autograd.grad(found, logits)
        assert gradient.abs().max() < 1e-7

    @pytest.mark.parametrize("temperature", [0.5, 2.0])
    def test_gradient_is_temperature_times_the_difference(self, temperature, targets):
        model = decoder_with(TeacherKD(temperature=temperature), targets).eval()
        model.go_to(1)
        logits = normal(36, K).float().requires_grad_()
        found = model.loss(Output(logits=logits, h=torch.zeros(36, 8)), trials())
        student, teacher = (x.div(temperature).softmax(dim=1) for x in (logits, model.loss.teacher(trials().x)))
        expected = temperature**2 * (teacher * (teacher / student).log()).sum(dim=1).mean()
        torch.testing.assert_close(found, expected)
        torch.testing.assert_close(torch.autograd.grad(found, logits)[0], temperature / 36 * (student - teacher))

    def test_the_first_phase_is_vaxis_mse_at_the_weight_of_the_teacher(self, targets):
        model, plain = decoder_with(TeacherKD(teacher_weight=0.5), targets), decoder_with(VAxisMSE(weight=0.5), targets)
        assert [phase.name for phase in model.phases] == ["teacher", "student"]
        for each in (model, plain):
            train_steps(each)
        own = ("network.", "classifier.", "loss.head.")
        # The optimiser walks in the same order, so the steps are the same to the bit.
        assert same(state(model, *own), state(plain, *own))

    def test_the_student_starts_where_the_teacher_started_and_never_sees_the_axis(self, targets):
        model = decoder_with(TeacherKD(), targets)
        start = state(model, "network.", "classifier.")
        train_steps(model)
        taught = copy.deepcopy(nn.Sequential(model.network, model.classifier).state_dict())
        assert not same(state(model, "network.", "classifier."), start)
        onward(model)
        assert same(state(model, "network.", "classifier."), start)
        assert same(model.loss.teacher.state_dict(), taught)
        assert model.loss.reads == ("logits", "h", "x")
        garbage = trials()._replace(stimulus=trials().stimulus - 99)
        train_steps(model, count=1, batch=garbage)

    def test_the_teacher_never_learns(self, targets):
        model = decoder_with(TeacherKD(), targets)
        onward(model)
        names = [name for name, _ in model.named_parameters() if name.startswith("loss.teacher.")]
        assert names
        assert not {name for name, _ in model.trained_parameters()} & {*names, "loss.head.weight", "loss.head.bias"}
        before = state(model, "loss.teacher.")
        train_steps(model)
        assert same(state(model, "loss.teacher."), before)
        assert all(p.grad is None for name, p in model.named_parameters() if name in names)

    def test_the_teacher_is_still_while_the_student_drops_out(self, targets):
        model = decoder_with(TeacherKD(), targets)
        onward(model)
        model.train()
        model._rest_what_does_not_train()
        assert model.network.training
        assert not any(module.training for module in model.loss.teacher.modules())

    def test_weights_of_labels_and_teacher(self, targets):
        task, alignment = torch.tensor(3.0), torch.tensor(2.0)
        for ce_weight, expected in ((1.0, 3 + 0.5 * 2), (0.0, 0.5 * 2)):
            loss = decoder_with(TeacherKD(weight=0.5, ce_weight=ce_weight), targets).loss
            assert loss.combine(task=task, alignment=alignment, progress=0.0) == 3 + 0.5 * 2  # the teacher's own phase
            loss.phase = loss.phases(1)[-1]
            assert loss.combine(task=task, alignment=alignment, progress=0.0) == expected

    def test_without_labels_they_do_not_matter(self, targets):
        models = [decoder_with(TeacherKD(ce_weight=0.0), targets) for _ in range(2)]
        for model, batch in zip(models, (trials(), trials()._replace(y=(trials().y + 1) % K))):
            onward(model)
            with torch.no_grad():
                model.loss.teacher[1].linear.bias += torch.arange(9.0)
            train_steps(model, batch=batch)
        assert same(state(models[0], "network."), state(models[1], "network."))

    def test_a_teacher_from_a_run(self, targets, tmp_path):
        run = decoder_with(VAxisMSE(), targets)
        train_steps(run)
        (tmp_path / "run" / "checkpoints").mkdir(parents=True)
        file = saved(run, tmp_path / "run" / "checkpoints" / "best.ckpt")
        for path in (file, str(tmp_path / "run")):
            model = decoder_with(TeacherKD(teacher=path), targets)
            assert [phase.name for phase in model.phases] == ["student"]
            torch.testing.assert_close(model.loss.teacher(trials().x), run.eval()(trials().x))
            assert same(
                state(model, "network.", "classifier."),
                state(decoder_with(NoAlignment(), targets), "network.", "classifier."),
            )
            assert not model.loss.head.weight.requires_grad  # in no phase: DDP would wait for it

    def test_a_folder_of_runs_teaches_with_its_vote(self, targets, tmp_path):
        runs = []
        for seed, steps in ((1, 2), (2, 4), (3, 6)):
            run = decoder_with(VAxisMSE(), targets)
            train_steps(run, count=steps)
            (tmp_path / f"s{seed}" / "checkpoints").mkdir(parents=True)
            saved(run, tmp_path / f"s{seed}" / "checkpoints" / "best.ckpt")
            runs.append(run.eval())
        (tmp_path / "notes").mkdir()  # no run
        model = decoder_with(TeacherKD(teacher=str(tmp_path), temperature=1.0), targets)
        mean = torch.stack([run(trials().x).softmax(dim=1) for run in runs]).mean(dim=0)
        torch.testing.assert_close(model.loss.teacher(trials().x).softmax(dim=1), mean)
        assert not [name for name in model.state_dict() if name.startswith("loss.teacher")]
        before = model.loss.teacher(trials().x)
        train_steps(model)
        torch.testing.assert_close(model.loss.teacher(trials().x), before, rtol=0, atol=0)

    def test_what_is_no_teacher_is_said_with_file_and_fix(self, targets, tmp_path):
        def refused(path, kind=ValueError) -> str:
            with pytest.raises(kind) as error:
                decoder_with(TeacherKD(teacher=str(path)), targets)
            text = str(error.value)
            assert text.startswith("--loss.teacher: ")
            assert str(path) in text
            assert "\n" not in text
            return text

        assert "give a run folder or a .ckpt file" in refused(tmp_path / "none.ckpt", FileNotFoundError)
        (tmp_path / "empty").mkdir()
        assert "best.ckpt" in refused(tmp_path / "empty", FileNotFoundError)
        (tmp_path / "notes.txt").write_text("hello")
        assert "cannot be read as the checkpoint of a run" in refused(tmp_path / "notes.txt")
        torch.manual_seed(0)
        deep = Decoder(network=AxialDE(dim=8, depth=2), loss=NoAlignment())
        deep.build(spec=SPEC, targets=targets)
        assert "train it with the same --network" in refused(saved(deep, tmp_path / "deep.ckpt"))
        head = Decoder(network=AxialDE(dim=8), loss=NoAlignment(), head="emod")
        head.build(spec=SPEC, targets=targets)
        assert "holds another classifier than this run has" in refused(saved(head, tmp_path / "head.ckpt"))


class TestPretrainFinetune:
    def test_labels_count_nothing_in_the_first_phase(self, targets):
        models = [decoder_with(PretrainFinetune(), targets) for _ in range(2)]
        start = state(models[0], "classifier.")
        for model, shift in zip(models, (0, 1)):
            train_steps(model, batch=trials()._replace(y=(trials().y + shift) % K))
            assert model.record.task is None
        assert same(state(models[0], "network.", "loss."), state(models[1], "network.", "loss."))
        assert same(state(models[0], "classifier."), start)
        assert not same(state(models[0], "network."), state(decoder_with(NoAlignment(), targets), "network."))

    @pytest.mark.parametrize("freeze", [True, False])
    def test_the_axis_counts_nothing_in_the_second(self, freeze, targets):
        model = decoder_with(PretrainFinetune(freeze=freeze), targets)
        train_steps(model)
        onward(model)
        before = state(model, "network."), state(model, "loss."), state(model, "classifier.")
        train_steps(model, batch=trials()._replace(stimulus=trials().stimulus - 99))
        after = state(model, "network."), state(model, "loss."), state(model, "classifier.")
        assert [same(a, b) for a, b in zip(before, after)] == [freeze, True, False]
        assert model.record.alignment is None
        assert set(model.resting().values()) == ({"the axis phase"} if freeze else set())

    def test_a_frozen_encoder_rests(self, targets):
        model = decoder_with(PretrainFinetune(freeze=True), targets)
        onward(model)
        model.train()
        model._rest_what_does_not_train()
        assert not model.network.training
        assert model.classifier.training

    def test_lengths(self):
        assert [phase.epochs for phase in PretrainFinetune().phases(7)] == [7, 7]
        assert [phase.epochs for phase in PretrainFinetune(pretrain_epochs=3).phases(7)] == [3, 7]


class TestXEEG:
    @pytest.fixture
    def batch(self):
        stimulus = torch.randint(45, (36,), generator=torch.Generator().manual_seed(5))
        y = torch.tensor(SEEDV.class_of)[stimulus]
        return batch_of(torch.zeros(36, dtype=torch.int64))._replace(x=trials().x, y=y, stimulus=stimulus)

    def make(self, targets, **hyper) -> Decoder:
        torch.manual_seed(42)
        model = Decoder(network=AxialDE(dim=8), loss=XEEG(**hyper))
        model.build(spec=SPEC, targets=targets, source=SOURCE)
        return model

    def test_source_clips_have_the_positions_of_the_source(self, batch, targets):
        loss, h = self.make(targets).loss, normal(36, 8).float()
        predicted = loss.head(h).squeeze(1)
        found = loss(Output(h=h), SourceBatch(*batch))
        torch.testing.assert_close(found, F.mse_loss(predicted, SOURCE.v[batch.stimulus]))
        found = loss(Output(h=h), trials())
        torch.testing.assert_close(found, F.mse_loss(predicted, targets.v[trials().stimulus]))

    def test_first_the_source_with_its_own_classifier_then_the_target(self, batch, targets):
        model = self.make(targets)
        assert model.source_classifier.linear.out_features == 5
        start = state(model, "classifier.")
        train_steps(model, batch=batch)
        encoder = state(model, "network.")
        assert same(state(model, "classifier."), start)
        onward(model)
        assert same(state(model, "network."), encoder)
        kept = state(model, "source_classifier.", "loss.")
        train_steps(model)
        assert same(state(model, "source_classifier.", "loss."), kept)
        assert not same(state(model, "classifier."), start)

    def test_the_two_arms_differ_after_the_transfer(self, batch, targets):
        """What a published delta of 0.0000 over ten runs lacks: the second phase starts from the first."""
        ends = []
        for weight in (0.5, 0.0):
            model = self.make(targets, weight=weight)
            train_steps(model, batch=batch)
            onward(model)
            train_steps(model)
            ends.append(state(model, "network.", "classifier."))
        assert not same(*ends)

    def test_joint_has_one_axis_head_and_two_classifiers(self, batch, targets):
        model = self.make(targets, mode="joint")
        assert [phase.data for phase in model.phases] == ["both"]
        for source in (True, False):
            train_steps(model, count=1, batch=SourceBatch(*batch) if source else trials())
            weights = (model.loss.head.weight, model.source_classifier.linear.weight, model.classifier.linear.weight)
            assert [bool(weight.grad.any()) for weight in weights] == [True, source, not source]


def test_pretraining_on_another_cohort_leaves_adapters_and_heads_alone(targets):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = decoder_with(PEFTLoRA(), targets)
    assert [phase.name for phase in model.phases] == ["pretrain", "adapt"]
    adapters = {n for n, _ in model.named_parameters() if ".parametrizations." in n and ".original" not in n}
    before = state(model, *adapters, "classifier.", "loss.")
    train_steps(model)
    assert model.record is None or model.record.alignment is None
    assert same(state(model, *adapters, "classifier.", "loss."), before)
    onward(model)
    assert set(model.resting().values()) == {"the pretrain phase"}
