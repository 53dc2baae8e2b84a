"""The report and the claims of the paper: what is found, which value stands where, and what damaged files do."""

import json
import re
import shutil
from pathlib import Path

import pytest

from analysis.base import Findings, Number
from analysis.canvas import empty, png
from paper import report
from paper.__main__ import main
from paper.claims import answer, claims, line
from paper.found import Found, Result, Value, find
from paper.rows import rows
from paper.table import Table
from tests.finished_runs import write_run

VERDICT = {
    "judgement": "hurts", "sentence": "it hurts here", "dataset": "faced", "simulated": True, "seeds": [1, 2, 3],
    "accuracy": {"paired": {"mean": -0.02, "p": 0.04}}, "judged": {"low": -0.03, "high": -0.01},
    "controls": [{"name": "random", "change": {"mean": -0.01, "p": 0.3, "low": -0.03, "high": 0.01}}],
    "new_clips": {"chance": 0.11, "folds": [{}, {}], "without": {"seen": 0.6, "new": 0.2, "survives": 0.18}},
    "warnings": ["still <rising>"],
}  # fmt: skip


def save(folder, *, value, simulated, name="eeg_map", number="ridge.axis.clip_out", **detail):
    given = Number(value=value, n=28, simulated=simulated, null_mean=-0.1, null_95=0.5, p_value=0.015)
    other = Number(value=0.1, n=28, simulated=simulated, interval=(0.0, 0.2))
    return Findings(text="", numbers={number: given, "another": other}, detail=detail).save(folder, name=name)


@pytest.fixture
def folder(tmp_path):
    """A real and two simulated results, a verdict, a table of interventions with one finished row, and damage."""
    runs = tmp_path / "runs"
    save(runs / "simulated", value=0.111, simulated=True, dataset="faced")
    file = save(runs / "real", value=0.222, simulated=False, dataset="faced")
    save(runs / "seedv", value=0.333, simulated=False, dataset="seedv")
    figure, _ = empty(1, 1, width=4, height=2)
    file.with_name("eeg_map_panels.png").write_bytes(png(figure))
    (runs / "v").mkdir()
    (runs / "v" / "verdict.json").write_text(json.dumps(VERDICT))
    (runs / "bad").mkdir()
    (runs / "bad" / "convergence.json").write_text("{")
    (runs / "bad" / "ensembles.json").write_text(json.dumps({"analysis": "ensembles", "numbers": {"a": {"value": 1}}}))
    listed = {"value": 1, "n": 1, "simulated": True, "null_mean": [0.3, 0.3]}
    (runs / "bad" / "listed.json").write_text(json.dumps({"analysis": "listed", "numbers": {"a": listed}}))
    (runs / "bad" / "unrelated.json").write_text("[1, 2]")
    table = Table(folder=runs / "set" / "interventions", data="S", simulated=True, epochs=3, command="x")
    for arm, values in (("none", (0.6, 0.61, 0.59)), ("treated", (0.5, 0.52, 0.49))):
        for seed, value in enumerate(values):
            run = write_run(tmp_path / arm, loss=arm, weight=float(arm != "none"), seed=seed, accuracy=value)
            run.rename(run.with_name(f"s{seed}"))
    table.add(rows()["10"], control=tmp_path / "none", treated=tmp_path / "treated", seeds=(0, 1, 2))
    table.save()
    return runs


def of(found, name):
    (one,) = [one for one in answer(found) if one.claim.id == name]
    return one


def test_every_claim_has_a_name_a_status_and_what_it_would_take():
    every = claims()
    assert len({claim.id for claim in every}) == len(every) > 80
    assert {claim.status for claim in every} == {"published", "revised", "withdrawn", "ours"}
    assert all(claim.takes.startswith("python ") for claim in every)
    assert all(claim.v1 or claim.revision or claim.status == "ours" for claim in every)
    withdrawn = {claim.id for claim in every if claim.status == "withdrawn"}
    assert {"converge-pc1", "converge-residual", "mechanism", "axis-shared"} <= withdrawn
    parts = [claim.about for claim in every]
    assert len(list(dict.fromkeys(parts))) == sum(a != b for a, b in zip(["", *parts], parts))  # each part once


def test_the_revision_stands_beside_the_rows_that_it_changes():
    by_id = {claim.id: claim for claim in claims()}
    assert by_id["row-13"].v1.startswith("-0.043")
    assert (by_id["row-13"].revision, by_id["row-13"].status) == ("-0.041", "revised")
    assert (by_id["row-1"].revision, by_id["row-1"].status) == ("", "published")
    assert {name.removeprefix("row-") for name in by_id if name.startswith("row-")} == {
        name for name, row in rows().items() if row.delta is not None
    }


