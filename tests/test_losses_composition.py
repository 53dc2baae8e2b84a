"""Several strategies in one run: what their sum is, what b adds to a, and how a command names them."""

import json

import pytest
import torch
import yaml

from command_line.parser import parse
from command_line.words import COMPOSITION, normalise
from eeg.batch import SourceBatch
from losses._composition import Composition
from losses.base import Output
from losses.clip_infonce import ClipInfoNCE
from losses.curriculum import Curriculum
from losses.distance_ce import DistanceCE
from losses.head_init import HeadInit
from losses.none import NoAlignment
from losses.peft_lora import PEFTLoRA
from losses.pretrain_finetune import PretrainFinetune
from losses.prototype_kd import PrototypeKD
from losses.rsa import RSA
from losses.soft_label_kd import SoftLabelKD
from losses.teacher_kd import TeacherKD
from losses.topo_optimal import TopoOptimal
from losses.uncertainty import Uncertainty
from losses.vaxis_mse import VAxisMSE
from losses.xeeg import XEEG
from tests.loss_cases import batch_of, built, decoder_with, output_of, train_steps, trials
from tests.runs import SMALL, train

WORDS = ["--loss", "prototype_kd+topo_optimal"]
TASK = torch.tensor(1.7)


def total(loss, output: Output, batch, *, task: torch.Tensor = TASK, progress: float = 0.0) -> torch.Tensor:
    return loss.combine(task=task, alignment=loss(output, batch), progress=progress)


@pytest.fixture
def output():
    return output_of(torch.randn(36, 32, 4, 16, generator=torch.Generator().manual_seed(7)))


@pytest.fixture
def batch():
    return batch_of(torch.randint(28, (36,), generator=torch.Generator().manual_seed(8)))


class TestSum:
    @pytest.mark.parametrize(
        "parts",
        [
            lambda: [PrototypeKD(weight=0.1), TopoOptimal(weight=0.3)],
            lambda: [RSA(weight=2.0), SoftLabelKD(weight=0.5), VAxisMSE(weight=0.1)],
            lambda: [Curriculum(weight=0.5), RSA(weight=1.0)],
        ],
        ids=["recipe", "three, one couples", "curriculum"],
    )
    def test_is_the_labels_and_each_weighted_part(self, parts, targets, output, batch):
        expected = TASK
        for part in parts():
            expected = expected + total(built(part, targets), output, batch, progress=0.4) - TASK
        for order in (1, -1):
            found = total(built(Composition(parts=parts()[::order]), targets), output, batch, progress=0.4)
            torch.testing.assert_close(found, expected)

    @pytest.mark.parametrize("order", [1, -1])
    def test_distance_labels_replace_the_labels_and_nothing_else(self, order, targets, output, batch):
        loss = built(Composition(parts=[VAxisMSE(weight=0.5), DistanceCE(weight=2.0)][::order]), targets)
        axis, labels = (built(part, targets)(output, batch) for part in (VAxisMSE(), DistanceCE()))
        torch.testing.assert_close(total(loss, output, batch), 0.5 * axis + 2 * labels)
        torch.testing.assert_close(total(loss, output, batch, task=9 * TASK), 0.5 * axis + 2 * labels)

    @pytest.mark.parametrize("order", [1, -1])
    def test_uncertainty_learns_the_balance_of_its_own_two(self, order, targets, output, batch):
        loss = built(Composition(parts=[RSA(weight=0.3), Uncertainty()][::order]), targets)
        (uncertain,) = (part for part in loss.parts if isinstance(part, Uncertainty))
        with torch.no_grad():
            uncertain.log_variances.copy_(torch.tensor([0.4, -0.7]))
        task = TASK.clone().requires_grad_()
        found = total(loss, output, batch, task=task)
        expected = 0.3 * built(RSA(), targets)(output, batch) + total(uncertain, output, batch)
        torch.testing.assert_close(found, expected)
        variances, labels = torch.autograd.grad(found, [uncertain.log_variances, task])
        torch.testing.assert_close(labels, torch.tensor(-0.4).exp())
        alone = torch.autograd.grad(total(uncertain, output, batch), uncertain.log_variances)[0]
        torch.testing.assert_close(variances, alone)

    def test_two_factors_of_the_labels_multiply(self, targets, output, batch):
        parts = [ClipInfoNCE(task_weight=0.5), ClipInfoNCE(task_weight=0.2)]
        value = built(ClipInfoNCE(), targets)(output, batch)
        found = total(built(Composition(parts=parts), targets), output, batch)
        torch.testing.assert_close(found, 0.1 * TASK + 0.5 * 2 * value)

    def test_one_gradient_step_is_that_of_the_sum(self, targets):
        model = decoder_with(Composition(parts=[RSA(weight=0.7), VAxisMSE(weight=0.5)]), targets).eval()
        train_steps(model, count=1)
        found = model.network.gain.grad.clone()
        expected = []
        for part in (RSA(weight=0.7), VAxisMSE(weight=0.5), NoAlignment()):
            alone = decoder_with(part, targets).eval()
            train_steps(alone, count=1)
            expected.append(alone.network.gain.grad)
        torch.testing.assert_close(found, expected[0] + expected[1] - expected[2], rtol=1e-3, atol=1e-5)

    def test_what_one_part_couples_all_are_given(self, targets):
        loss = Composition(parts=[RSA(), TopoOptimal(), SoftLabelKD()])
        assert loss.couples_samples
        assert set(loss.reads) == {"h", "tokens", "logits"}
        assert not Composition(parts=[TopoOptimal(), SoftLabelKD()]).couples_samples

    def test_the_weight_of_the_whole_is_a_factor(self, targets, output, batch):
        halves = built(Composition(parts=[RSA(weight=1.0), VAxisMSE(weight=0.4)], weight=0.5), targets)
        direct = built(Composition(parts=[RSA(weight=0.5), VAxisMSE(weight=0.2)]), targets)
        assert torch.equal(total(halves, output, batch), total(direct, output, batch))
        assert not Composition(parts=[RSA(), VAxisMSE()], weight=0.0).active


