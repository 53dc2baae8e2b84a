"""Agreement is a correlation beside its null; each model is read once, and one that fails costs no other."""

import json

import numpy as np
import pytest
from matplotlib.figure import Figure
from transformers import BertConfig, BertModel

from tests.small_language_models import BLOCKS, save_bert, save_llama, save_tokenizer
from vaxis.__main__ import main
from vaxis.commands import agree
from vaxis.validity import model_answer as model_reading
from vaxis.validity.agreement import (
    against,
    comparable_nulls,
    layer_profile,
    pair_null,
    pairwise,
    profile_null,
    spread,
    tier,
)
from vaxis.validity.comparison import compare
from vaxis.validity.comparison_figure import _agreement, draw
from vaxis.validity.comparison_text import describe

VALENCE = (-1, -1, 0, 1, 1)
NULLS = ("random texts", "random directions")
GROUPS = {"clips": np.linspace(-1, 1, 28), "amazon": np.linspace(-1, 1, 40)}


def test_tiers_are_the_papers():
    assert [tier(r) for r in (0.944, 0.85, 0.826, 0.651, 0.5, 0.276, -0.9)] == [
        "top", "top", "middle", "middle", "between", "out", "out",
    ]  # fmt: skip


def test_random_texts_are_the_same_in_every_model_and_directions_are_not():
    states = np.random.default_rng(0).normal(size=(30, 6))
    turned = states @ np.linalg.qr(np.random.default_rng(1).normal(size=(6, 6)))[0]
    first, second = (comparable_nulls(s, classes=5, seed=i, draws=40) for i, s in enumerate((states, turned)))
    assert all(rows.shape == (40, 6) for rows in first.values())
    np.testing.assert_allclose(np.linalg.norm(first["random directions"], axis=1), 1)
    projections = [(states, first), (turned, second)]
    same = [(x @ rows["random texts"].T).T for x, rows in projections]
    assert np.median(pair_null(*same)) == pytest.approx(1)  # a rotated model is the same model
    other = [(x @ rows["random directions"].T).T for x, rows in projections]
    assert spread(pair_null(*other)) == {"median": pytest.approx(0.25, abs=0.2), "p95": pytest.approx(0.7, abs=0.25)}


def test_validity_stands_beside_its_null():
    rng = np.random.default_rng(0)
    ratings = rng.normal(size=200)
    row = against(ratings, ratings + rng.normal(size=200), rng.normal(size=(500, 200)))
    assert row["low"] < row["r"] < row["high"]
    assert row["r"] == pytest.approx(0.5**0.5, abs=0.1)
    assert row["null_p95"] == pytest.approx(1.96 / 200**0.5, rel=0.15)
    assert row["reached"] == 0
    blind = [against(ratings, rng.normal(size=200), rng.normal(size=(99, 200)))["reached"] for _ in range(40)]
    assert 0.3 < np.mean(blind) < 0.7


def test_layer_profile_finds_where_an_axis_turns_and_where_there_is_none():
    rng = np.random.default_rng(0)
    along = [np.outer(VALENCE, np.eye(6)[i]) * 4 + rng.normal(size=(5, 6)) * 0.1 for i in (0, 1, 1)]
    found = layer_profile(np.stack([np.ones((5, 6)), *along]), valence=VALENCE)
    assert np.isnan(found[0])
    assert abs(found[1]) < 0.2
    np.testing.assert_allclose(found[2:], 1, atol=0.01)
    null = profile_null(np.repeat(rng.normal(size=(1, 20, 6)), 3, axis=0), classes=5, draws=10)
    np.testing.assert_allclose(null, 1)


def test_pairwise_is_symmetric_with_ones():
    rows = np.random.default_rng(0).normal(size=(3, 28))
    r = pairwise(rows)
    np.testing.assert_allclose(np.diag(r), 1)
    np.testing.assert_allclose(r, r.T)
    assert r[0, 1] == pytest.approx(np.corrcoef(rows[0], rows[1])[0, 1])


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    return save_llama(folder / "small"), save_bert(folder / "encoder")