def test_an_unknown_field_or_status_names_file_and_claim(monkeypatch, tmp_path):
    for entry, said in (("status: wrong", "claim x has status 'wrong'"), ("status: ours, color: red", "field color")):
        file = tmp_path / "claims.yaml"
        text = f"claims: [{{id: x, about: a, claim: c, takes: t, {entry}}}]\nrows: {{}}\n"
        file.write_text(text)
        monkeypatch.setattr("paper.claims.FILE", file)
        claims.cache_clear()
        with pytest.raises(ValueError, match=re.escape(said)):
            claims()
    claims.cache_clear()


def test_ours_is_the_real_number_of_the_right_data_set(folder):
    found = find([folder])
    one = of(found, "eeg-ridge")
    assert one.value.value == 0.222
    assert (one.simulated, one.status) == (False, "revised; ours")
    assert "real" in one.source
    shutil.rmtree(folder / "real")
    one = of(find([folder]), "eeg-ridge")
    assert (one.value.value, one.simulated) == (0.111, True)
    assert "(SIMULATED)" in line(one)
    assert of(find([folder]), "eeg-po3").status.startswith("revised; takes: python -m analysis eeg_map")


def test_a_finished_row_of_a_table_is_ours(folder):
    one = of(find([folder]), "row-10")
    assert one.value.value == pytest.approx(-0.0967, abs=1e-3)
    assert (one.value.n, one.simulated) == (3, True)
    assert of(find([folder]), "row-9").value is None
    assert of(find([folder]), "rows-negative").number == "1 of 1 rows"
    assert of(find([folder]), "rows-positive").number == "0 of 1 rows"


def test_a_verdict_gives_the_change_its_controls_and_what_new_clips_leave(folder):
    (verdict,) = [result for result in find([folder]).results if result.analysis == "verdict"]
    assert verdict.numbers["change"].interval == (-0.03, -0.01)
    assert verdict.numbers["change_random"].value == -0.01
    assert (verdict.numbers["new_clips"].value, verdict.numbers["new_clips"].null_mean) == (0.2, 0.11)


def test_damaged_files_are_named_and_stop_nothing(folder):
    found = find([folder])
    assert len(found.results) == 4
    assert [Path(text.split(": ")[0]).name for text in found.broken] == [
        "convergence.json",
        "ensembles.json",
        "listed.json",
    ]
    assert all("\n" not in text for text in found.broken)
    assert "lacks the field 'n'" in found.broken[1]
    with pytest.raises(FileNotFoundError, match="no such folder"):
        find([folder / "nowhere"])


def test_results_inside_a_run_are_found_but_not_its_records(folder):
    inside = write_run(folder / "arm", seed=9)
    for place in ("own", "wandb/files", "checkpoints"):
        (inside / place).mkdir(parents=True)
        shutil.copy(folder / "real" / "eeg_map.json", inside / place / "eeg_map.json")
    found = [result.file.parent.name for result in find([folder]).results]
    assert sorted(found) == ["own", "real", "seedv", "simulated", "v"]


def test_the_page_holds_everything_and_loads_nothing(folder, tmp_path, capsys):
    assert main(["report", "--runs", str(folder), "--out", str(tmp_path / "out")]) == 0
    said, page = capsys.readouterr().out, (tmp_path / "out" / "report.html").read_text()
    assert "4 results, 1 table of interventions, 3 pictures" in said
    assert said.count("not read:") == 3
    assert "<link" not in page
    assert not re.search(r'(?:src|href)="(?!data:|#)', page)
    assert 'class="banner"' in page
    for name in ("eeg map: real", "eeg map: simulated", "eeg map: seedv", "verdict: v", "Interventions", "Claims: EEG"):
        assert re.search(rf'<h2 id="s\d+">{name}</h2>', page), name
    assert page.count("data:image/png") == 3  # panels, forest and doses
    assert "still &lt;rising&gt;" in page
    page = page.replace("_<wbr>", "_")  # where a long name may break
    row = re.search(r"<tr><td[^>]*>ridge.axis.clip_out</td>.*?</tr>", page[page.index("eeg map: real</h2>") :])[0]
    cells = re.findall(r"<td[^>]*>(.*?)</td>", row)
    assert cells == [
        "ridge.axis.clip_out", "0.2220", ".87 (Qwen3-4B)", ".87 was a CLIP- ...", "-0.1000", "0.5000", "0.015", "",
        "28", "real",
    ]  # fmt: skip
    assert "python -m analysis directional_ablation ..." in page  # not there yet
    assert "convergence.json" in page


