"""Steering: what is added reaches the layer exactly, texts repeat, and the slope stands beside random directions."""

import json

import numpy as np
import pytest
import torch

from tests.rated_texts import VALENCES
from tests.small_language_models import save_llama
from vaxis import lexicons, steering
from vaxis.__main__ import main
from vaxis.language_model import load_generator
from vaxis.steering import OPENINGS, Writer, study, summary


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


def test_summary_finds_a_planted_slope(words):
    alphas, runs = [-1.0, 0.0, 1.0], {"nothing": ["table good"] * 4, "removed": ["lovely table"] * 4}
    runs |= {"axis -1": ["awful awful"] * 4, "axis 1": ["lovely day", "great river"] * 2}
    for k in range(19):
        runs |= {f"random {k} {alpha:g}": ["table", "lovely" if (k + alpha) % 2 else "awful"] * 2 for alpha in (-1, 1)}
    found = summary(runs, alphas=alphas, draws=19)
    assert [row["valence"] for row in found["table"]] == [-2, 0, 2]
    assert found["slope"]["value"] == pytest.approx(2)
    assert found["slope"]["p"] == pytest.approx(1 / 20)
    assert found["slope"]["null_p95"] == pytest.approx(0, abs=1e-9)
    assert found["removed"] == {"valence": 2, "low": 2, "high": 2}
    assert found["table"][0]["repeated"] == 0.5


def test_an_interrupted_study_goes_on_where_it_was(writer, words, monkeypatch):
    saved = {}
    direction = np.eye(16)[3]
    whole = study(writer, direction, alphas=[-1.0, 0.0, 1.0], draws=2, done={}, save=saved.update)
    assert saved["runs"] == whole["runs"]
    assert len(whole["runs"]) == 2 + 2 + 2 * 2
    half = dict(list(whole["runs"].items())[:4])
    written = []
    monkeypatch.setattr(writer, "_write", lambda change: written.append(1) or ["table"] * 18)
    study(writer, direction, alphas=[-1.0, 0.0, 1.0], draws=2, done=half, save=saved.update)
    assert len(written) == 4


def test_the_command(model, tmp_path, monkeypatch, capsys, words):
    monkeypatch.setenv("VAXIS_CACHE", str(tmp_path))
    out = tmp_path / "steer.json"
    command = ["steer", "--llm", str(model), "--layer", "2", "--texts", "4", "--tokens", "3", "--draws", "2"]
    assert main([*command, "--alphas", "-1", "1", "--out", str(out)]) == 0
    assert "p = " in capsys.readouterr().out
    assert len(json.loads(out.read_text())["table"]) == 2
    assert main([*command, "--alphas", "1"]) == 1
    assert "--alphas needs two different values" in capsys.readouterr().err
