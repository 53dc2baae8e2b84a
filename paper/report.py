"""Everything that was found as one page: each table and figure beside v1, the revision and its null.

    python -m paper report [--runs DIR ...] [--out DIR] [--wandb | --online]

It looks through the folders for ``NAME.json`` files of ``python -m analysis`` and ``python -m vaxis ablate --inside``,
verdicts and tables of interventions, and writes ``report.html``, which holds its pictures and loads nothing, and
``report.md`` with the pictures beside it. Nothing is trained and nothing computed anew but the table of interventions.
"""

import math
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from textwrap import shorten
from typing import Any

from analysis import dose_curves
from analysis.base import commands
from analysis.interventions import InterventionResult
from analysis.interventions_figure import forest
from analysis.page import Picture, Section, Table, Text, render
from analysis.verdict_text import SIMULATED, p_text
from console.arguments import Arguments
from paper.claims import Answer, answer, claims, intervention_lines, number_of
from paper.found import Found, Result, Value, find, folders
from paper.markdown import markdown
from paper.rows import GROUPS, curves, rows
from records.files import atomic

SHOWN = 30  # rows of a table that are shown; a longer one is folded, with the published numbers above it
HEAD = ("number", "ours", "v1", "revision", "null mean", "null 95 %", "p", "95 % interval", "n", "data")
CLAIM = ("claim", "v1", "revision", "ours", "null, p", "n", "data", "status")


def main(argv: Sequence[str]) -> int:
    """Render the report.

    Raises:
        FileNotFoundError: a named folder is not there.
    """
    parser = Arguments("python -m paper report", about=__doc__)
    parser.add_argument(
        "--runs", nargs="+", type=Path, metavar="DIR", help="folders to look through, at any depth (runs)"
    )
    parser.add_argument("--out", type=Path, default=Path("paper_report"), metavar="DIR", help="(paper_report)")
    parser.add_argument(
        "--wandb", action="store_true", help="the same pictures as a W&B run, on disk until: wandb sync"
    )
    parser.add_argument("--online", action="store_true", help="send that run now; without a server it stays on disk")
    parser.add_argument("--project", default="vaxis-align", help="W&B project (vaxis-align)")
    args = parser.parse_args(argv)
    looked = folders(args.runs)
    found = find(looked)
    command = shlex.join(["python", "-m", "paper", "report", *argv])
    pictures = write(args.out, found, command=command, looked=looked)
    print(f"{_counted(found)}, {len(pictures)} picture{'s' * (len(pictures) != 1)}")
    for text in found.broken:
        print(f"not read: {text}")
    print(f"{args.out / 'report.html'}\n{args.out / 'report.md'}")
    if args.wandb or args.online:
        print(_to_wandb(args.out, found, pictures, project=args.project, online=args.online))
    return 0


def write(out: Path, found: Found, *, command: str, looked: Sequence[Path]) -> dict[str, Path]:
    """Write both pages and the pictures; returns the pictures by name.

    Args:
        out: folder.
        found: what there is.
        command: that was typed.
        looked: folders that were looked through.
    """
    sections = pages(found, command=command, looked=looked)
    head = _head(found)
    page = render(contents=True, **head, sections=sections)
    with atomic(out / "report.html") as partial:
        partial.write_text(page, encoding="utf-8")
    text, files = markdown(head, sections)
    pictures = {}
    for name, content in files.items():
        with atomic(out / "pictures" / name) as partial:
            partial.write_bytes(content)
        pictures[Path(name).stem] = out / "pictures" / name
    with atomic(out / "report.md") as partial:
        partial.write_text(text, encoding="utf-8")
    return pictures


def pages(found: Found, *, command: str, looked: Sequence[Path]) -> list[Section]:
    """The sections: claims, then the interventions, then each result."""
    answers = answer(found)
    parts = dict.fromkeys(one.claim.about for one in answers)
    sections = [_claims(part, [one for one in answers if one.claim.about == part]) for part in parts]
    sections += _interventions(found)
    sections += [_result(result) for result in found.results]
    return [*sections, _missing(found), _reproduce(command, looked)]