def test_a_published_value_of_the_file_itself_goes_first(folder):
    stated = {"ridge.axis.clip_out": {"v1": 0.87, "revision": None, "note": ""}, "gone": {"v1": 1.0}}
    save(folder / "real", value=0.222, simulated=False, dataset="faced", published=stated)
    (result,) = [r for r in find([folder]).results if r.file.parent.name == "real"]
    assert report._published(result)["ridge.axis.clip_out"] == ("0.87", "")
    assert "gone" not in report._published(result)


def test_long_tables_fold_and_show_what_was_published_first(tmp_path):
    number = Value(value=0.5, n=3, simulated=True)
    numbers = {f"n{k}": number for k in range(40)} | {"ridge.axis.clip_out": number}
    result = Result(analysis="eeg_map", file=tmp_path / "x.json", dataset="faced", numbers=numbers)
    tables = [block for block in report._result(result).blocks if block.shape == "table"]
    assert [row[0] for row in tables[0].rows] == ["ridge.axis.clip_out"]
    assert (len(tables[1].rows), tables[1].folded) == (40, "40 more numbers")


def test_markdown_has_the_tables_and_files_of_the_pictures(folder, tmp_path):
    main(["report", "--runs", str(folder), "--out", str(tmp_path / "out")])
    text = (tmp_path / "out" / "report.md").read_text()
    pictures = re.findall(r"\]\((pictures/.*?\.png)\)", text)
    assert len(pictures) == 3
    assert all((tmp_path / "out" / name).read_bytes()[:4] == b"\x89PNG" for name in pictures)
    for block in re.findall(r"(?:^\|.*\n)+", text, re.M):
        widths = {len(re.findall(r"(?<!\\)\|", row)) for row in block.splitlines()}
        assert len(widths) == 1  # a bar inside a cell would break the table


def test_claims_are_one_line_each_and_go_to_a_file(folder, tmp_path, capsys):
    assert main(["claims", "--runs", str(folder), "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    ids = [claim.id for claim in claims()]
    lines = [row for row in printed.splitlines() if row.split(" ")[0] in ids]
    assert len(lines) == len(ids)
    saved = {claim["id"]: claim for claim in json.loads((tmp_path / "claims.json").read_text())["claims"]}
    assert saved["eeg-ridge"]["ours"].startswith("0.222")
    assert saved["eeg-ridge"]["simulated"] is False
    assert (saved["eeg-ridge"]["value"]["value"], saved["eeg-ridge"]["name"]) == (0.222, "ridge.axis.clip_out")
    assert saved["eeg-po3"]["ours"] == ""
    main(["claims", "--runs", str(folder), "--status", "withdrawn"])
    assert "eeg-ridge" not in capsys.readouterr().out


def test_nothing_found_is_still_a_page(tmp_path):
    (tmp_path / "runs").mkdir()
    sections = report.pages(Found(), command="python -m paper report", looked=[])
    assert sections[-2].title == "Not there yet"
    assert main(["report", "--runs", str(tmp_path / "runs"), "--out", str(tmp_path / "out")]) == 0


def test_an_unknown_command_lists_those_that_there_are():
    with pytest.raises(SystemExit, match=r"There is: interventions, .*report, claims"):
        main(["reports"])


def test_pictures_reach_wandb_offline_without_a_server(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert main(["report", "--runs", str(folder), "--out", str(tmp_path / "out"), "--online"]) == 0
    assert "W&B stays offline: no API key" in capsys.readouterr().out
    assert list((tmp_path / "out" / "wandb").glob("offline-run-*/*.wandb"))
    media = list((tmp_path / "out" / "wandb").rglob("*.png"))
    assert len(media) == 3
    tables = {
        file.name.split("_")[0]: json.loads(file.read_text()) for file in (tmp_path / "out").rglob("*.table.json")
    }
    assert tables["numbers"]["columns"][2:] == list(report.HEAD)  # each number beside its null
    row = next(row for row in tables["numbers"]["data"] if row[1:4] == ["real", "ridge.axis.clip_out", "0.2220"])
    assert row[6:9] == ["-0.1000", "0.5000", "0.015"]
    assert len(tables["claims"]["data"]) == len(claims())