class TestPairing:
    @pytest.mark.parametrize("a", [PrototypeKD, RSA, Uncertainty, TeacherKD, PEFTLoRA, XEEG])
    def test_b_of_weight_zero_is_a_alone_bit_for_bit(self, a, targets):
        alone, beside = (
            decoder_with(a(), targets),
            decoder_with(Composition(parts=[a(), TopoOptimal(weight=0)]), targets),
        )
        assert beside.loss.name == f"{alone.loss.name}+topo_optimal"
        for index in range(len(alone.phases)):
            for model in (alone, beside):
                model.go_to(index)
                if index:
                    model.loss.enter(model)
                train_steps(model)
        assert len(beside.phases) == len(alone.phases)
        renamed = {name.replace("loss.parts.0.", "loss."): value for name, value in beside.state_dict().items()}
        assert renamed.keys() == alone.state_dict().keys()
        assert all(torch.equal(value, renamed[name]) for name, value in alone.state_dict().items())

    def test_every_part_starts_as_it_would_alone(self, targets):
        pair = decoder_with(Composition(parts=[PrototypeKD(), HeadInit(mode="weight"), VAxisMSE()]), targets)
        for index, part in ((0, PrototypeKD()), (2, VAxisMSE())):
            alone = decoder_with(part, targets).loss.state_dict()
            found = pair.loss.parts[index].state_dict()
            assert all(torch.equal(value, found[name]) for name, value in alone.items())
        alone = decoder_with(HeadInit(mode="weight"), targets)
        assert torch.equal(pair.classifier.linear.weight, alone.classifier.linear.weight)

    def test_nothing_of_weight_is_the_plain_decoder(self, targets):
        model = decoder_with(Composition(parts=[RSA(weight=0.0), VAxisMSE(weight=0.0)]), targets)
        assert isinstance(model.loss, NoAlignment)


class TestPhases:
    @pytest.mark.parametrize("order", [1, -1])
    def test_the_staged_part_decides_what_learns(self, order, targets, tmp_path):
        """Also where it has a single phase, as a part that adapts a checkpoint has."""
        run = decoder_with(NoAlignment(), targets)
        torch.save({"state_dict": run.state_dict()}, tmp_path / "run.ckpt")
        parts = [PrototypeKD(), PEFTLoRA(pretrained=str(tmp_path / "run.ckpt"))][::order]
        model = decoder_with(Composition(parts=parts), targets)
        assert [phase.name for phase in model.phases] == ["adapt"]
        learning = {name for name, _ in model.trained_parameters()}
        encoder = {name for name in learning if name.startswith("network.")}
        assert encoder
        assert all(".parametrizations." in name and ".original" not in name for name in encoder)
        every = {name for name, _ in model.named_parameters() if name.startswith(("loss.", "classifier."))}
        assert every <= learning

    @pytest.mark.parametrize("order", [1, -1])
    def test_a_filter_on_the_own_head_is_not_one_on_the_others(self, order, targets, tmp_path):
        torch.save({"state_dict": decoder_with(NoAlignment(), targets).state_dict()}, tmp_path / "run.ckpt")
        parts = [TeacherKD(teacher=str(tmp_path / "run.ckpt")), VAxisMSE()][::order]
        model = decoder_with(Composition(parts=parts), targets)
        at = 0 if order == 1 else 1
        learning = {name for name, _ in model.trained_parameters() if name.startswith("loss.")}
        assert learning == {f"loss.parts.{1 - at}.head.weight", f"loss.parts.{1 - at}.head.bias"}
        train_steps(model, count=1)
        assert all(p.grad is not None for _, p in model.trained_parameters()), "DDP would wait for it"

    @pytest.mark.parametrize("order", [1, -1])
    def test_a_student_starts_with_the_head_that_another_part_made(self, order, targets):
        model = decoder_with(Composition(parts=[TeacherKD(), HeadInit(weight=2.0)][::order]), targets)
        train_steps(model)
        model.go_to(1)
        model.loss.enter(model)
        torch.testing.assert_close(model.classifier.linear.bias, 2 * targets.v_class)

    def test_clips_of_a_second_data_set_are_seen_by_the_part_that_knows_them(self, targets, monkeypatch):
        loss = Composition(parts=[VAxisMSE(), XEEG(mode="joint")])
        model = decoder_with(loss, targets)
        monkeypatch.setattr(VAxisMSE, "regress", lambda *_: pytest.fail("positions of other clips"))
        monkeypatch.setattr(XEEG, "forward", lambda self, output, batch: self.head(output.h).mean())
        train_steps(model, count=1, batch=SourceBatch(*trials()))

    @pytest.mark.parametrize(
        ("parts", "message"),
        [
            (lambda: [TeacherKD(), PEFTLoRA()], r"teacher_kd\+peft_lora: only one strategy may train in phases"),
            (lambda: [RSA(), PretrainFinetune()], "pretrain_finetune ends with labels alone"),
            (lambda: [XEEG(), RSA()], "xeeg ends with labels alone"),
        ],
    )
    def test_what_does_not_go_together_is_refused(self, parts, message):
        with pytest.raises(ValueError, match=message):
            Composition(parts=parts())
        Composition(parts=[parts()[0], VAxisMSE(weight=0.0)])


