"""``python -m vaxis validate`` from flags to tables, results and a picture, with a model of random weights."""

import json
from dataclasses import replace

import pytest
import torch

from tests.conftest import make_axis
from tests.rated_texts import PLAIN, SENTENCES, VALENCES, texts_and_ratings
from tests.small_language_models import save_llama
from vaxis.__main__ import main
from vaxis.axis import Axis
from vaxis.language.extraction import extract
from vaxis.language.hidden_states import HiddenStates
from vaxis.validity import lexicons
from vaxis.validity import rated_texts as zero_shot
from vaxis.validity.corpora import Corpus
from vaxis.validity.validation_figure import _validity
from vaxis.validity.validation_text import describe

REAL_LEXICON = lexicons.lexicon


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
    printed, told = capsys.readouterr()
    assert f"opening {tmp_path / 'model'}\nframed read-out: mine, 40 texts\nframed read-out: words of vader\n" in told
    assert "independent sets" in told
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


def test_an_artifact_of_another_dtype_is_read_in_its_own(flags, tmp_path, capsys):
    made = extract(
        llm=str(tmp_path / "model"), sentences=tmp_path / "nine.yaml", readout="last", draws=20, dtype=torch.bfloat16
    )
    path = str(made.save(tmp_path / "axis.npz"))
    flags += ["--readouts", "last", "--out", str(tmp_path / "results.json"), "--axis", path]
    assert main(flags) == 0
    assert main([*flags, "--dtype", "bfloat16"]) == 0
    assert json.loads((tmp_path / "results.json").read_text())["weights"] == made.provenance["weights"]
    capsys.readouterr()
    assert main([*flags, "--dtype", "float32"]) == 1
    assert "was made in bfloat16; leave --dtype out" in capsys.readouterr().err


def test_a_model_is_read_in_the_dtype_asked_for(flags, tmp_path):
    weights = []
    for dtype in ("float32", "bfloat16"):
        out = tmp_path / f"{dtype}.json"
        given = ["--llm", str(tmp_path / "model"), "--dtype", dtype, "--readouts", "last", "--out", str(out)]
        assert main([*flags, "--device", "cpu", *given]) == 0
        weights.append(json.loads(out.read_text())["weights"])
    assert weights[0] != weights[1]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--readouts", "framd"], "framd: choose from last, framed"),
        (["--lexicons", "liwc"], "--lexicons liwc: choose from vader, afinn"),
        (["--out", "{file}/x.json"], "--out {file}/x.json cannot be written"),
        (["--picture", "{file}/x.png"], "--picture {file}/x.png cannot be written"),
        (["--picture", "{folder}"], "--picture {folder} is a folder"),
        (["--axis", "axis.npz", "--layer", "3"], "--axis brings its own sentences and layer"),
        (["--axis", "axis.npz", "--sentences", "nine.yaml"], "--axis brings its own sentences and layer"),
        (["--axis", "nine.yaml"], "give them as --sentences nine.yaml"),
    ],
)
def test_wrong_options_are_found_before_a_model_is_opened(flags, tmp_path, monkeypatch, capsys, words, message):
    def lexicon(name):
        return VALENCES if name == "vader" else REAL_LEXICON(name)

    monkeypatch.setattr(lexicons, "lexicon", lexicon)
    monkeypatch.setattr(HiddenStates, "__init__", lambda *args, **kwargs: pytest.fail("must not open a model"))
    where = {"file": tmp_path / "mine.csv", "folder": tmp_path}
    assert main([*flags, *(word.format(**where) for word in words)]) == 1
    error = capsys.readouterr().err
    assert message.format(**where) in error
    assert error.count("\n") == 1


def test_corpora_of_one_name_are_refused(flags, tmp_path, capsys):
    again = tmp_path / "again" / "mine.csv"
    again.parent.mkdir()
    again.write_text((tmp_path / "mine.csv").read_text())
    assert main([*flags, "--corpora", str(tmp_path / "mine.csv"), str(again)]) == 1
    assert "the name 'mine' is taken twice" in capsys.readouterr().err


@pytest.mark.parametrize("error", [FloatingPointError("a\n  b"), ValueError("a\n  b")])
def test_errors_are_one_line_each(monkeypatch, capsys, error):
    def fail(args, llm):
        raise error

    monkeypatch.setattr("vaxis.commands.validate.validate", fail)
    assert main(["validate", "--llm", "x", "y"]) == 1  # and none stops the next model
    assert capsys.readouterr().err == "error: a b\n" * 2


def result_of(value):
    """Results of one corpus, all AUCs at one value."""
    auc = {"value": value, "low": value - 0.02, "high": min(1.0, value + 0.01)}
    null = {"median": 0.6, "p5": 0.5, "p95": 0.7, "reached": 0.0, "r_p95": 0.123}
    rows = ("axis", "contrast", "prototypes", "arousal", "arousal_contrast", "ridge", "lexicon", "nonce_texts")
    corpus = {name: {"auc": auc, "r": auc} for name in rows}
    corpus |= {"texts": 50, "human": None, "margin": auc, "clear": {"texts": 31, "auc": 0.987}}
    corpus |= {"nulls": dict.fromkeys(("random_texts", "covariance", "isotropic", "nonce_sentences"), null)}
    found = {"separation": 0.9, "joy": True, "explained_variance": 0.5, "positions": {"joy": 1.0, "anger": -1.0}}
    readout = found | {"corpora": {"mine": corpus}, "lexicons": {}}
    return {"model": "m", "layer": 1, "samples": 50, "readouts": {"framed": readout}}


def test_the_table_shows_clear_texts_and_what_chance_correlates():
    lines = describe(result_of(0.9)).splitlines()
    assert any("|rating| >= 1" in line and "0.987 (n=31)" in line for line in lines)
    assert sum("null |r|, 95 %" in line and line.endswith("0.123") for line in lines) == 2


def test_numbers_over_tall_bars_stay_below_the_title():
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure()
    canvas, axes = FigureCanvasAgg(figure), figure.subplots()
    _validity(axes, result_of(0.99)["readouts"])
    canvas.draw()
    assert max(text.get_window_extent().y1 for text in axes.texts) <= axes.bbox.y1


def test_too_few_samples_are_refused(flags, capsys):
    assert main([*flags, "--samples", "5"]) == 1
    assert "--samples must be at least 10" in capsys.readouterr().err


def test_a_model_that_does_not_load_does_not_stop_the_next(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("VAXIS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(
        "vaxis.commands.validate.validate", lambda args, llm: {"a": llm} if llm == "b" else int("no number")
    )
    monkeypatch.setattr("vaxis.validity.validation_text.describe", lambda result: f"table of {result['a']}")
    monkeypatch.setattr("vaxis.commands.validate._path", lambda *args, **kwargs: tmp_path / "b.json")
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