def _answer(rng, *, separation=1.0, readouts=("last", "prompt:$")):
    """What a model that knows nothing would have answered."""
    answer = {"about": {"layer": 2}}
    for readout in readouts:
        answer |= {f"{readout}|{key}": np.array(value) for key, value in (("separation", separation), ("joy", True))}
        answer |= {f"{readout}|{key}": np.array([0.1, 1.0]) for key in ("profile", "profile null")}
        for group, ratings in GROUPS.items():
            n = len(ratings)
            answer[f"{readout}|{group}|axis"] = rng.normal(size=n)
            answer |= {f"{readout}|{group}|{null}": rng.normal(size=(300, n)) for null in NULLS}
    return answer


def run(models, out, *words):
    return main(["agree", *map(str, models), "--out", str(out), *words])


def test_command_resumes_and_goes_on_after_a_failure(models, tmp_path, capsys, monkeypatch):
    named = [models[0], f"bert={models[1]}", tmp_path / "absent"]
    assert run(named, tmp_path) == 1
    done = capsys.readouterr()
    assert f"absent failed: {tmp_path / 'absent'}: no such folder" in done.err
    assert "small: 0 M parameters in float32" in done.err.split("[2/3]")[0]
    result = json.loads((tmp_path / "agreement.json").read_text())
    assert list(result["models"]) == ["small", "bert"]
    assert list(result["failed"]) == ["absent"]
    assert set(result["readouts"]) == {"framed", "last"}
    clips = result["readouts"]["framed"]["clips"]
    assert -1 <= clips["pairs"]["small ~ bert"]["r"] <= 1
    assert {"random texts", "random directions"} < set(clips["pairs"]["small ~ bert"])
    assert [len(about["layer_profile"]) for about in result["models"].values()] == [BLOCKS, BLOCKS]
    assert result["models"]["small"]["layer_profile"][0] is None  # the frame ends in the same character
    assert (tmp_path / "agreement.png").read_bytes().startswith(b"\x89PNG")
    assert all(name in done.out for name in ("small ~ bert", "tier", "last read-out"))
    assert f"failed:\n  absent: {tmp_path}" in done.out

    monkeypatch.setattr(model_reading, "ask", lambda *args, **kwargs: pytest.fail("read twice"))
    assert run(named[:2], tmp_path) == 0
    assert "small: read before" in capsys.readouterr().err
    assert json.loads((tmp_path / "agreement.json").read_text())["readouts"] == result["readouts"]


def test_a_replaced_model_other_texts_and_damage_are_noticed(models, tmp_path, capsys):
    assert run(models[:1], tmp_path) == 0
    (first,) = (tmp_path / "models").iterdir()
    assert run(models[:1], tmp_path, "--readout", "mean") == 0
    assert len(list((tmp_path / "models").iterdir())) == 2
    first.write_bytes(first.read_bytes()[:100])
    capsys.readouterr()
    assert run(models[:1], tmp_path) == 1
    assert f"{first} is damaged" in " ".join(capsys.readouterr().err.split())
    question = model_reading.Question(texts=_texts(), corpora={}, readouts=("last",), layer="1")
    before = agree._key(str(models[0]), question, {})
    (models[0] / "model.safetensors").touch()
    assert agree._key(str(models[0]), question, {}) != before


def test_one_model_under_two_names_is_said(models, tmp_path, capsys):
    assert run([f"a={models[0]}", f"b={models[0]}", models[1]], tmp_path) == 0
    assert "warning: one model under the names a, b; the mean counts it again" in capsys.readouterr().err


def test_corpora_of_one_name_are_refused(models, tmp_path, capsys):
    rows = "text,label\n" + "".join(f"text {i},{i % 2}\n" for i in range(20))
    files = [tmp_path / name for name in ("mine.csv", "mine.tsv", "clips.csv")]
    for path in files:
        path.write_text(rows if path.suffix == ".csv" else rows.replace(",", "\t"))
    for given in (files[:2], files[2:]):
        assert run(models[:1], tmp_path, "--corpora", *map(str, given)) == 1
        assert f"the name '{given[0].stem}' is taken twice" in capsys.readouterr().err


def _texts():
    from vaxis.language.texts import load_texts

    return load_texts("faced")


