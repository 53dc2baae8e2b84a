"""Rated texts are the pinned ones, samples for choosing and for reporting never meet, bad files are named."""

import hashlib
import io
import subprocess
import sys
import tarfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tests.rated_texts import VALENCES
from vaxis.language import pypi
from vaxis.validity import corpora, lexicons
from vaxis.validity.corpora import RATED, by_name, load, reported, sample, selection


def packed(files):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


@pytest.fixture
def archive(tmp_path, monkeypatch):
    """An archive of the same layout with a few texts of ours, in the cache, at its own checksum."""
    inner = {}
    for stem in RATED.values():
        rated = [(f"{i}_1", (-1) ** i * 1.5, f"text &amp; number {i}") for i in range(30)]
        lines = [f"{key}\t{rating}\t{text}\r\n" for key, rating, text in rated]
        singles = [f"{key}\t{rating}\t0.5\t[{int(rating * 2)}, 0]\r\n" for key, rating, _ in rated]
        singles[3] = "3_1\t-1.5\t0.5\t[4, 4]\r\n"
        inner[f"hutto_ICWSM_2014/{stem}_GroundTruth.txt"] = "".join(lines).encode()
        inner[f"hutto_ICWSM_2014/{stem}_anonDataRatings.txt"] = b"\xef\xbb\xbf" + "".join(singles).encode()
    root = "vaderSentiment-3.3.2"
    lexicon = b"$:\t-1.5\t0.8\t[-1]\ngood\t1.9\t0.9\t[2]\nbad\t-2.5\t0.7\t[-3]\nsub par\t-1\t1\t[1]\n"
    files = {f"{root}/additional_resources/hutto_ICWSM_2014.tar.gz": packed(inner)}
    content = packed(files | {f"{root}/vaderSentiment/vader_lexicon.txt": lexicon})
    made = pypi.PyPIFile(
        requirement="vaderSentiment==3.3.2", file="v.tar.gz", sha256=hashlib.sha256(content).hexdigest()
    )
    monkeypatch.setenv("VAXIS_CACHE", str(tmp_path))
    monkeypatch.setattr(corpora, "VADER", made)
    monkeypatch.setattr(lexicons, "VADER", made)
    monkeypatch.setattr(corpora, "SELECTION", 20)
    lexicons.lexicon.cache_clear()
    (tmp_path / "corpora").mkdir()
    (tmp_path / "corpora" / "v.tar.gz").write_bytes(content)
    yield made
    lexicons.lexicon.cache_clear()


def test_rated_corpora_are_read_whole(archive):
    for name in RATED:
        corpus = load(name)
        assert len(corpus) == 30
        assert corpus.texts[1] == "text & number 1"
        np.testing.assert_allclose(corpus.ratings, 1.5 * (-1.0) ** np.arange(30))
        assert corpus.raters[2] == [3, 0]
        assert corpus.raters[1] == [-3, 0]
        assert corpus.raters[3] == []  # the two files disagree


def test_what_is_chosen_on_is_never_reported(archive):
    chosen, told = set(selection().texts), set(reported("tweets", 1000).texts)
    assert len(chosen) == 20
    assert len(told) == 10
    assert not chosen & told
    assert set(sample("selection", 1000).texts) == chosen
    assert set(sample("tweets", 1000).texts) == told
    assert reported("movies", 12).texts == reported("movies", 30).texts[:12]


def test_the_lexicon_keeps_single_words(archive):
    assert lexicons.lexicon("vader") == {"good": 1.9, "bad": -2.5}
    with pytest.raises(ValueError, match="choose from vader, afinn"):
        lexicons.lexicon("liwc")


@pytest.mark.parametrize(
    ("text", "value"),
    [("It is great", 2), ("It is not great", -2), ("isn't it awful", 2), ("great, awful", 0), ("a table", 0)],
)
def test_rating_a_text_by_its_words(text, value):
    assert lexicons.rate(text, VALENCES) == value


def test_another_archive_is_refused(archive, tmp_path):
    (tmp_path / "corpora" / "v.tar.gz").write_bytes(b"something else")
    with pytest.raises(ValueError, match="sha256"):
        load("tweets")


def test_download_is_pinned_and_says_what_to_do_without_network(archive, tmp_path, monkeypatch):
    (tmp_path / "corpora" / "v.tar.gz").unlink()
    asked = []

    def run(command, **kwargs):
        asked.extend(command)
        requirements = command[command.index("-r") + 1]
        asked.append(Path(requirements).read_text())
        return SimpleNamespace(returncode=1, stderr="no route to host")

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(RuntimeError, match=r"no route to host.*download v\.tar\.gz from https://pypi\.org"):
        load("tweets")
    assert asked[:4] == [sys.executable, "-m", "pip", "download"]
    assert {"--no-deps", "--require-hashes", "--no-binary=:all:"} <= set(asked)
    assert asked[-1] == f"vaderSentiment==3.3.2 --hash=sha256:{archive.sha256}\n"
    assert not list((tmp_path / "corpora").iterdir())


