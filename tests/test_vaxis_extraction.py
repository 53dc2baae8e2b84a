"""The artifact holds the centroids, sign, positions and controls it says it holds."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import yaml

from vaxis.__main__ import main
from vaxis.axis import Axis
from vaxis.emotions import TAXONOMIES
from vaxis.language.chance_axes import FUNCTION_WORDS, nonce
from vaxis.language.extraction import default_path, ensure_axis, extract
from vaxis.language.texts import load_texts
from vaxis.summary import summary
from vaxis.targets import Targets


@pytest.mark.parametrize("taxonomy", TAXONOMIES)
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_the_axis_is_the_planted_direction_and_points_to_joy(words, taxonomy, sign):
    words.sign = sign
    axis = extract(llm="words", taxonomy=taxonomy, draws=20)
    assert axis.direction[0] * sign > 0.95
    assert axis.joy_is_positive
    assert axis.separation > 0.95
    sentences = [s for (s,) in load_texts(taxonomy).sentences.values()]
    np.testing.assert_allclose(axis.centroids, words(sentences), atol=1e-6)
    np.testing.assert_allclose(axis.mean, axis.centroids.mean(axis=0))


def test_positions_by_source(words):
    axis = extract(llm="words", draws=20)
    class_of = np.array(axis.classes.class_of)
    assert set(axis.positions) == {"class", "bare", "rich"}
    np.testing.assert_allclose(axis.positions["class"], axis.class_scores[class_of])
    assert len(np.unique(axis.positions["bare"])) == 9
    assert len(np.unique(axis.positions["rich"])) == 28
    clips = load_texts("faced").clips
    np.testing.assert_allclose(axis.positions["rich"], (words(clips) - axis.mean) @ axis.direction, atol=1e-6)
    np.testing.assert_array_equal(axis.embeddings, words(clips))
    seedv = extract(llm="words", taxonomy="seedv", draws=20)
    assert set(seedv.positions) == {"class", "bare"}
    assert seedv.embeddings is None


def test_embeddings_are_kept_checked_and_part_of_the_identity(tmp_path):
    arrays = {"direction": np.array([1.0, 0.0]), "mean": np.zeros(2), "centroids": np.arange(10.0).reshape(5, 2)}
    bare = Axis(taxonomy="seedv", positions={"class": np.arange(45.0)}, explained_variance=1.0, **arrays)
    assert bare.fingerprint == "74df6a790cfe"  # of before there were embeddings
    assert Axis.load(bare.save(tmp_path / "bare.npz")).embeddings is None
    full = replace(bare, embeddings=np.random.default_rng(0).normal(size=(45, 2)).astype(np.float32))
    found = Axis.load(full.save(tmp_path / "full.npz"))
    np.testing.assert_array_equal(found.embeddings, full.embeddings)
    assert found.fingerprint == full.fingerprint != bare.fingerprint
    for wrong in (full.embeddings[:-1], full.embeddings[:, :1], full.embeddings * np.nan):
        path = replace(bare, embeddings=wrong).save(tmp_path / "wrong.npz")
        with pytest.raises(ValueError, match=r"wrong\.npz: 'embeddings' must be \(45, 2\) finite numbers"):
            Axis.load(path)


def test_targets_take_embeddings_about_their_mean_or_else_class_centroids(words):
    axis = extract(llm="words", draws=20)
    targets = Targets.from_axis(axis, source="class")
    centred = axis.embeddings - axis.embeddings.mean(axis=0)
    np.testing.assert_allclose(targets.embeddings, centred / np.linalg.norm(centred, axis=1, keepdims=True), atol=1e-6)
    coarse = Targets.from_axis(replace(axis, embeddings=None)).embeddings
    assert coarse.dtype == torch.float32
    assert coarse.norm(dim=1).allclose(torch.ones(28))
    rows, row_of = coarse.unique(dim=0, return_inverse=True)
    assert len(rows) == 9
    assert len(set(zip(row_of.tolist(), axis.classes.class_of))) == 9


def test_the_nulls_know_nothing_of_emotion(words):
    nulls = extract(llm="words", draws=200).provenance["nulls"]
    assert set(nulls) == {"nonce", "everyday", "neutral"}
    for name, statistics in nulls.items():
        for row in statistics.values():
            assert row["p5"] <= row["median"] <= row["p95"]
        assert statistics["separation"]["median"] < statistics["separation"]["value"] - 0.05, name
        assert statistics["cosine"]["median"] < 0.7 < statistics["cosine"]["value"], name
    assert nulls["nonce"]["separation"]["median"] < 0.7


def test_same_settings_same_artifact(words):
    first, second = extract(llm="words", draws=20), extract(llm="words", draws=20)
    assert first.fingerprint == second.fingerprint
    assert first.provenance == second.provenance


def test_a_weak_axis_warns_but_is_made(words):
    words.sign = 0.0
    with pytest.warns(UserWarning, match="weak valence axis: separation"):
        axis = extract(llm="words", draws=20)
    assert axis.provenance["readouts"].keys() == {"last", "framed", "ensemble"}


def test_ensure_axis_makes_once_and_notices_other_texts(words, tmp_path):
    path = ensure_axis(llm="words", quiet=True)
    assert path == default_path(llm="words", taxonomy="faced")
    assert (path.parent.name, path.name) == ("axis", "words-faced.npz")
    read = len(words.read)
    assert ensure_axis(llm="words", quiet=True) == path
    assert len(words.read) == read
    sentences = {name: [s, s + " Indeed."] for name, (s,) in load_texts("faced").sentences.items()}
    other = tmp_path / "mine.yaml"
    other.write_text(yaml.safe_dump({"faced": sentences}))
    before = Axis.load(path).fingerprint
    mine = ensure_axis(llm="words", sentences=other, quiet=True)
    assert mine.name.startswith("words-faced-")
    assert Axis.load(mine).fingerprint != before == Axis.load(path).fingerprint
    assert ensure_axis(llm="words", sentences=other, quiet=True) == mine
    other.write_text(yaml.safe_dump({"faced": sentences | {"joy": "I love it."}}))
    out = ensure_axis(llm="words", out=tmp_path / "axis.npz", quiet=True)
    ensure_axis(llm="words", sentences=other, out=out, quiet=True)
    assert Axis.load(out).fingerprint != before
    assert default_path(llm="a/b", taxonomy="seedv", readout="last", layer=2).name == "a_b-seedv-last-layer2.npz"
    prompts = [default_path(llm="m", taxonomy="faced", readout=f"prompt:{'so ' * 40}{end}").name for end in "ab"]
    assert len(set(prompts)) == 2
    assert max(map(len, prompts)) < 90


def test_summary_needs_only_the_artifact(words):
    axis = Axis.load(ensure_axis(llm="words", quiet=True))
    text = summary(axis)
    assert axis.fingerprint in text
    assert all(name in text for name in (*axis.classes.classes, "nonce", "everyday", "read-out last"))
    bare = Axis(
        taxonomy="faced",
        direction=axis.direction,
        mean=axis.mean,
        centroids=axis.centroids,
        positions={},
        explained_variance=0.5,
    )
    assert "no language model" in summary(bare)


def test_command_line(words, capsys, tmp_path):
    out = tmp_path / "axis.npz"
    assert main(["extract", "--llm", "words", "--out", str(out)]) == 0
    assert "separation" in capsys.readouterr().out
    assert Axis.load(out).provenance["command"].startswith("python -m vaxis extract --llm words --taxonomy faced")
    assert main(["extract", "--llm", "words", "--sentences", str(tmp_path / "none.yaml")]) == 1
    assert "none.yaml" in capsys.readouterr().err


def test_bad_sentences_name_file_and_class(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("faced: {anger: I am angry.}")
    with pytest.raises(ValueError, match=r"mine\.yaml: 'faced' needs one entry for each of anger.*found \['anger'\]"):
        load_texts("faced", path)
    sentences = dict.fromkeys(TAXONOMIES["faced"].classes, "A sentence.") | {"joy": []}
    path.write_text(yaml.safe_dump({"faced": sentences}))
    with pytest.raises(ValueError, match=r"faced\.joy must be a sentence"):
        load_texts("faced", path)
    with pytest.raises(ValueError, match=r"--taxonomy deap: choose from faced, seedv, or give a \.yaml file"):
        load_texts("deap")


def test_our_texts_are_complete_and_distinct():
    texts = load_texts("faced")
    assert len(texts.clips) == len(texts.rated_valence) == 28
    assert min(len(texts.neutral), len(texts.everyday)) >= 60
    every = [*texts.clips, *texts.neutral, *texts.everyday, *(s for group in texts.sentences.values() for s in group)]
    assert len(set(every)) == len(every)
    rated = np.array(texts.rated_valence)
    class_of = np.array(TAXONOMIES["faced"].class_of)
    assert rated[class_of < 4].max() < rated[class_of == 4].min()
    assert rated[class_of == 4].max() < rated[class_of > 4].min()


def test_nonce_keeps_what_is_not_content():
    text = "I am so angry with him, that I could scream; Really!"
    made_up = nonce(text, np.random.default_rng(1))
    assert made_up == nonce(text, np.random.default_rng(1))
    assert [c for c in made_up if not c.isalpha()] == [c for c in text if not c.isalpha()]
    for old, new in zip(text.split(), made_up.split()):
        old, new = old.strip(",;!"), new.strip(",;!")
        assert (new == old) == (old.lower() in FUNCTION_WORDS)
        assert new[0].isupper() == old[0].isupper()


@pytest.mark.parametrize(
    "command", [["extract", "--out", "{}/a.npz"], ["extract", "--llm", ""], ["validate", "--llm", ""]]
)
def test_what_cannot_be_meant_is_told_before_a_model_is_opened(command, tmp_path, capsys, monkeypatch):
    def opened(*_, **__):
        raise AssertionError("a model was opened")

    monkeypatch.setattr("vaxis.language.extraction._open", opened)
    file = tmp_path / "file"
    file.touch()  # a folder cannot be made where a file is
    assert main([word.format(file) for word in command]) == 1
    assert capsys.readouterr().err.startswith(("error: --out", "error: --llm is empty"))