def test_mean_has_a_null_of_its_own_and_tiers_are_for_clips_only():
    rng = np.random.default_rng(0)
    result = compare({name: _answer(rng) for name in "abc"}, ratings=GROUPS, readouts=("last",)) | {
        "failed": {"d": "no"}
    }
    clips, amazon = (result["readouts"]["last"][group] for group in ("clips", "amazon"))
    single = [pair["random texts"] for pair in clips["pairs"].values()]
    mean = clips["null_mean"]["random texts"]
    assert mean["median"] == pytest.approx(np.mean([pair["median"] for pair in single]), abs=0.05)
    assert mean["median"] < mean["p95"] < min(pair["p95"] for pair in single)  # a mean of three varies less than one
    assert all("tier" in row for row in clips["validity"].values())
    assert not any("tier" in row for row in amazon["validity"].values())
    text = describe(result)
    assert text.count(" tier") == 2  # header of the clips and the line of published numbers
    assert f"{mean['median']:.2f}, 95 % {mean['p95']:.2f}" in text.split("mean   ")[1].splitlines()[0]


def test_models_whose_classes_lie_apart_too_little_are_named():
    rng = np.random.default_rng(0)
    answers = {name: _answer(rng, separation=sep) for name, sep in (("good", 0.8), ("poor", 0.79), ("none", np.nan))}
    text = describe(compare(answers, ratings=GROUPS, readouts=("last",)))
    assert text.count("sep. below 0.8, so that the sign of r means little: poor, none\n") == len(GROUPS)
    good = describe(compare({"good": answers["good"]}, ratings=GROUPS, readouts=("last",)))
    assert "sep. below" not in good


def test_only_failures_are_no_tables():
    result = compare({}, ratings=GROUPS, readouts=("last",)) | {"failed": {"a": "gone"}}
    assert describe(result) == "failed:\n  a: gone"


def test_picture_marks_pairs_above_their_null(tmp_path):
    rng = np.random.default_rng(0)
    answers = {name: _answer(rng) for name in ("a ~ a", "b", "c")}
    answers["b"]["prompt:$|clips|axis"] = answers["a ~ a"]["prompt:$|clips|axis"]
    result = compare(answers, ratings=GROUPS, readouts=("prompt:$",))
    axes = Figure().subplots()
    _agreement(axes, result["readouts"]["prompt:$"]["clips"], list(answers))
    bold = {text.get_position() for text in axes.texts if text.get_weight() == "bold"}
    assert {(0, 1), (1, 0)} <= bold
    assert len(axes.texts) == 12  # r and its null in every cell off the diagonal
    assert draw(result, tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")


def test_encoders_average_phrases_and_a_folder_without_tokenizer_fails(models, tmp_path, capsys):
    bare = tmp_path / "bare"
    size = {"hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 2, "num_hidden_layers": BLOCKS}
    BertModel(BertConfig(vocab_size=101, **size), add_pooling_layer=False).save_pretrained(bare)
    assert run([models[1], bare], tmp_path, "--readout", "ensemble") == 1
    assert f"bare: {bare} has no tokenizer" in capsys.readouterr().out
    (about,) = json.loads((tmp_path / "agreement.json").read_text())["models"].values()
    assert np.isfinite(about["layer_profile"][-1])

    save_tokenizer(bare, special="<s> $A </s>")
    nulls = []
    for out in ("first", "second"):  # a pooler that the files lack is drawn anew at each load; the null must not be
        assert run([bare], tmp_path / out) == 0
        nulls.append(json.loads((tmp_path / out / "agreement.json").read_text())["readouts"])
    assert nulls[0] == nulls[1]


def test_names_must_differ(capsys):
    assert agree._named(["bundled", "/a/b.gguf", "x=/c", "d/e"]) == {
        "SmolLM2-135M-Instruct": "bundled", "b": "/a/b.gguf", "x": "/c", "e": "d/e",
    }  # fmt: skip
    assert main(["agree", "a/m", "b/m"]) == 1
    assert "two models are called 'm'; tell them apart with NAME=MODEL" in capsys.readouterr().err
