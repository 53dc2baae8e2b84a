"""``python -m vaxis validate`` from flags to tables, results and a picture, with a model of random weights."""

import json
from dataclasses import replace

import pytest

from tests.conftest import make_axis
from tests.rated_texts import PLAIN, SENTENCES, VALENCES, texts_and_ratings
from tests.small_language_models import save_llama
from vaxis import lexicons, zero_shot
from vaxis.__main__ import main
from vaxis.axis import Axis
from vaxis.corpora import Corpus
from vaxis.extraction import extract
from vaxis.hidden_states import HiddenStates


@pytest.fixture
def flags(tmp_path, monkeypatch):
    """A corpus, nine sentences and a lexicon of ours, no network, and a model in ``tmp_path / "model"``."""
    monkeypatch.setenv("VAXIS_CACHE", str(tmp_path / "cache"))
    texts, ratings = texts_and_ratings(40)
    monkeypatch.setattr(zero_shot, "selection", lambda n: Corpus(name="s", texts=texts, ratings=ratings))
    words = VALENCES | {f"{word}y": (-1) ** i for i, word in enumerate(PLAIN)}
    for module in (zero_shot, lexicons):
        monkeypatch.setattr(module, "lexicon", lambda name: words)
    save_llama(tmp_path / "model")
    rows = "".join(f'"{text}",{rating}\n' for text, rating in zip(texts, ratings))
    (tmp_path / "mine.csv").write_text("text,label\n" + rows)
    (tmp_path / "nine.yaml").write_text(json.dumps({"faced": SENTENCES}))
    return ["validate", "--corpora", str(tmp_path / "mine.csv"), "--draws", "20", "--lexicons", "vader"]


def test_tables_results_and_picture(flags, tmp_path, monkeypatch, capsys):
    out, picture = tmp_path / "results.json", tmp_path / "axis.png"
    flags += ["--llm", str(tmp_path / "model"), "--sentences", str(tmp_path / "nine.yaml"), "--sets"]
    flags += ["--out", str(out), "--picture", str(picture)]
    assert main(flags) == 0
    printed = capsys.readouterr().out
    for shown in ("framed read-out", "ensemble read-out", "last read-out", "nine random texts", "pass the gate"):
        assert shown in printed
    assert picture.read_bytes().startswith(b"\x89PNG")
    result = json.loads(out.read_text())
    assert result["readouts"].keys() == {"framed", "ensemble", "last"}
    row = result["readouts"]["framed"]["corpora"]["mine"]
    assert row["texts"] == 40
    assert row["human"] is None
    assert 0 <= row["axis"]["auc"]["low"] <= row["axis"]["auc"]["high"] <= 1
    assert len(result["profile"]["cosine"]) == result["layer"] + 1
    # Everything read is kept: again without reading anything.
    monkeypatch.setattr(HiddenStates, "__call__", lambda *args, **kwargs: pytest.fail("must not read again"))
    out.unlink()
    assert main(flags) == 0
    assert json.loads(out.read_text()) == result


@pytest.mark.parametrize(("readout", "phrases"), [("framed", 1), ("ensemble", 4)])
def test_an_artifact_is_validated_with_its_own_model(flags, tmp_path, capsys, readout, phrases):
    made = extract(llm=str(tmp_path / "model"), sentences=tmp_path / "nine.yaml", readout=readout, draws=20)
    assert len(made.provenance["frame"]) == 1 + phrases
    path = made.save(tmp_path / "axis.npz")
    flags += ["--out", str(tmp_path / "results.json"), "--readouts", readout, "--axis"]
    assert main([*flags, str(path)]) == 0
    found = json.loads((tmp_path / "results.json").read_text())
    assert found["readouts"][readout]["fingerprint"] == Axis.load(path).fingerprint
    others = replace(made, provenance=made.provenance | {"weights": "0" * 12})
    assert main([*flags, str(others.save(tmp_path / "others.npz"))]) == 1
    assert "was made with other weights" in capsys.readouterr().err
    assert main([*flags, str(make_axis().save(tmp_path / "drawn.npz"))]) == 1
    assert "does not come from a language model" in capsys.readouterr().err


def test_too_few_samples_are_refused(flags, capsys):
    assert main([*flags, "--samples", "5"]) == 1
    assert "--samples must be at least 10" in capsys.readouterr().err


def test_a_model_that_does_not_load_does_not_stop_the_next(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("VAXIS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("vaxis.validate.validate", lambda args, llm: {"a": llm} if llm == "b" else int("no number"))
    monkeypatch.setattr("vaxis.validate.describe", lambda result: f"table of {result['a']}")
    monkeypatch.setattr("vaxis.validate._path", lambda *args, **kwargs: tmp_path / "b.json")
    assert main(["validate", "--llm", "a", "b"]) == 1
    printed = capsys.readouterr()
    assert "table of b" in printed.out
    assert printed.err.startswith("error: ")


@pytest.mark.slow
def test_the_real_model_reads_valence_in_a_frame_and_not_without(tmp_path):
    """The bundled model and the real corpora; on bounds that 200 texts can hold."""
    command = ["validate", "--corpora", "tweets", "nyt", "--samples", "200", "--draws", "100", "--lexicons"]
    assert main([*command, "--readouts", "framed", "last", "--out", str(tmp_path / "real.json")]) == 0
    readouts = json.loads((tmp_path / "real.json").read_text())["readouts"]
    for corpus, least in (("tweets", 0.87), ("nyt", 0.75)):
        framed, last = (readouts[name]["corpora"][corpus] for name in ("framed", "last"))
        assert framed["axis"]["auc"]["value"] > least
        assert framed["axis"]["auc"]["value"] > last["axis"]["auc"]["value"] + 0.1
        assert framed["nulls"]["isotropic"]["reached"] < 0.02
        assert framed["nonce_texts"]["auc"]["value"] < 0.72
