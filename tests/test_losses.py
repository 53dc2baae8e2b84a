"""Rules that every strategy keeps: one parametrised contract over the folder; what each is by itself has own files."""

import ast
import inspect
from dataclasses import replace

import pytest
import torch

from command_line.catalogue import plugins
from losses._adapters import merge
from losses.base import Output
from losses.none import NoAlignment
from tests.conftest import ROOT, make_axis
from tests.loss_cases import (
    B,
    D,
    K,
    N,
    batch_of,
    built,
    decoder_with,
    output_of,
    strategy,
    train_steps,
    trials,
)
from vaxis.targets import Targets

NAMES = [plugin.name for plugin in plugins("loss")]
LABELS_ONLY = {"none", "head_init"}  # they put nothing into the loss of a training step
CONTROL_ARM = {"peft_fullhead", "peft_lora", "peft_ia3", "xeeg"}  # weight 0 is the same procedure without the axis
SIGNLESS = {"rsa", "rkd", "procrustes", "soft_supcon", "soft_label_kd", "distance_ce"}
LINEAR = {  # a linear head on features or tokens: what it can reach does not depend on sign or axes
    *("vaxis_mse", "multi_vaxis_mse", "topo_frontal", "topo_occipital", "topo_optimal", "faa"),
    *("anger_weighted", "uncertainty", "curriculum", "pretrain_finetune", *CONTROL_ARM),
}
ROTATED = {"rsa", "rkd", "procrustes"}  # they have no head of their own
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef)
LONG = {  # files above 60 lines of code, and why
    "_composition": "what a sum of strategies means in every hook",
    "_peft": "pretrained weights from three places",
    "faa": "three readings of a sentence, two kinds of features",
    "base": "the seam, with every hook that a strategy may have",
}

pytestmark = pytest.mark.filterwarnings("ignore:multi_vaxis_mse without")


@pytest.fixture
def tokens():
    return torch.randn(B, 32, N, D, generator=torch.Generator().manual_seed(7)).requires_grad_()


@pytest.fixture
def stimuli():
    return torch.randint(28, (B,), generator=torch.Generator().manual_seed(8))


def test_every_file_is_a_strategy_and_its_own_name():
    assert len(NAMES) >= 26, "twenty-five strategies and none"
    for plugin in plugins("loss"):
        assert plugin.class_path.split(".")[1] == plugin.name
        assert plugin.summary
        assert len(plugin.summary) <= 100, f"{plugin.name}: the first docstring line is its help, keep it short"


def lines_of_code(source: str) -> int:
    """Lines that do something: what explains them may be as long as it needs to be."""
    explained = set()
    for node in ast.walk(ast.parse(source)):
        text = getattr(node, "body", None) if isinstance(node, DOCUMENTED) else None
        if text and isinstance(text[0], ast.Expr) and isinstance(text[0].value, ast.Constant):
            explained |= set(range(text[0].lineno, text[0].end_lineno + 1))
    kept = enumerate(source.splitlines(), start=1)
    return sum(bool(line.strip()) and line.strip()[0] != "#" and number not in explained for number, line in kept)


def test_lines_of_code_are_those_that_do_something():
    assert lines_of_code('"""Of a\nmodule."""\n\n# why\ndef f():\n    """Of f."""\n    return 1  # because\n') == 2


def test_a_long_file_says_why():
    sizes = {path.stem: lines_of_code(path.read_text()) for path in (ROOT / "losses").glob("*.py")}
    for name, lines in sizes.items():
        assert lines <= 60 or name in LONG, f"losses/{name}.py has {lines} lines of code: say why, or shorten it"


