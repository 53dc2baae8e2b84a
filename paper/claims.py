"""The claims of the paper, one line each: what v1 and the revision say, what we found, or what it would take."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from functools import cache
from pathlib import Path
from textwrap import shorten
from typing import Any, Literal, get_args

import yaml

from analysis.base import finite
from analysis.interventions import InterventionResult, compare
from analysis.verdict_text import p_text
from console.arguments import Arguments
from paper.found import Found, Result, Value, find, folders
from paper.rows import rows
from records.files import atomic

FILE = Path(__file__).with_name("claims.yaml")
COUNTS = ("rows-negative", "rows-holm", "rows-positive")  # claims about how many rows are significant
LEVEL = 0.05
Status = Literal["published", "revised", "withdrawn", "ours"]


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One claim.

    Attributes:
        id: name.
        about: part of the paper.
        claim: what is said, in our words.
        status: ``published``, ``revised`` or ``withdrawn`` by its authors, or ``ours`` alone.
        takes: the command that would give our number.
        v1: value of the published version, as printed.
        revision: value of the authors' revision; empty where it is silent.
        note: what to know before comparing.
        ours: where our number is: ``analysis``, its ``number`` or, where the name follows from the runs, its ``role``,
            and ``dataset``.
    """

    id: str
    about: str
    claim: str
    status: Status
    takes: str
    v1: str = ""
    revision: str = ""
    note: str = ""
    ours: dict[str, str] | None = None


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A claim beside what was found.

    Attributes:
        claim: the claim.
        value: our number; None where there is none.
        name: of the number in its file.
        source: its file.
    """

    claim: Claim
    value: Value | None = None
    name: str = ""
    source: str = ""

    @property
    def simulated(self) -> bool | None:
        """Whether our number is of a simulation; None where there is none."""
        return self.value.simulated if self.value else None

    @property
    def number(self) -> str:
        """Our number with its interval; empty where there is none."""
        if self.value is None:
            return ""
        if self.claim.id in COUNTS:
            return f"{self.value.value:.0f} {self.name}"
        number = "not defined" if math.isnan(self.value.value) else f"{self.value.value:.3f}"
        ends = self.value.interval
        # Spaces in the place of strokes: a long name must be able to break in a narrow column.
        role = f" ({self.name.replace('_', ' ')})" if "role" in (self.claim.ours or {}) else ""
        return number + (f" [{ends[0]:.3f}, {ends[1]:.3f}]" if ends and math.isfinite(ends[0]) else "") + role

    @property
    def beside(self) -> str:
        """Null and p of our number."""
        own, said = self.value, []
        if own and own.null_mean is not None:
            said.append(f"null {own.null_mean:.3f}" + ("" if own.null_95 is None else f" (95 % {own.null_95:.3f})"))
        if own and own.p_value is not None:
            said.append(f"p {p_text(own.p_value)}")
        return ", ".join(said)

    @property
    def n(self) -> str:
        """What it is made from."""
        return str(self.value.n) if self.value else ""

    @property
    def ours(self) -> str:
        """All of it in one line."""
        return ", ".join(text for text in (self.number, self.beside, self.n and f"n {self.n}") if text)

    @property
    def status(self) -> str:
        """With what it would take, where we have no number."""
        own = "ours" if self.ours else f"takes: {self.claim.takes}"
        first = "" if self.claim.status == "ours" else f"{self.claim.status}; "
        return first + own


@cache
def claims() -> tuple[Claim, ...]:
    """Every claim of the file, then the rows of the table of interventions.

    Raises:
        ValueError: the file has an unknown field or status, or a name twice.
    """
    content = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    found = [_claim(entry) for entry in content["claims"]]
    revised = {str(name): value for name, value in content["rows"].items()}
    for row in rows().values():
        if row.delta is not None:
            v1 = f"{row.delta:+.4g}" + (f" (p {row.p_text})" if row.p_text else "")
            found.append(
                Claim(
                    id=f"row-{row.id}", about="supervision", claim=f"row {row.id}: {row.label}", v1=v1,
                    revision=revised.get(row.id, ""), status="revised" if row.id in revised else "published",
                    note=row.note, takes=f"python -m paper interventions --rows {row.id} --run",
                )
            )  # fmt: skip
    if twice := {claim.id for claim in found if sum(other.id == claim.id for other in found) > 1}:
        raise ValueError(f"{FILE.name}: claim {sorted(twice)[0]} is there twice")
    # By part of the paper, in the order in which the parts first appear.
    parts = list(dict.fromkeys(claim.about for claim in found))
    return tuple(sorted(found, key=lambda claim: parts.index(claim.about)))


def answer(found: Found) -> list[Answer]:
    """Every claim beside our number, where one was found: on real data rather than simulated, the newest of those."""
    lines = intervention_lines(found)
    return [_answer(claim, found.results, lines) for claim in claims()]


def intervention_lines(found: Found) -> dict[str, InterventionResult]:
    """Finished rows of the tables of interventions by id; of several tables that on real data, then the newest."""
    lines: dict[str, InterventionResult] = {}
    for table in sorted(found.tables, key=lambda table: table.simulated, reverse=True):
        asked = table.entries([row for row in rows().values() if row.id in table.rows])
        lines |= {line.asked.id: line for line in compare(asked) if line.paired}
    return lines


def number_of(claim: Claim, result: Result) -> str | None:
    """Name of the one number of a result that a claim is about; None where the result has none."""
    where = claim.ours or {}
    if result.analysis != where.get("analysis") or where.get("dataset", result.dataset) != result.dataset:
        return None
    name = result.roles.get(where["role"], "") if "role" in where else where["number"]
    return name if name in result.numbers else None


def main(argv: Sequence[str]) -> int:
    """Print the claims, one line each; with ``--out`` also ``claims.json``."""
    parser = Arguments(
        "python -m paper claims",
        about="The claims of arXiv 2606.00129, one line each: v1, revision, ours, and what it would take.",
    )
    parser.add_argument("--runs", nargs="+", type=Path, metavar="DIR", help="folders with our results (runs)")
    parser.add_argument("--status", choices=get_args(Status), help="only these")
    parser.add_argument("--out", type=Path, metavar="DIR", help="write claims.json there")
    args = parser.parse_args(argv)
    answers = [a for a in answer(find(folders(args.runs))) if args.status in (None, a.claim.status)]
    about = None
    for one in answers:
        if one.claim.about != about:
            about = one.claim.about
            print(f"-- {about}")
        print(line(one))
    counts = {status: sum(a.claim.status == status for a in answers) for status in get_args(Status)}
    have = sum(bool(a.ours) for a in answers)
    print(f"\n{len(answers)} claims: {', '.join(f'{n} {name}' for name, n in counts.items() if n)}; ours beside {have}")
    if args.out:
        content = {"format": 1, "claims": [asdict(a.claim) | _own(a) for a in answers]}
        with atomic(args.out / "claims.json") as partial:
            partial.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        print(args.out / "claims.json")
    return 0


def line(one: Answer) -> str:
    """One claim in one line."""
    claim = one.claim
    said = [f"v1 {claim.v1}"] if claim.v1 else []
    said += [f"revision {claim.revision}"] if claim.revision else []
    kind = "" if one.simulated is None else " (SIMULATED)" if one.simulated else " (real)"
    said += [f"ours {one.ours}{kind}"] if one.ours else []
    said = said or [claim.note]
    return " | ".join([f"{claim.id:<22}{shorten(claim.claim, 76, placeholder=' ...')}", *said, one.status])


def _own(one: Answer) -> dict[str, Any]:
    value = None if one.value is None else finite(asdict(one.value))
    return {"ours": one.ours, "value": value, "name": one.name, "simulated": one.simulated, "source": one.source}


def _claim(entry: dict[str, Any]) -> Claim:
    if unknown := set(entry) - {field.name for field in fields(Claim)}:
        raise ValueError(f"{FILE.name}: claim {entry.get('id')} has the unknown field {sorted(unknown)[0]}")
    if entry["status"] not in get_args(Status):
        raise ValueError(f"{FILE.name}: claim {entry['id']} has status {entry['status']!r}")
    return Claim(**entry)


def _counted(claim: Claim, lines: dict[str, InterventionResult]) -> Answer:
    """How many of the paper's own rows are significant, of those that are finished; a count has no interval."""
    own = [line for name, line in lines.items() if rows()[name].group == "paper" and math.isfinite(line.measured.p)]
    if not own:
        return Answer(claim=claim)
    sign = 1 if claim.id == "rows-positive" else -1
    found = [line for line in own if (line.p_holm if claim.id == "rows-holm" else line.measured.p) < LEVEL]
    count = sum(sign * line.measured.mean > 0 for line in found)
    value = Value(value=count, n=len(own), simulated=any(line.simulated for line in own))
    return Answer(claim=claim, value=value, name=f"of {len(own)} rows", source="tables of interventions")


def _answer(claim: Claim, results: Sequence[Result], lines: dict[str, InterventionResult]) -> Answer:
    if claim.id in COUNTS:
        return _counted(claim, lines)
    if line := lines.get(claim.id.removeprefix("row-")) if claim.id.startswith("row-") else None:
        d = line.measured
        ends = (d.low, d.high) if math.isfinite(d.low) else None
        own = Value(value=d.mean, n=d.n, simulated=bool(line.simulated), p_value=d.p, interval=ends)
        return Answer(claim=claim, value=own, name="change", source=str(line.asked.treated))
    for result in results:
        if name := number_of(claim, result):
            return Answer(claim=claim, value=result.numbers[name], name=name, source=str(result.file))
    return Answer(claim=claim)