def _head(found: Found) -> dict[str, Any]:
    simulated = any(result.simulated for result in found.results) or any(table.simulated for table in found.tables)
    real = sum(not result.simulated for result in found.results) + sum(not table.simulated for table in found.tables)
    counts = {status: sum(claim.status == status for claim in claims()) for status in ("revised", "withdrawn")}
    parts = [
        "Every number stands beside that of the published version (v1, May 2026) and of its authors' revision "
        f"(September 2026), where they give one. Of {len(claims())} claims the revision changes {counts['revised']} "
        f"and withdraws {counts['withdrawn']}. A published number was measured on other runs than "
        "ours: the columns are beside each other to be read, not subtracted."
    ]
    banner = f"{SIMULATED} The column data says of which numbers that is true." if simulated else ""
    return {
        "title": "The claims of arXiv 2606.00129, ours beside v1 and revision",
        "banner": banner,
        "kicker": f"{_counted(found)}; {real} on real data",
        "judgement": "",
        "sentence": "A shared valence axis in language models and EEG: v1, its revision, and what we find",
        "paragraphs": parts,
        "warnings": list(found.broken),
        "details": [],
        "notes": [],
    }


def _claims(part: str, answers: Sequence[Answer]) -> Section:
    own = [_claim(one) for one in answers if not one.claim.id.startswith("row-")]  # rows have a table of their own
    return Section(title=f"Claims: {part}", blocks=[Table(head=CLAIM, rows=own, kind="prose")])


def _claim(one: Answer) -> list[str]:
    claim = one.claim.claim + (f" ({one.claim.note})" if one.claim.note else "")
    # A narrow column must not break between a number and what it is.
    beside = re.sub(r"(null|95|%|p) ", "\\1\u00a0", one.beside)
    ours = [one.number, beside, one.n, _data(one.simulated)]
    return [claim, one.claim.v1, one.claim.revision, *ours, one.status]


def _interventions(found: Found) -> list[Section]:
    """The rows that are finished and those that are not, with the figures of what is there."""
    lines = intervention_lines(found)
    by_row = {one.claim.id.removeprefix("row-"): one for one in answer(found) if one.claim.id.startswith("row-")}
    head = ("row", "v1 (p)", "revision", "ours [95 %]", "p", "Holm", "n", "data", "judged")
    table = [
        [f"{name}: {rows()[name].label}", one.claim.v1, one.claim.revision, *_line(lines.get(name))]
        for name, one in by_row.items()
    ]
    caption = (
        "Change in test balanced accuracy against the row's own control arm on the same seeds; p of a paired t test, "
        "Holm over the comparisons of a table. v1 calls 16 of 25 significant; Holm over its printed p leaves 10."
    )
    blocks: list = [Table(head=head, rows=table, caption=caption, kind="numbers")]
    shown = [lines[name] for name in by_row if name in lines]
    if shown:
        data = " (SIMULATED)" if any(line.simulated for line in shown) else ""
        figure = forest(shown, title=f"Change in balanced accuracy{data}", headings=GROUPS)
        blocks.append(
            Picture.of(figure, "Ours with 95 % interval, v1 as a mark beside it.", alt="interventions forest")
        )
    if any(point.row in lines for curve in curves() for point in curve.points):
        figure = dose_curves.picture(curves(), lines)
        blocks.append(Picture.of(figure, "Each against its own baseline.", alt="interventions doses"))
    return [Section(title="Interventions", blocks=blocks)]


def _line(line: InterventionResult | None) -> list[str]:
    if line is None:
        return ["", "", "", "", "", ""]
    d = line.measured
    change = f"{d.mean:+.3f}" + (f" [{d.low:+.3f}, {d.high:+.3f}]" if math.isfinite(d.low) else "")
    return [change, p_text(d.p), p_text(line.p_holm), str(d.n), _data(line.simulated), str(line.verdict)]


def _result(result: Result) -> Section:
    """All numbers of a result, those that were published first, and its pictures."""
    published = _published(result)
    first = [name for name in result.numbers if name in published]
    rest = [name for name in result.numbers if name not in published]
    blocks: list = [Text(text=text, soft=number > 0) for number, text in enumerate(result.text)]
    if first and len(result.numbers) > SHOWN:
        blocks.append(Table(head=HEAD, rows=[_number(result, name, published) for name in first], kind="numbers"))
        first = []
    if table := [_number(result, name, published) for name in (*first, *rest)]:
        folded = f"{len(table)} more numbers" if len(table) > SHOWN else ""
        blocks.append(Table(head=HEAD, rows=table, kind="numbers", folded=folded))
    for file in result.pictures:
        name = file.stem.replace("_", " ")
        blocks.append(Picture.read(file.read_bytes(), str(file), alt=f"{name}, {file.parent.name}"))
    where = f"{result.dataset}, " if result.dataset else ""
    blocks.append(Text(text=f"{where}{_data(result.simulated)} data: {result.file}", soft=True))
    folder = result.file.parent
    place = folder.parent.name if folder.name == result.analysis else folder.name
    return Section(title=f"{result.analysis.replace('_', ' ')}: {place}", blocks=blocks)


