"""The published ways of reading an axis, by name and side by side; what is shown of an axis is what training takes."""

import re

import numpy as np
import pytest
import torch
from transformers import LlamaForCausalLM

from tests.small_language_models import BLOCKS, save_llama
from vaxis.__main__ import main
from vaxis.axis import Axis
from vaxis.language import bundled
from vaxis.language.extraction import _origin, ensure_axis, extract
from vaxis.language.modes import MODES, mode_of
from vaxis.language.request import Request
from vaxis.language.texts import load_texts
from vaxis.summary import summary
from vaxis.targets import Targets

pytestmark = pytest.mark.filterwarnings("ignore:weak valence axis")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return str(save_llama(tmp_path_factory.mktemp("model")))


@pytest.fixture(scope="module")
def by_mode(folder):
    """An axis of a real small model in every mode."""
    options = {"llm": folder, "draws": 20, "dtype": torch.float32}
    with pytest.warns(UserWarning, match="weak"):
        return {name: extract(**options, readout=mode.readout, layer=mode.layer) for name, mode in MODES.items()}


@pytest.mark.parametrize(
    ("name", "index", "tokens"), [("v1", BLOCKS - 1, slice(-1, None)), ("revision", -1, slice(1, None))]
)
def test_a_published_mode_reads_bare_sentences_as_its_authors_say(folder, by_mode, name, index, tokens):
    whole = LlamaForCausalLM.from_pretrained(folder).eval()
    for (sentence,), centroid in zip(load_texts("faced").sentences.values(), by_mode[name].centroids):
        ids = torch.tensor([[ord(letter) - 26 for letter in sentence]])
        with torch.inference_mode():
            states = whole(ids, output_hidden_states=True).hidden_states[index][0]
        np.testing.assert_allclose(centroid, states[tokens].mean(dim=0), atol=1e-5)


def test_every_artifact_has_the_same_three_rows_and_each_is_that_of_its_own_mode(by_mode):
    rows = by_mode["framed"].provenance["modes"]
    assert [row["layer"] for row in rows.values()] == [BLOCKS - 1, BLOCKS - 1, BLOCKS]
    assert len({row["separation"] for row in rows.values()}) == 3
    for name, axis in by_mode.items():
        assert axis.provenance["mode"] == name
        assert axis.provenance["modes"] == rows
        row = rows[name]
        assert (row["separation"], row["explained_variance"]) == (axis.separation, axis.explained_variance)
        assert row["joy"] == axis.joy_is_positive
        assert row["everyday"]["rated"]["value"] == pytest.approx(
            axis.provenance["nulls"]["everyday"]["rated"]["value"], abs=1e-4
        )


def test_the_table_shows_each_mode_above_its_null(by_mode):
    lines = summary(by_mode["v1"]).splitlines()
    assert "mode v1" in lines
    for name, row in by_mode["v1"].provenance["modes"].items():
        at = next(i for i, line in enumerate(lines) if line.startswith(f"{name}: "))
        null, sign = row["everyday"], "positive" if row["joy"] else "NOT POSITIVE"
        own = (row["separation"], row["explained_variance"], null["rated"]["value"])
        assert re.findall(r"-?\d\.\d\d", lines[at]) == [f"{value:.2f}" for value in own]
        assert sign in lines[at]
        medians = [f"{null[key]['median']:.2f} [" for key in ("separation", "explained_variance", "rated")]
        assert [lines[at + 1].count(median) >= 1 for median in medians] == [True] * 3


def test_a_mode_is_known_however_it_was_asked_for():
    assert mode_of("last", 29, total=30) == "v1"
    assert mode_of("mean", 30, total=30) == "revision"
    assert mode_of("framed", 29, total=30) == "framed"
    assert mode_of("mean", 29, total=30) is mode_of("last", 30, total=30) is None


def test_the_layer_that_is_asked_for_is_the_one_that_is_read(words):
    """``Words`` has valence in its first direction, at the final layer in its last one."""
    assert extract(llm="words", draws=20).direction[0] > 0.95
    for layer in ("final", 4):
        words.layer = 4
        axis = extract(llm="words", layer=layer, draws=20)
        assert axis.direction[-1] > 0.95
        assert (axis.provenance["layer"], axis.provenance["blocks"]) == (4, 4)
        assert "mode" not in axis.provenance


def test_a_mode_from_the_command_line_brings_its_read_out_and_layer(words, capsys):
    assert main(["extract", "--llm", "words", "--mode", "revision"]) == 0
    path = capsys.readouterr().out.splitlines()[-1]
    assert path.endswith("words-faced-mean-layerfinal.npz")
    assert Axis.load(path).provenance["mode"] == "revision"
    for other in (["--layer", "3"], ["--readout", "framed"]):
        assert main(["extract", "--llm", "words", "--mode", "v1", *other]) == 1
        error = capsys.readouterr().err.splitlines()
        assert error == ["error: --mode v1 is a read-out and a layer by itself; leave --readout and --layer out"]


def test_what_is_shown_of_the_clips_is_what_training_takes(words):
    axis = Axis.load(ensure_axis(llm="words", quiet=True))
    targets, text = Targets.from_axis(axis), summary(axis)
    assert f"the 28 positions '{targets.source}'" in text
    shown = text[text.index("training takes") :].splitlines()[1:10]
    centroids = axis.class_scores / axis.class_scores.std()
    for k, (name, line) in enumerate(zip(axis.classes.classes, shown)):
        clips = targets.v[targets.class_of == k].tolist()
        assert line.split() == [name, *(f"{x:+.2f}" for x in (centroids[k], float(targets.v_class[k]), *clips))]


def test_the_bundled_model_is_called_what_it_is(words):
    request = Request(llm="bundled", taxonomy="faced", readout="framed", layer="penultimate")
    source = _origin(words, request)["source"]
    assert source["quantisation"] in bundled.GGUF
    axis = extract(llm="words", draws=20)
    axis.provenance.update(source=source, dtype="float32")
    assert "weights: a Q4_1 file unpacked to bfloat16, read in float32" in summary(axis)
