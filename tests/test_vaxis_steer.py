"""Steering: what is added reaches the layer exactly, texts repeat, and the slope stands beside random directions."""

import json

import numpy as np
import pytest
import torch

from tests.rated_texts import VALENCES
from tests.small_language_models import save_llama
from vaxis.__main__ import main
from vaxis.language.model import load_generator
from vaxis.validity import lexicons, steering
from vaxis.validity.steering import OPENINGS, Writer, effects, nulls_along, study


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save_llama(tmp_path_factory.mktemp("model"))


@pytest.fixture
def writer(model):
    return Writer(*load_generator(str(model)), layer=2, texts=18, tokens=5)


@pytest.fixture
def words(monkeypatch):
    monkeypatch.setattr(lexicons, "lexicon", lambda name: VALENCES)
    monkeypatch.setattr(steering, "lexicon", lambda name: VALENCES)


def states_after(network, block, ids):
    kept = []
    handle = block.register_forward_hook(lambda *event: kept.append(event[2]))
    with torch.inference_mode():
        network(input_ids=ids)
    handle.remove()
    return kept[0][0] if isinstance(kept[0], tuple) else kept[0]


def test_the_vector_is_added_to_every_token_of_that_layer_and_taken_off_again(model):
    network, _, blocks = load_generator(str(model))
    ids, vector = torch.tensor([[7, 8, 9]]), torch.arange(16.0)
    before = states_after(network, blocks[1], ids)
    with steering._changed(blocks[1], lambda states: states + vector):
        torch.testing.assert_close(states_after(network, blocks[1], ids), before + vector)
    torch.testing.assert_close(states_after(network, blocks[1], ids), before)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_writer_changes_states_in_the_precision_of_the_model(model, dtype):
    """Processors with AMX and GPUs write in bfloat16; the float64 vector changes no dtype."""
    network, tokenizer, blocks = load_generator(str(model), dtype=dtype)
    writer = Writer(network, tokenizer, blocks, layer=2, texts=2, tokens=2)
    kept = []
    handle = blocks[2].register_forward_pre_hook(
        lambda _, inputs, named: kept.append(inputs[0] if inputs else named["hidden_states"]), with_kwargs=True
    )
    unit = np.linspace(1, 2, 16) / np.linalg.norm(np.linspace(1, 2, 16))
    states = {}
    for name, write in (("nothing", lambda: writer.add(0 * unit)), ("added", lambda: writer.add(3 * unit))):
        kept.clear()
        write()
        states[name] = kept[0]
    kept.clear()
    writer.remove(unit)
    handle.remove()
    close = {"atol": 1e-5, "rtol": 1e-5} if dtype == torch.float32 else {"atol": 0.05, "rtol": 0.02}
    expected = states["nothing"].float() + torch.tensor(3 * unit).float()
    assert {rows.dtype for rows in (*states.values(), kept[0])} == {dtype}
    torch.testing.assert_close(states["added"].float(), expected, **close)
    left = kept[0].float() @ torch.tensor(unit).float()
    torch.testing.assert_close(left, torch.zeros_like(left), **close)


def test_texts_repeat_and_depend_on_what_is_added(writer):
    nothing = writer.add(np.zeros(16))
    assert len(nothing) == 18
    assert nothing == writer.add(np.zeros(16))
    assert nothing != writer.add(np.full(16, 10 * writer.size))
    assert nothing != writer.remove(np.eye(16)[0])
    # The same opening is continued more than once, each time in another way.
    assert len(set(nothing)) > len(OPENINGS)


def test_padding_changes_nothing(model):
    """Openings of different length share a batch; alone, each would get the same chances for its next token."""
    network, tokenizer, blocks = load_generator(str(model))
    writer = Writer(network, tokenizer, blocks, layer=2, texts=16, tokens=1)
    logits = []
    handle = network.register_forward_hook(lambda *event: logits.append(event[2].logits[:, -1]))
    writer.add(np.zeros(16))
    together = logits[0]
    for i, opening in enumerate(OPENINGS):
        with torch.inference_mode():
            network(input_ids=torch.tensor([[ord(letter) - 26 for letter in opening]]))
        torch.testing.assert_close(together[i], logits[-1][0], atol=1e-4, rtol=1e-4)
    handle.remove()


def test_the_random_state_outside_is_left_alone(writer):
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    writer.add(np.zeros(16))
    assert torch.equal(torch.rand(4), expected)


