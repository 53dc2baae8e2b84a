"""Removing a direction while a model reads: the upper blocks give what the whole model would, and what it costs."""

import json

import numpy as np
import pytest
import torch

from measures.bootstrap import auc
from tests.rated_texts import SENTENCES, read, texts_and_ratings
from tests.small_language_models import save_bert, save_llama
from vaxis.__main__ import main
from vaxis.axis import sentence_axis
from vaxis.language.hidden_states import HiddenStates
from vaxis.language.upper_blocks import UpperBlocks, without
from vaxis.validity import inside
from vaxis.validity.ablation import probe_scores
from vaxis.validity.steering import _changed

TEXTS = ["good", "a longer text that is bad", "neither", "x" * 40, "it rains"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def states(folder):
    return HiddenStates(save_llama(folder / "llama"), device="cpu", dtype=torch.float32)


@pytest.mark.parametrize("readout", ["framed", "mean", "last"])
@pytest.mark.parametrize("kind", ["llama", "bert"])
def test_the_upper_blocks_give_what_the_whole_model_gives(states, folder, kind, readout):
    own = states
    if kind == "bert":
        own = HiddenStates(save_bert(folder / f"bert-{readout}"), device="cpu", dtype=torch.float32)
    upper = UpperBlocks(own, TEXTS, readout=readout, layer=1)
    np.testing.assert_allclose(upper(), own(TEXTS, readout=readout), rtol=1e-4, atol=1e-5)
    direction = np.random.default_rng(0).normal(size=16)
    direction /= np.linalg.norm(direction)
    with _changed(own.blocks[0], without(direction)):
        expected = own(TEXTS, readout=readout)
    np.testing.assert_allclose(upper(without(direction)), expected, rtol=1e-4, atol=1e-5)
    assert np.abs(upper(without(direction)) - upper()).max() > 1e-2
    np.testing.assert_allclose(upper(), own(TEXTS, readout=readout), rtol=1e-4, atol=1e-5)  # nothing sticks


def test_what_cannot_be_read_is_refused_in_one_line(states):
    for layer in (0, 3, 7):
        with pytest.raises(ValueError, match="below the layer that is read, 3"):
            UpperBlocks(states, TEXTS, readout="framed", layer=layer)
    with pytest.raises(ValueError, match="several landing phrases"):
        UpperBlocks(states, TEXTS, readout="ensemble", layer=1)


def test_the_final_layer_is_refused(folder):
    final = HiddenStates(folder / "llama", layer="final", device="cpu")
    with pytest.raises(ValueError, match="after the model's norm"):
        UpperBlocks(final, TEXTS, readout="framed", layer=1)


def test_the_probe_over_texts_is_that_over_features():
    generator = np.random.default_rng(0)
    states, positive = generator.normal(size=(60, 90)), np.arange(60) % 3 == 0
    states[:, 0] += positive
    expected = probe_scores(states, positive, penalty=0.01)[:, 0]
    np.testing.assert_allclose(inside.probe(states, positive, penalty=0.01), expected)


@pytest.fixture(scope="module")
def planted():
    """A model whose upper blocks are a rotation: what is removed below is gone above."""
    texts, ratings = texts_and_ratings(120)
    sentences = [sentence for group in SENTENCES.values() for sentence in group]
    below = read([*sentences, *texts])
    below[len(sentences) :, 0] += 3 * np.random.default_rng(1).normal(size=120)  # else no random direction costs at all
    rotation = np.linalg.qr(np.random.default_rng(2).normal(size=(below.shape[1],) * 2))[0]
    sizes = [len(group) for group in SENTENCES.values()]

    def reader(direction):
        left = below if direction is None else below - np.outer(below @ direction, direction)
        return left @ rotation

    axis = sentence_axis(lambda rows: read(rows) @ rotation, SENTENCES)
    local = sentence_axis(read, SENTENCES).direction
    return reader, axis, sizes, ratings > 0, local, below[len(sentences) :]


def test_removing_the_only_axis_costs_the_valence_and_random_ones_do_not(planted):
    reader, axis, sizes, positive, local, texts = planted
    drawn = inside.nulls(local, texts=texts, everyday=texts, draws=20)
    assert {kind: len(rows) for kind, rows in drawn.items()} == dict.fromkeys(inside.KINDS, 20)
    found = inside.study(reader, axis=axis, sizes=sizes, positive=positive, direction=local, drawn=drawn)
    lost = found["axis"]["lost"]
    assert lost["value"] == pytest.approx(found["axis"]["whole"]["value"] - found["axis"]["without"]["value"])
    assert found["axis"]["whole"]["value"] > 0.8
    assert found["axis"]["without"]["value"] < 0.65
    assert lost["low"] <= lost["value"] <= lost["high"]
    null = found["axis"]["nulls"]["isotropic"]
    assert null["p"] == pytest.approx(1 / 21)
    assert null["mean"] < lost["value"] / 2
    assert null["z"] > 2
    whole = reader(None)[sum(sizes) :]
    assert found["axis"]["whole"]["value"] == pytest.approx(float(auc((whole - axis.mean) @ axis.direction, positive)))
    rows = inside.numbers({"tweets": found | {"texts": 120}})
    assert len(rows) == 9
    assert rows["tweets_axis_lost_isotropic"]["n"] == 120
    assert rows["tweets_axis_lost_isotropic"]["value"] == lost["value"]


def test_ties_count_against_the_axis():
    assert inside.beside(0.2, np.array([0.1, 0.2, 0.3]))["p"] == pytest.approx(3 / 4)
    assert np.isnan(inside.beside(0.2, np.full(5, 0.1))["z"])


def test_the_command_writes_numbers_that_a_report_finds(folder, states, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("VAXIS_CACHE", str(tmp_path / "cache"))
    texts, ratings = texts_and_ratings(60)
    rows = "".join(f'"{text}",{rating}\n' for text, rating in zip(texts, ratings))
    (tmp_path / "rated.csv").write_text("text,label\n" + rows)
    command = ["ablate", "--llm", str(folder / "llama"), "--corpora", str(tmp_path / "rated.csv"), "--draws", "20"]
    command += ["--device", "cpu", "--out", str(tmp_path / "out")]
    assert main([*command, "--inside", "1"]) == 0
    saved = json.loads((tmp_path / "out" / "ablate_inside.json").read_text())
    assert (saved["analysis"], saved["inside"], saved["layer"]) == ("ablate_inside", 1, 3)
    for number in saved["numbers"].values():
        assert {"value", "null_mean", "null_95", "p_value", "interval", "n", "simulated"} == number.keys()
    printed = capsys.readouterr().out
    assert "the axis of layer 1 projected out of every token there" in printed
    assert printed.count(" p ") >= 9
    assert main([*command, "--inside", "3"]) == 1
    assert "below the layer that is read, 3" in capsys.readouterr().err