def _published(result: Result) -> dict[str, tuple[str, str]]:
    """v1 and revision of the numbers of a result: those its file states, and those of the claims."""
    found = {}
    for claim in claims():
        if name := number_of(claim, result):
            found[name] = (claim.v1, claim.revision)
    for name, said in result.published.items():
        if name in result.numbers:
            found[name] = (_said(said.get("v1")), _said(said.get("revision")))
    # A claim in words does not fit beside numbers, and stands above.
    short = {name: [shorten(text, 20, placeholder=" ...") for text in values] for name, values in found.items()}
    return {name: (v1, revision) for name, (v1, revision) in short.items() if v1 or revision}


def _number(result: Result, name: str, published: dict[str, tuple[str, str]]) -> list[str]:
    value: Value = result.numbers[name]
    ends = value.interval
    return [
        name,
        _float(value.value),
        *published.get(name, ("", "")),
        _float(value.null_mean),
        _float(value.null_95),
        "" if value.p_value is None else p_text(value.p_value),
        f"{ends[0]:.3f} to {ends[1]:.3f}" if ends and math.isfinite(ends[0]) else "",
        str(value.n),
        _data(value.simulated),
    ]


def _missing(found: Found) -> Section:
    """Analyses without a result, and what would make one."""
    there = {result.analysis for result in found.results}
    table = [[f"python -m analysis {name} ...", about] for name, about in commands().items() if name not in there]
    if "ablate_inside" not in there:
        table.append(
            ["python -m vaxis ablate --inside 20 --out DIR", "The axis projected out inside the language model."]
        )
    if not found.tables:
        table.append(["python -m paper interventions --run", "Every strategy of the paper against its control arm."])
    said = "Add --out DIR under one of the folders looked through." if table else "Every analysis has a result."
    blocks: list = [Table(head=("command", "what it answers"), rows=table, kind="prose")] if table else []
    return Section(title="Not there yet", blocks=[*blocks, Text(text=said, soft=True)])


def _reproduce(command: str, looked: Sequence[Path]) -> Section:
    text = f"Looked through: {', '.join(map(str, looked)) or 'nothing, there is no folder runs'}."
    return Section(title="How to reproduce", blocks=[Text(text=command, command=True), Text(text=text, soft=True)])


def _to_wandb(out: Path, found: Found, pictures: dict[str, Path], *, project: str, online: bool) -> str:
    from tracking.figures import log_figures

    numbers = {
        f"{result.analysis}/{result.file.parent.name}/{name}": value.value
        for result in found.results
        for name, value in result.numbers.items()
        if math.isfinite(value.value)
    }
    rows = [
        [result.analysis, result.file.parent.name, *_number(result, name, published)]
        for result in found.results
        for published in [_published(result)]
        for name in result.numbers
    ]
    told = [[one.claim.about, *_claim(one)] for one in answer(found)]
    tables = {"numbers": (("analysis", "folder", *HEAD), rows), "claims": (("about", *CLAIM), told)}
    simulated = any(result.simulated for result in found.results) or any(table.simulated for table in found.tables)
    return log_figures(
        out, pictures=pictures, numbers=numbers, tables=tables, config={"simulated": simulated}, project=project,
        online=online,
    )  # fmt: skip


def _counted(found: Found) -> str:
    results, tables = len(found.results), len(found.tables)
    return f"{results} result{'s' * (results != 1)}, {tables} table{'s' * (tables != 1)} of interventions"


def _data(simulated: bool | None) -> str:
    return "" if simulated is None else "SIMULATED" if simulated else "real"


def _float(value: float | None) -> str:
    return "" if value is None else "not defined" if math.isnan(value) else f"{value:.4f}"


def _said(value: object) -> str:
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