def planted_runs(*, draws):
    """Texts that follow the axis and not the isotropic directions; removing the latter changes nothing."""
    runs = {"nothing": ["table good"] * 4, "axis removed": ["lovely table"] * 4}
    runs |= {"axis -1": ["awful awful"] * 4, "axis 1": ["lovely day", "great river"] * 2}
    for k in range(draws):
        kind = f"isotropic {k}"
        runs |= {f"{kind} {alpha}": ["table", "lovely" if (k + alpha) % 2 else "awful"] * 2 for alpha in (-1, 1)}
        runs[f"{kind} removed"] = runs["nothing"]
    return runs


def test_summary_finds_a_planted_slope_and_removal(words):
    found = effects(planted_runs(draws=19), alphas=[-1.0, 0.0, 1.0], draws={"isotropic": 19})
    assert [row["valence"] for row in found["table"]] == [-2, 0, 2]
    assert found["slope"]["value"] == pytest.approx(2)
    assert found["slope"]["nulls"]["isotropic"]["p"] == pytest.approx(1 / 20)
    assert found["slope"]["nulls"]["isotropic"]["high"] == pytest.approx(0, abs=1e-9)
    removed = found["removed"]
    assert (removed["valence"], removed["low"], removed["high"]) == (2, 2, 2)
    assert removed["nulls"]["isotropic"] == {"median": 0, "low": 0, "high": 0}
    assert removed["p"]["isotropic"] == pytest.approx(1 / 20)
    assert found["table"][0]["repeated"] == 0.5


def test_directions_that_do_the_same_as_the_axis_leave_it_nothing(words):
    runs = planted_runs(draws=0)
    same = {"-1": "axis 1", "1": "axis -1", "removed": "axis removed"}  # their sign does not matter
    runs |= {f"random_texts {k} {what}": runs[key] for k in range(5) for what, key in same.items()}
    found = effects(runs, alphas=[-1.0, 0.0, 1.0], draws={"random_texts": 5})
    assert found["slope"]["nulls"]["random_texts"]["p"] == found["removed"]["p"]["random_texts"] == 1


def test_first_components_of_texts_are_a_stronger_null_than_isotropic_directions():
    """Where states vary along few directions, those of nine texts lie along them; all point towards the axis."""
    generator, axis = np.random.default_rng(0), np.eye(100)[0]
    states = generator.normal(size=(64, 100)) * np.where(np.arange(100) < 2, 10, 0.1)
    found = nulls_along(states, axis, draws=40)
    assert {kind: len(rows) for kind, rows in found.items()} == {"random_texts": 40, "isotropic": 10}
    assert all(np.all(rows @ axis >= 0) for rows in found.values())
    assert all(np.allclose(np.linalg.norm(rows, axis=1), 1) for rows in found.values())
    assert np.median(found["random_texts"] @ axis) > 0.4 > 2 * np.median(found["isotropic"] @ axis)


def test_an_interrupted_study_goes_on_where_it_was(writer, words, monkeypatch):
    saved = {}
    direction, rows = np.eye(16)[3], np.eye(16)
    settings = {"alphas": [-1.0, 0.0, 1.0], "nulls": {"random_texts": rows[:2], "isotropic": rows[3:4]}}
    whole = study(writer, direction, **settings, done={}, save=saved.update)
    assert saved["runs"] == whole["runs"]
    assert len(whole["runs"]) == 1 + (2 + 1) * (1 + 2 + 1)
    # The isotropic direction given here is the axis itself.
    assert whole["runs"]["isotropic 0 removed"] == whole["runs"]["axis removed"] == writer.remove(direction)
    assert whole["runs"]["random_texts 1 removed"] != whole["runs"]["axis removed"]
    assert whole["cosine"] == {"random_texts": 0, "isotropic": 1}
    assert whole["removed"]["shift"] == pytest.approx(-writer.mean[3] / writer.size)
    half = dict(list(whole["runs"].items())[:4])
    written = []
    monkeypatch.setattr(writer, "_write", lambda change: written.append(1) or ["table"] * 18)
    study(writer, direction, **settings, done=half, save=saved.update)
    assert len(written) == 13 - 4


def test_the_command(model, tmp_path, monkeypatch, capsys, words):
    monkeypatch.setenv("VAXIS_CACHE", str(tmp_path))
    out = tmp_path / "steer.json"
    command = ["steer", "--llm", str(model), "--layer", "2", "--texts", "4", "--tokens", "3", "--draws", "2"]
    assert main([*command, "--alphas", "-1", "1", "--dtype", "bfloat16", "--device", "cpu", "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    # Slope and removal, each beside two directions of either kind.
    assert printed.count("(at least 0.333)") == 4
    assert "\nremoved " in printed
    result = json.loads(out.read_text())
    assert len(result["table"]) == 2
    assert result["dtype"] == "bfloat16"
    assert main([*command, "--alphas", "1"]) == 1
    assert "--alphas needs two different values" in capsys.readouterr().err
