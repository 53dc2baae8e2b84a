"""Classes of a user's own, several sentences a class, the layer chosen from sentences alone; and the command's help."""

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import yaml

from tests.conftest import ROOT
from tests.words_model import GOOD
from vaxis.__main__ import COMMANDS, main
from vaxis.axis import Axis
from vaxis.emotions import FACED, load_taxonomy
from vaxis.language.extraction import default_path, ensure_axis, extract
from vaxis.language.layer_choice import choose_layer, held_out_auc
from vaxis.language.texts import load_texts
from vaxis.targets import Targets

MINE = {
    "classes": {"rage": -1, "calm": 0, "bliss": 1, "gloom": -1},
    "joy": "bliss",
    "class_of": ["rage", 1, "bliss", "bliss", 3],
    "sentences": {
        "rage": ["I am angry.", "So angry."],
        "calm": ["A chair.", "A desk."],
        "bliss": ["I am happy.", "So happy."],
        "gloom": ["I am sad.", "So sadness."],
    },
    "stimuli": ["They shoot.", "A table.", "A dance of love.", "Joy.", "Dying."],
}


@pytest.fixture
def mine(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(MINE, sort_keys=False))
    return path


def test_a_taxonomy_of_ones_own_travels_in_the_artifact(words, mine):
    path = ensure_axis(llm="words", taxonomy=str(mine), quiet=True)
    axis = Axis.load(path)
    mine.unlink()
    assert path.name == "words-mine.npz"
    assert axis.classes.classes == ("rage", "calm", "bliss", "gloom")
    assert axis.classes.class_of == (0, 1, 2, 2, 3)
    assert axis.joy_is_positive
    assert set(axis.positions) == {"class", "bare", "rich"}
    np.testing.assert_array_equal(axis.embeddings, words(MINE["stimuli"]))
    targets = Targets.from_axis(axis)
    assert targets.v[2] > targets.v[1] > targets.v[0]
    assert replace(axis, own_classes=replace(axis.classes, joy="calm")).fingerprint != axis.fingerprint


def test_descriptions_for_seedv_make_an_axis_that_its_data_accept(words, tmp_path):
    seedv, lines = load_taxonomy("seedv"), [f"Clip {i}: {GOOD[i % 9]}." for i in range(45)]
    mine = {
        "classes": dict(zip(seedv.classes, seedv.valence)),
        "joy": seedv.joy,
        "class_of": list(seedv.class_of),
        "sentences": load_texts("seedv").sentences,
        "stimuli": lines,
    }
    file = tmp_path / "seedv.yaml"
    file.write_text(yaml.safe_dump(mine, sort_keys=False))
    ours, theirs = (ensure_axis(llm="words", taxonomy=str(name), quiet=True) for name in ("seedv", file))
    assert ours.name == "words-seedv.npz" != theirs.name
    assert default_path(llm="words", taxonomy=load_taxonomy(file).reference) == theirs  # where a data module looks
    axis = Axis.load(theirs)
    assert (axis.taxonomy, axis.own_classes) == ("seedv", None)
    assert axis.embeddings.shape == (45, 12)
    assert "rich" in axis.positions


def test_a_changed_taxonomy_is_extracted_again(words, mine):
    path = ensure_axis(llm="words", taxonomy=str(mine), quiet=True)
    read = len(words.read)
    assert ensure_axis(llm="words", taxonomy=str(mine), quiet=True) == path
    assert len(words.read) == read
    mine.write_text(yaml.safe_dump(MINE | {"class_of": ["rage"] * 5}, sort_keys=False))
    ensure_axis(llm="words", taxonomy=str(mine), quiet=True)
    assert Axis.load(path).classes.class_of == (0,) * 5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"classes": {"a": -1, "b": 1}}, "'classes' must map three or more"),
        ({"classes": {"rage": 0, "calm": 0, "bliss": 1, "gloom": 0}}, "with both signs"),
        ({"classes": {"rage": [-1], "calm": 0, "bliss": 1}}, "'classes' must map three or more"),
        ({"joy": "rage"}, "'joy' must name the class of valence 1"),
        ({"joy": ["bliss"]}, "'joy' must name the class of valence 1"),
        ({"class_of": ["rage", ["calm"]]}, "'class_of' must list the class of each stimulus"),
        ({"class_of": ["rage", "fun"]}, "'class_of' must list the class of each stimulus"),
        ({"stimuli": ["one line"]}, "'stimuli' must be 5 lines"),
        ({"stimuli": ["a", "b", "c", "d", {"film": "untold"}]}, "'stimuli' must be 5 lines"),
        ({"synonyms": {"rage": "fury"}}, "'synonyms' must map classes to those of anger, disgust"),
        ({"sentences": {"rage": "I am angry."}}, "needs one entry for each of rage, calm, bliss, gloom"),
    ],
)
def test_a_bad_taxonomy_names_file_and_field(tmp_path, change, message):
    path = tmp_path / "bad.yaml"
    path.write_text(yaml.safe_dump(MINE | change, sort_keys=False))
    with pytest.raises(ValueError, match=rf"bad\.yaml: .*{message}"):
        load_texts(path)