class TestCommand:
    EXPECTED = (
        ("prototype_kd", {"prototypes": "rand_orthonormal"}),
        ("topo_optimal", {"weight": 0.2, "channels": ["PO3", "O1"]}),
    )
    FLAGS = (
        ("--loss", "prototype_kd+topo_optimal"),
        ("--loss.topo_optimal.weight", "0.2"),
        ("--loss.prototype_kd.prototypes", "rand_orthonormal"),
        ("--loss.topo_optimal.channels", "[PO3, O1]"),
        ("--seed", "3"),
    )

    @pytest.mark.parametrize("order", [1, -1])
    @pytest.mark.parametrize("equals", [False, True])
    def test_flags_in_any_form_and_order(self, equals, order):
        pairs = self.FLAGS[::order]
        argv = ["fit", *(word for k, v in pairs for word in ([f"{k}={v}"] if equals else [k, v]))]
        found = normalise(argv)
        assert found[:3] == ["fit", "--loss", COMPOSITION]
        (parts,) = [json.loads(w.removeprefix("--loss.parts=")) for w in found if w.startswith("--loss.parts=")]
        assert tuple((p["class_path"].split(".")[1], p["init_args"]) for p in parts) == self.EXPECTED
        assert any(word.startswith("--seed_everything") for word in found)
        assert normalise(found) == found

    def test_the_last_value_wins(self):
        found = normalise(["--loss.topo_optimal.weight=1", *WORDS, "--loss.topo_optimal.weight", "2e-3"])
        assert parse(found).model.loss.parts[1].weight == 0.002

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (["--loss", "prototype_kdd+rsa"], "unknown loss 'prototype_kdd'. Did you mean 'prototype_kd'?"),
            (["--loss", "rsa+rsa"], "names a strategy twice"),
            ([*WORDS, "--loss.topo.weight=0.5"], "--loss.topo.weight names no part of --loss prototype_kd"),
            ([*WORDS, "--loss.topo_optimal.weight"], "--loss.topo_optimal.weight needs a value"),
        ],
    )
    def test_wrong_names(self, words, message):
        with pytest.raises(SystemExit) as error:
            normalise(words)
        assert message in str(error.value)

    @pytest.mark.parametrize(
        ("flag", "message"),
        [
            ("--loss.topo_optimal.wieght=0.2", "TopoOptimal has no argument 'wieght'. Did you mean 'weight'?"),
            ("--loss.topo_optimal.weight=abc", "TopoOptimal.weight must be float, not 'abc'"),
            ("--loss.prototype_kd.prototypes=rand", "PrototypeKD.prototypes must be one of 'llm', 'rand_orthonormal'"),
        ],
    )
    def test_wrong_arguments(self, flag, message, capsys):
        with pytest.raises(SystemExit):
            parse(normalise([*WORDS, flag]))
        assert message in capsys.readouterr().err

    def test_the_weight_of_the_whole_is_a_flag(self):
        loss = parse(normalise([*WORDS, "--loss.weight=0.5"])).model.loss
        assert [part.weight for part in loss.parts] == [0.05, 0.025]

    @pytest.mark.slow
    def test_a_run_and_its_settings_and_result(self, tmp_path):
        words = [*WORDS, "--loss.topo_optimal.weight", "0.2", "--loss.prototype_kd.prototypes", "rand_orthonormal"]
        train(*SMALL, *words, "--trainer.max_epochs=2", f"--run_dir={tmp_path / 'run'}", cache=tmp_path / "cache")
        result = json.loads((tmp_path / "run" / "result.json").read_text())
        assert result["loss"] == "prototype_kd+topo_optimal"
        config = tmp_path / "run" / "config.yaml"
        assert yaml.safe_load(config.read_text())["loss"]["class_path"] == COMPOSITION
        again = train("fit", f"--config={config}", f"--run_dir={tmp_path / 'again'}", cache=tmp_path / "cache")
        assert "loss     TopoOptimal  weight=0.2" in again.stdout
        second = json.loads((tmp_path / "again" / "result.json").read_text())
        assert second["test"] == result["test"]
