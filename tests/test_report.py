"""The report: alone, complete, escaped and only about its own runs."""

import html
import re
from html.parser import HTMLParser
from typing import ClassVar

import numpy as np
import pytest
import yaml

from analysis.report import write_report
from analysis.report_axis import scalp
from analysis.report_reproduce import reproduce
from analysis.verdict_record import Verdict
from eeg.montage import FACED_CHANNELS
from measures.topography import Topography
from records.run import Run
from tests.conftest import make_axis
from tests.finished_runs import edit_result, write_arms
from tests.verdict_cases import everything
from vaxis.targets import Targets


@pytest.fixture(scope="module")
def arms(tmp_path_factory):
    return write_arms(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def axis():
    axis = make_axis()
    band = {"value": 0.82, "median": 0.41, "p5": 0.02, "p95": 0.68, "reached": 0.012}
    nulls = {"nonce": {"separation": band, "rated": band, "cosine": band}}
    axis.provenance.update(model="a <b>small</b> model", nulls=nulls)
    return axis


@pytest.fixture(scope="module")
def reported(tmp_path_factory, axis):
    """Runs that used the axis, their verdict and the text of the report."""
    folder = tmp_path_factory.mktemp("reported")
    baseline, treated = write_arms(folder / "runs & <more>", axis=axis.fingerprint)
    verdict, r = Verdict.from_runs(baseline, treated), np.random.default_rng(0).uniform(-0.5, 0.5, (32, 5))
    bands = ("delta", "theta", "alpha", "beta", "gamma")
    topography = Topography(title="training <subjects>", r=r, channels=tuple(FACED_CHANNELS), maps=bands, stimuli=28)
    path = write_report(
        folder / "report.html",
        verdict=verdict,
        runs=[*treated, *baseline],
        axis=axis,
        topographies=[topography],
        command="python train.py --loss 'a<b'",
    )
    return (baseline, treated), verdict, path.read_text(encoding="utf-8")


def test_report_stands_alone_and_says_everything(reported):
    _, verdict, text = reported
    assert text.count("data:image/png;base64,") == 8
    assert not re.search(r"(src|href)=\"(?!data:)|@import|url\(|<script|<link", text)
    said = (verdict.headline, *verdict.scope, *verdict.warnings)
    for part in (*said, "SIMULATED", "0.111", "0.66 / 0.66", "seed", "4f1c2d3", "torch 2.13.0", "0.155"):
        assert html.escape(part) in text
    assert "undefined" not in text
    assert ">nan<" not in text


def test_report_escapes_what_comes_from_outside(reported):
    _, _, text = reported
    for raw, escaped in (
        ("<b>small", "&lt;b&gt;small"),
        ("'a<b'", "&#39;a&lt;b&#39;"),
        ("<subjects>", "&lt;subjects"),
    ):
        assert raw not in text
        assert escaped in text
    assert "runs &amp; &lt;more&gt;" in text


def test_report_is_well_formed(reported):
    """Every element that is opened is closed, in order."""

    class Checker(HTMLParser):
        stack: ClassVar[list[str]] = []

        def handle_starttag(self, tag, attrs):
            if tag not in ("meta", "img"):
                self.stack.append(tag)

        def handle_endtag(self, tag):
            assert self.stack.pop() == tag

    checker = Checker()
    checker.feed(reported[2])
    assert checker.stack == []


def test_report_refuses_other_runs_or_another_axis(reported, axis, arms, tmp_path):
    (baseline, treated), verdict, _ = reported
    with pytest.raises(ValueError, match="not those of the verdict"):
        write_report(tmp_path / "r.html", verdict=verdict, runs=[*baseline, *treated[1:]], axis=axis)
    with pytest.raises(ValueError, match="used axis"):
        write_report(tmp_path / "r.html", verdict=verdict, runs=[*baseline, *treated], axis=make_axis(seed=1))
    assert not list(tmp_path.iterdir())


def test_report_without_simulation_nulls_or_maps(tmp_path):
    axis = make_axis()
    runs = write_arms(tmp_path / "runs", axis=axis.fingerprint, simulated=False)
    path = write_report(tmp_path / "r.html", verdict=Verdict.from_runs(*runs), runs=[*runs[0], *runs[1]], axis=axis)
    text = path.read_text()
    assert "SIMULATED" not in text
    assert "On the scalp" not in text
    assert "no nulls of its own" in text


def test_every_section_stands_where_there_is_something_for_it(tmp_path):
    axis = make_axis()
    verdict, runs = everything(tmp_path, axis=axis.fingerprint)
    text = write_report(tmp_path / "r.html", verdict=verdict, runs=runs, axis=axis).read_text()
    titles = re.findall("<h2>(.*?)</h2>", text)
    assert titles[:8] == [
        "Is it the axis?",
        "Numbers",
        "Beside the simplest models",
        "Person by person",
        "Class by class",
        "Which classes are confused",
        "By training length",
        "Seen and new clips",
    ]
    assert f'class="{verdict.judgement}">{html.escape(verdict.headline)}</h1>' in text
    assert text.index(html.escape(verdict.warnings[0])) < text.index("<h2>")
    assert "97.8 %" in text
    p = verdict.people
    for person, a, b in zip(p.subjects, p.baseline, p.treated, strict=True):
        assert f"<td>{person}</td><td>{a:.3f}</td><td>{b:.3f}</td><td>{b - a:+.3f}</td>" in text


def test_the_positions_shown_are_those_that_training_took(tmp_path):
    """A rich text and the emotion's word can lie far apart; the run says which one it took."""
    axis = make_axis()
    axis.positions.update(rich=np.linspace(-3, 4, 28) ** 3, planted=np.linspace(4, -3, 28) ** 3)
    pages = {}
    for source in ("rich", "planted"):
        runs = write_arms(tmp_path / source, axis=axis.fingerprint, positions=source)
        verdict, both = Verdict.from_runs(*runs), [*runs[0], *runs[1]]
        pages[source] = write_report(tmp_path / f"{source}.html", verdict=verdict, runs=both, axis=axis).read_text()
        v = Targets.from_axis(axis, source=source)
        assert f"positions &#39;{source}&#39; of the 28 clips" in pages[source]
        assert f"<td>anger</td><td>{float(v.v_class[0]):+.2f}</td><td>{float(v.v[0]):+.2f} (clip 0)" in pages[source]
    edit_result(both[0].path, positions="class")
    mixed = [Run.load(run.path) for run in both]
    with pytest.raises(ValueError, match="different positions"):
        write_report(tmp_path / "r.html", verdict=verdict, runs=mixed, axis=axis)


def test_the_report_alone_says_how_to_make_its_runs_again(tmp_path):
    """Command, settings in short and in full, sizes of the splits: nothing of it needs the folder of a run."""
    axis = make_axis()
    splits = {"train": {"trials": 6720, "people": 80}, "test": {"trials": 84, "people": 3}}
    runs = write_arms(tmp_path / "runs", axis=axis.fingerprint, splits=splits)
    settings = {
        "model": {"head": "mean_linear", "optimisation": {"algorithm": "adamw", "lr": 0.0012}},
        "data": {"class_path": "datamodules.faced.FACED", "init_args": {"root": "/data/faced", "batch_size": 77}},
        "network": {"class_path": "networks.emod.EMOD", "init_args": {"depth": 6}},
        "loss": {"class_path": "losses.rsa.RSA", "init_args": {"weight": 0.5}},
        "trainer": {"max_epochs": 6},
    }
    for run in (*runs[0], *runs[1]):
        (run.path / "config.yaml").write_text(yaml.safe_dump(settings))
    runs = [[Run.load(run.path) for run in arm] for arm in runs]
    command = "python train.py --loss rsa"
    path = tmp_path / "r.html"
    write_report(path, verdict=Verdict.from_runs(*runs), runs=[*runs[0], *runs[1]], axis=axis, command=command)
    section = path.read_text().partition("How to reproduce")[2]
    for said in ("EMOD: depth 6", "lr 0.0012", "77", "/data/faced", "RSA: weight 0.5", "torch 2.13.0", command):
        assert said in section
    assert "<td>train</td><td>80</td><td>6720</td>" in section
    first = min(runs[1], key=lambda run: run.seed)
    assert f"train.py fit --config {first.path}/config.yaml" in section
    folded = re.search(r"<details><summary>every setting of seed \d+ with .*?<pre>(.*?)</pre>", section, re.S)
    assert yaml.safe_load(html.unescape(folded[1])) == settings


def test_splits_of_an_older_run_are_counted_from_its_predictions(arms, axis):
    section = reproduce(arms, command=None)
    (table,) = [block for block in section.blocks if block.shape == "table"]
    assert table.rows == [["test", "3", "84"]]


def test_no_null_lies_out_of_sight_on_a_phone(reported):
    """Tables of more than four columns become cards there, each cell with the name of its column."""
    text = reported[2]
    (numbers,) = re.findall(r"<h2>Numbers</h2>.*?</table>", text, re.S)
    assert '<table class=" cards">' in numbers
    assert 'data-label="null 95 %">0.66 / 0.66</td>' in numbers
    assert "@media (max-width: 40rem)" in text
    assert ".cards td:not(:first-child)::before { content: attr(data-label)" in text


def test_the_picture_of_the_answer_stands_before_the_first_section(reported):
    text = reported[2]
    assert text.index("</h1>") < text.index('alt="differences by seed"') < text.index("<h2>")


def test_significant_cells_are_ringed_and_counted():
    r = np.full((32, 2), 0.1)
    r[0] = 0.9
    maps = ("theta 4–8 Hz", "alpha 8–14 Hz")
    p = np.where(r > 0.5, 0.01, 0.7)
    told = {"title": "t", "r": r, "channels": tuple(FACED_CHANNELS), "maps": maps, "stimuli": 28}
    (section,) = scalp([Topography(**told, p=p), Topography(**told, p=np.ones((32, 2))), Topography(**told)])
    captions = [block.caption for block in section.blocks]
    assert "Rings: the 2 of 64 cells" in captions[0]
    assert "None of 64 cells" in captions[1]
    assert "corrected" not in captions[2]
    assert "theta 4–8 Hz" in section.blocks[0].alt
    assert scalp([]) == []