@pytest.mark.parametrize("name", NAMES)
class TestContract:
    def test_constructor_is_keyword_only_typed_and_documented(self, name):
        cls = type(strategy(name))
        for parameter in list(inspect.signature(cls.__init__).parameters.values())[1:]:
            assert parameter.kind is parameter.KEYWORD_ONLY
            assert parameter.annotation is not parameter.empty
            assert parameter.default is not parameter.empty
            assert f"{parameter.name}:" in cls.__doc__

    def test_scalar_float32_with_gradient(self, name, targets, tokens, stimuli):
        value = built(strategy(name), targets)(output_of(tokens), batch_of(stimuli))
        assert value.shape == ()
        assert value.dtype == torch.float32
        (gradient,) = torch.autograd.grad(value, tokens)
        assert torch.isfinite(gradient).all()
        assert (gradient.abs().sum() > 0) == (name not in LABELS_ONLY)

    def test_permuting_the_batch_changes_nothing(self, name, targets, tokens, stimuli):
        loss, order = built(strategy(name), targets), torch.randperm(B, generator=torch.Generator().manual_seed(3))
        value = loss(output_of(tokens), batch_of(stimuli))
        torch.testing.assert_close(loss(output_of(tokens[order]), batch_of(stimuli[order])), value)

    def test_only_declared_outputs_are_read(self, name, targets, tokens, stimuli):
        loss, full = built(strategy(name), targets), output_of(tokens)
        declared = Output(**{field: getattr(full, field) for field in loss.reads if field != "x"})
        assert torch.equal(loss(declared, batch_of(stimuli)), loss(full, batch_of(stimuli)))

    def test_constants_stay_out_of_the_checkpoint(self, name, targets):
        loss = built(strategy(name), targets)
        assert set(loss.state_dict()) == {key for key, _ in loss.named_parameters()}

    def test_weight_zero_is_inactive_and_negative_weight_is_refused(self, name):
        if name == "none":
            assert not strategy(name).active
            return
        assert strategy(name, weight=0.0).active == type(strategy(name)).structural
        with pytest.raises(ValueError, match="weight"):
            strategy(name, weight=-1.0)

    def test_scale_and_offset_of_the_axis_do_not_matter(self, name, tokens, stimuli):
        axis = make_axis()
        moved = replace(axis, positions={key: 0.03 * raw + 5 for key, raw in axis.positions.items()})
        values = [
            built(strategy(name), Targets.from_axis(a))(output_of(tokens), batch_of(stimuli)) for a in (axis, moved)
        ]
        torch.testing.assert_close(*values, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
class TestContractInTheDecoder:
    def test_building_leaves_network_classifier_and_random_state_as_they_are(self, name, targets):
        plain, state = decoder_with(NoAlignment(), targets), torch.get_rng_state()
        treated = decoder_with(strategy(name), targets)
        assert torch.equal(torch.get_rng_state(), state)
        merge(treated.network)
        different = [n for n, p in plain.state_dict().items() if not torch.equal(p, treated.state_dict()[n])]
        assert different == (["classifier.linear.bias"] if name == "head_init" else [])

    def test_weight_zero_is_the_plain_decoder_bit_for_bit_or_the_same_procedure(self, name, targets):
        zero = decoder_with(strategy(name, **({} if name == "none" else {"weight": 0.0})), targets)
        if zero.loss.structural:
            treated = decoder_with(strategy(name), targets)
            assert [phase.name for phase in zero.phases] == [phase.name for phase in treated.phases]
            for model in (zero, treated):
                model.go_to(len(model.phases) - 1)
            task, aligned = torch.tensor(1.7), torch.tensor(1e3)
            assert zero.loss.combine(task=task, alignment=aligned, progress=0.5) == task
            assert zero.resting().keys() == treated.resting().keys()
            return
        plain = decoder_with(NoAlignment(), targets)
        states = []
        for model in (plain, zero):
            train_steps(model)
            states.append(torch.get_rng_state())
        assert torch.equal(*states)
        assert plain.state_dict().keys() == zero.state_dict().keys()
        assert all(torch.equal(value, zero.state_dict()[key]) for key, value in plain.state_dict().items())

    def test_computes_in_float32_without_autocast(self, name, targets):
        model, seen = decoder_with(strategy(name), targets), []

        def look(_, arguments, value):
            fields = [field for field in arguments[0] if field is not None]
            seen.append((torch.is_autocast_enabled("cpu"), {x.dtype for x in [*fields, value]}))

        model.loss.register_forward_hook(look)
        with torch.autocast("cpu", torch.bfloat16):
            assert torch.ones(2, 2).matmul(torch.ones(2, 2)).dtype == torch.bfloat16
            for index in range(len(model.phases)):
                model.go_to(index)
                train_steps(model, count=1)
        assert set(map(repr, seen)) == (set() if name in LABELS_ONLY else {repr((False, {torch.float32}))})

    def test_evaluation_reads_the_signal_and_changes_nothing(self, name, targets):
        model = decoder_with(strategy(name), targets).eval()
        model.loss.register_forward_pre_hook(lambda *_: pytest.fail("asked for the loss in evaluation"))
        before = {key: value.clone() for key, value in [*model.named_parameters(), *model.named_buffers()]}
        right = trials()
        nonsense = right._replace(stimulus=right.stimulus - 99, y=(right.y + 1) % K, subject=right.subject - 5)
        logits = []
        for batch in (right, nonsense):
            model._evaluate(batch, model.confusion)
            logits.append(model.record.logits)
        assert torch.equal(*logits)
        assert torch.equal(model(right.x), logits[0])
        after = dict([*model.named_parameters(), *model.named_buffers()])
        assert all(torch.equal(value, after[key]) for key, value in before.items() if "confusion" not in key)

    def test_the_exported_decoder_needs_no_strategy(self, name, targets):
        treated, plain = decoder_with(strategy(name), targets), decoder_with(NoAlignment(), targets).eval()
        start = treated.eval()(trials().x)
        train_steps(treated.train())
        logits = treated.eval()(trials().x)
        assert not torch.equal(logits, start)
        merge(treated.network)
        treated.loss = None
        own = ("network.", "classifier.")
        plain.load_state_dict({key: value for key, value in treated.state_dict().items() if key.startswith(own)})
        torch.testing.assert_close(plain(trials().x), logits, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", sorted(SIGNLESS | LINEAR))
def test_sign_of_the_axis(name, targets, tokens, stimuli):
    """No matter to losses of distances; a linear head turns round and the value is the same."""
    losses = [built(strategy(name), t) for t in (targets, replace(targets, v=-targets.v, v_class=-targets.v_class))]
    if name in LINEAR:
        with torch.no_grad():
            for parameter in losses[1].head.parameters():
                parameter.neg_()
    values = [loss(output_of(tokens), batch_of(stimuli)) for loss in losses]
    torch.testing.assert_close(*values, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", sorted(ROTATED | LINEAR))
def test_rotation_of_the_features(name, targets, tokens, stimuli):
    """No matter without a head; a linear head turns along and the value is the same."""
    turn = torch.linalg.qr(torch.randn(D, D, generator=torch.Generator().manual_seed(4))).Q
    loss, output = built(strategy(name), targets), output_of(tokens)
    value = loss(output, batch_of(stimuli))
    if name in LINEAR:
        with torch.no_grad():
            loss.head.weight.copy_(loss.head.weight @ turn)
    turned = output._replace(h=output.h @ turn, tokens=tokens @ turn)
    torch.testing.assert_close(loss(turned, batch_of(stimuli)), value, rtol=1e-4, atol=1e-5)