@pytest.mark.parametrize(("suffix", "separator"), [(".csv", ","), (".tsv", "\t")])
def test_a_file_of_ones_own(tmp_path, suffix, separator):
    path = tmp_path / f"mine{suffix}"
    path.write_text(f"label{separator}text\n0{separator}bad\n1{separator}good\n1{separator}better\n")
    corpus = load(str(path))
    assert (corpus.name, corpus.texts) == ("mine", ["bad", "good", "better"])
    np.testing.assert_allclose(corpus.ratings, [-1, 1, 1])
    path.write_text(f"label{separator}text\n-0.5{separator}bad\n0.2{separator}good\n3{separator}better\n")
    np.testing.assert_allclose(load(str(path)).ratings, [-0.5, 0.2, 3])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("text,score\na,1\n", "no column 'label'"),
        ("text,label\na,high\n", "labels must be numbers"),
        ("text,label\n,1\nb,0\n", "empty texts"),
        ("text,label\n", "empty texts"),
        ("text,label\na\n", "a row lacks its text or its label"),
        ("text,label\na,0\nb,1\nc,2\n", "labels 0..2 have no sign; centre them so that 0 is neutral"),
        ("text,label\na,1\nb,3\nc,5\n", "labels 1..5 have no sign"),
    ],
)
def test_bad_files_are_named(tmp_path, content, message):
    path = tmp_path / "bad.csv"
    path.write_text(content)
    with pytest.raises(ValueError, match=f"bad.csv.*{message}"):
        load(str(path))


def test_unknown_and_one_sided_corpora(tmp_path):
    with pytest.raises(ValueError, match=r"--corpora reddit: choose from tweets.*sst2"):
        load("reddit")
    path = tmp_path / "one.csv"
    path.write_text("text,label\n" + "".join(f"text,{-i}\n" for i in range(1, 20)))
    with pytest.raises(ValueError, match=r"the 10 texts drawn are all of one sign; centre the labels"):
        reported(str(path), 10)
    with pytest.raises(ValueError, match=r"the 9 texts drawn are fewer than 10; give a larger corpus or more --samp"):
        reported(str(path), 9)


def test_neutral_texts_count_for_neither_sign(tmp_path):
    path = tmp_path / "three.csv"
    path.write_text("text,label\nbad,-1\nplain,0\ngood,1\n")
    assert load(str(path)).texts == ["bad", "good"]


def test_a_file_from_excel_and_one_that_is_missing(tmp_path):
    path = tmp_path / "excel.csv"
    path.write_bytes(b"\xef\xbb\xbftext,label\nbad,0\ngood,1\n")
    assert load(str(path)).texts == ["bad", "good"]
    with pytest.raises(ValueError, match="No such file") as error:
        load(str(tmp_path / "absent.csv"))
    assert "labels must be numbers" not in str(error.value)
    path.write_bytes(b"text,label\nb\xe9,0\n")
    with pytest.raises(ValueError, match="UTF-8"):
        load(str(path))


def test_two_corpora_of_one_name_are_refused(archive, tmp_path):
    path = tmp_path / "tweets.csv"
    path.write_text("text,label\nbad,0\ngood,1\n")
    both = [load("tweets"), load(str(path))]
    with pytest.raises(ValueError, match="the name 'tweets' is taken twice; rename the file"):
        by_name(both)
    with pytest.raises(ValueError, match="'tweets' is taken"):
        by_name(both[1:], taken=("tweets",))
    assert list(by_name(both[:1])) == ["tweets"]


def test_hub_data_sets(monkeypatch):
    monkeypatch.setattr(corpora, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"sst2: needs the package datasets.*or save"):
        load("sst2")
    monkeypatch.setattr(corpora, "find_spec", lambda name: True)
    rows = {"text": ["a", "b", "c"], "label": [2, 1, 0]}
    asked = []
    fake = SimpleNamespace(load_dataset=lambda *where, split: asked.append((*where, split)) or rows)
    monkeypatch.setitem(sys.modules, "datasets", fake)
    corpus = load("tweeteval")  # neutral is left out
    assert asked == [("cardiffnlp/tweet_eval", "sentiment", "test")]
    assert (corpus.texts, corpus.ratings.tolist()) == (["a", "c"], [1, -1])

    def fail(*where, split):
        raise ConnectionError("the hub is away")

    monkeypatch.setattr(fake, "load_dataset", fail)
    with pytest.raises(ValueError, match="the hub is away"):
        load("imdb")
