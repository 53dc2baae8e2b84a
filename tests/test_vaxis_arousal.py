"""The control axis: high against low arousal, across valence, in a file that training reads like any other."""

import numpy as np
import pytest

from tests.words_model import Words
from vaxis.__main__ import main
from vaxis.axis import Axis
from vaxis.language import extraction
from vaxis.language.arousal import arousal_sentences, held_out_pairs
from vaxis.language.extraction import ensure_axis, extract
from vaxis.language.texts import load_texts
from vaxis.summary import summary
from vaxis.targets import Targets

HIGH = "excited jump thrilled racing furious shout panic run scream shaking laughing dance goes crazy fly".split()
LOW = "calm rest peaceful sleep tired bed bored dull ordinary melts papers".split()


class Aroused(Words):
    """Reads arousal along direction 1, and with ``leak`` also along that of valence."""

    def __init__(self, leak=0.0):
        super().__init__()
        self.leak = leak

    def _state(self, text):
        state, words = super()._state(text), text.lower().replace(",", " ").replace(".", " ").split()
        arousal = 3 * (sum(w in HIGH for w in words) - sum(w in LOW for w in words))
        state[1] += arousal
        state[0] += self.leak * arousal
        return state


class Unmoved(Words):
    """Every arousal sentence has a direction of its own: what tells some apart says nothing of the others."""

    def _state(self, text):
        texts, _ = arousal_sentences()
        return 3 * np.eye(12)[texts.index(text)] if text in texts else super()._state(text)


@pytest.fixture
def aroused(words, monkeypatch):
    states = Aroused()
    monkeypatch.setattr(extraction, "_open", lambda *args, **kwargs: states)
    return states


def test_the_artifact_is_the_direction_from_low_to_high_and_training_reads_it(aroused):
    path = ensure_axis(llm="words", quality="arousal", quiet=True)
    assert path.name == "words-faced-arousal.npz"
    axis, valence = Axis.load(path), Axis.load(ensure_axis(llm="words", quiet=True))
    assert axis.direction[1] > 0.95
    assert np.linalg.norm(axis.direction) == pytest.approx(1)
    texts, levels = arousal_sentences()
    scores, signs = aroused(texts) @ axis.direction, np.array(levels)
    assert scores[signs > 0].min() > scores[signs < 0].max()
    assert axis.provenance["quality"] == "arousal"
    assert valence.provenance["quality"] == "valence"
    clips = load_texts("faced").clips
    np.testing.assert_allclose(axis.positions["rich"], (aroused(clips) - axis.mean) @ axis.direction, atol=1e-5)
    np.testing.assert_array_equal(axis.centroids, valence.centroids)
    control, real = Targets.from_axis(axis), Targets.from_axis(valence)
    assert control.source == real.source == "rich"
    r = np.corrcoef(control.v, real.v)[0, 1]
    assert axis.provenance["arousal"]["r_with_valence"]["rich"] == pytest.approx(r, abs=1e-6)
    assert abs(r) < 0.3


def test_it_is_made_once_and_again_when_its_sentences_change(aroused, monkeypatch):
    path = ensure_axis(llm="words", quality="arousal", quiet=True)
    read = len(aroused.read)
    assert ensure_axis(llm="words", quality="arousal", quiet=True) == path
    assert len(aroused.read) == read
    texts, levels = arousal_sentences()
    monkeypatch.setattr("vaxis.language.request.arousal_sentences", lambda: (["Other.", *texts[1:]], levels))
    ensure_axis(llm="words", quality="arousal", quiet=True)
    assert len(aroused.read) > read


def test_a_control_that_follows_valence_or_knows_no_arousal_warns(words, monkeypatch):
    monkeypatch.setattr(extraction, "_open", lambda *args, **kwargs: Aroused(leak=-3.0))
    with pytest.warns(UserWarning, match=r"weak arousal axis: .*r = -(1\.00|0\.[3-9]\d) with valence"):
        extract(llm="words", quality="arousal", draws=20)
    monkeypatch.setattr(extraction, "_open", lambda *args, **kwargs: Unmoved())
    with pytest.warns(UserWarning, match=r"weak arousal axis: 0% of the held-out pairs in order"):
        extract(llm="words", quality="arousal", draws=20)


def test_held_out_pairs_are_right_for_a_shared_direction_and_chance_for_none():
    levels = (1, 1, 1, 1, 0, -1, -1, -1, -1)
    noise = np.random.default_rng(0).normal(size=(200, 9, 12))
    assert held_out_pairs(noise[0] * 0.1 + np.outer(levels, np.eye(12)[2]), levels) == 1
    # Fitted on all nine, noise of twelve dimensions would have every pair in order.
    assert np.mean([held_out_pairs(states, levels) for states in noise]) == pytest.approx(0.5, abs=0.05)


def test_command_line(aroused, capsys):
    assert main(["extract", "--llm", "words", "--quality", "arousal"]) == 0
    text = capsys.readouterr().out
    path = text.splitlines()[-1]
    assert text.startswith("arousal axis, a control")
    found = Axis.load(path).provenance["arousal"]
    assert f"in pairs: {found['held_out_pairs']:.0%} in order" in text
    assert f"rich {found['r_with_valence']['rich']:+.2f}" in text
    assert "separation" not in summary(Axis.load(path))
    assert "--quality arousal" in Axis.load(path).provenance["command"]
    assert main(["extract", "--llm", "words", "--quality", "dominance"]) == 1
    assert "--quality dominance: choose from valence, arousal" in capsys.readouterr().err
    assert main(["validate", "--axis", path]) == 1
    assert "is of arousal, and the texts are rated for valence" in capsys.readouterr().err