def test_an_artifact_of_an_unknown_taxonomy_is_refused(words, tmp_path):
    axis = extract(llm="words", taxonomy="seedv", draws=20)
    path = replace(axis, taxonomy="deap").save(tmp_path / "axis.npz")
    with pytest.raises(ValueError, match="unknown taxonomy 'deap'; extract it again"):
        Axis.load(path)


def test_paraphrases_are_taken_and_never_made_up(tmp_path, mine):
    for taxonomy in ("faced", "seedv"):
        one, three = load_texts(taxonomy), load_texts(taxonomy, paraphrases=3)
        assert {len(sentences) for sentences in three.sentences.values()} == {3}
        assert [sentences[0] for sentences in three.sentences.values()] == [s for (s,) in one.sentences.values()]
        assert three.fingerprint != one.fingerprint
    assert load_texts(mine, paraphrases=1).sentences["rage"] == ["I am angry."]
    with pytest.raises(
        ValueError, match=r"--paraphrases 3: .*mine\.yaml has 1 to 2 sentences for each class; write more"
    ):
        load_texts(mine, paraphrases=3)


def test_the_layer_comes_from_sentences_of_other_sets(words):
    axis = extract(llm="words", layer="auto", draws=20)
    assert axis.provenance["layer"] == words.layer == 2
    choice = axis.provenance["layer_choice"]
    assert "sentence sets" in choice["criterion"]
    assert max(choice["by_layer"], key=choice["by_layer"].get) == 2
    assert axis.provenance["request"]["layer"] == "auto"
    assert axis.provenance["request"]["sets"]


def test_held_out_auc_is_one_for_a_shared_axis_and_chance_for_none():
    valence, rng = (-1, -1, 0, 1, 1), np.random.default_rng(0)
    shared = np.outer(valence, np.eye(8)[0]) * 5 + rng.normal(size=(12, 5, 8))
    assert held_out_auc(shared, valence=valence) > 0.99
    chance = [held_out_auc(rng.normal(size=(6, 5, 8)), valence=valence) for _ in range(50)]
    assert abs(np.mean(chance) - 0.5) < 0.05


def test_of_equal_layers_the_highest_is_chosen_and_one_set_scores_itself():
    valence = (-1, 0, 1)
    layer = np.outer(valence, np.eye(4)[0])[None].repeat(2, axis=0)
    noise = np.random.default_rng(0).normal(size=layer.shape)
    profile = np.stack([layer, noise, layer, layer, noise])
    assert choose_layer(profile, valence=valence)[0] == 3
    best, choice = choose_layer(profile[:, :1], valence=valence)
    assert (best, choice["criterion"]) == (3, "separation of its sentences")


def test_help_is_light_and_lists_every_command():
    code = "import sys; from vaxis.__main__ import main\ntry: main(sys.argv[1:])\nexcept SystemExit: pass\n"
    code += "print(sorted({'torch', 'numpy', 'transformers', 'matplotlib'} & set(sys.modules)))"
    for words in (["--help"], ["extract", "--help"], ["agree", "--help"]):
        done = subprocess.run([sys.executable, "-c", code, *words], cwd=ROOT, capture_output=True, text=True)
        assert done.stdout.rstrip().endswith("[]"), (words, done.stdout, done.stderr)
        assert words != ["--help"] or all(name in done.stdout for name in COMMANDS)


def test_errors_are_one_line(capsys, tmp_path):
    assert main(["extract", "--taxonomy", "deap"]) == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert main(["extract", "--llm", "nowhere", "--out", str(tmp_path / "x.npz")]) == 1
    assert "no such folder or file" in capsys.readouterr().err
    os.mkfifo(tmp_path / "s.yaml")
    assert main(["extract", "--sentences", str(tmp_path / "s.yaml"), "--out", str(tmp_path / "x.npz")]) == 1
    assert "s.yaml is no regular file" in capsys.readouterr().err
    lines = dict.fromkeys(FACED.classes, "A line.") | {"joy": 5}
    (tmp_path / "mine.yaml").write_text(f"sentences: {lines}\n")
    assert main(["extract", "--sentences", str(tmp_path / "mine.yaml"), "--out", str(tmp_path / "x.npz")]) == 1
    assert "mine.yaml" in capsys.readouterr().err
    os.mkfifo(tmp_path / "m.gguf")  # whoever opens it waits for somebody to write
    assert main(["extract", "--llm", str(tmp_path / "m.gguf"), "--out", str(tmp_path / "x.npz")]) == 1
    assert "m.gguf is neither file nor folder" in capsys.readouterr().err


def test_classes_that_are_those_of_faced_get_our_sentence_sets(mine):
    assert len(load_texts(mine).sets) == 2  # its own two sentences a class
    named = {"rage": "anger", "calm": "neutral", "bliss": "joy", "gloom": "sadness"}
    mine.write_text(yaml.safe_dump(MINE | {"synonyms": named}, sort_keys=False))
    assert len(load_texts(mine).sets) > 10
    assert "angry" in load_texts(mine, paraphrases=3).sentences["rage"][0]
    assert len(load_texts(mine, paraphrases=3).sentences["rage"]) == 3


def test_a_taxonomy_is_named_or_a_file():
    assert load_taxonomy("seedv").joy == load_taxonomy("SEEDV").joy == "happy"
    assert load_taxonomy("seedv").reference == "seedv"
    with pytest.raises(ValueError, match="--taxonomy deap"):
        load_taxonomy("deap")
