"""One run against ten as a table, claim by claim with the cohorts that break it, and as a picture."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from analysis.base import finite
from analysis.canvas import png
from measures.people import Crossed
from measures.votes import Estimate
from paper.one_run_figure import bars, worlds
from paper.one_run_plan import Cohort, Way
from paper.one_run_scores import Tried, against, against_plain, over_people, tried
from records.files import atomic

FORMAT = 1
TEN = 10
NOTE = "SIMULATED data: this checks the machinery and says nothing about brains."
WHY = {
    "kappa": "kappa between runs",
    "person": "person from h",
    "class_pc1": "class PC1 |r|",
    "within_class_residual": "residual |r|",
    "effective_rank": "effective rank",
}


@dataclass(frozen=True, kw_only=True)
class Line:
    """One arm, or one vote, over the cohorts of a world.

    Attributes:
        world: its name.
        id: of the arm; ``vote 10`` of a vote of plain runs.
        label: for people.
        units: of compute.
        transductive: looks at unlabelled test people.
        value: accuracy, mean over cohorts.
        minus_ten: less the vote of ten plain runs, mean over the cohorts that have one.
        minus_plain: less one plain run.
        low, high: 95 % interval of ``minus_ten`` over cohorts; over seeds and people where there is one cohort.
        cohorts: by number: difference from ten, its interval over seeds and people, and the accuracy.
        why: measures of the features, mean over cohorts.
    """

    world: str
    id: str
    label: str
    units: float
    transductive: bool
    value: float
    minus_ten: float
    minus_plain: float
    low: float
    high: float
    cohorts: dict[int, dict[str, float]]
    why: dict[str, float]

    @property
    def fails(self) -> list[int]:
        """Cohorts in which ten plain runs are ahead."""
        return [number for number, found in self.cohorts.items() if found["minus_ten"] <= 0]


def tabulate(
    cohorts: Sequence[Cohort],
    asked: dict[str, list[Way]],
    *,
    seeds: Sequence[int],
    fewer: int,
    folder: Path,
    command: str,
) -> str:
    """Write ``one_run.json``, ``.md`` and ``.png``; returns the table for the terminal.

    Args:
        cohorts: with finished runs.
        asked: the arms of each world.
        seeds: of the plain arm.
        fewer: of the others.
        folder: where the files go.
        command: that made it.
    """
    found: dict[str, dict[int, dict[str, Tried]]] = {}
    for cohort in cohorts:
        own = tried(cohort, asked[cohort.world], seeds=seeds, fewer=fewer)
        if "plain" in own:
            found.setdefault(cohort.world, {})[cohort.number] = own
    if not found:
        raise ValueError("no cohort has a finished plain run yet; train with --run")
    simulated = any(cohort.simulated for cohort in cohorts)
    return written(found, folder=folder, command=command, simulated=simulated)


def written(
    found: dict[str, dict[int, dict[str, Tried]]], *, folder: Path, command: str, simulated: bool, name: str = "one_run"
) -> str:
    """The table of what was tried in each cohort of each world, and its files.

    Args:
        found: world to cohort to arm.
        folder: where the files go.
        command: that made it.
        simulated: nobody was recorded.
        name: of the files.
    """
    lines = [line for world, own in found.items() for line in _lines(world, own)]
    text = "\n".join(_page(found, lines, simulated=simulated))
    content = {"format": FORMAT, "command": command, "simulated": simulated, "lines": [asdict(line) for line in lines]}
    files = {
        f"{name}.json": (json.dumps(finite(content), indent=1, allow_nan=False) + "\n").encode(),
        f"{name}.md": (text + "\n").encode(),
        f"{name}.png": png(bars(lines, simulated=simulated)),
    }
    if len(found) > 1:
        files[f"{name}_worlds.png"] = png(worlds(lines, simulated=simulated))
    for file, value in files.items():
        with atomic(folder / file) as partial:
            partial.write_bytes(value)
    return f"{text}\n\nwritten  {', '.join(files)} in {folder}"


def _lines(world: str, cohorts: dict[int, dict[str, Tried]]) -> list[Line]:
    """Votes of plain runs first, then the arms in their order."""
    lines = []
    for size in (5, TEN):
        votes = {n: own["plain"].votes[size] for n, own in cohorts.items() if size in own["plain"].votes}
        if votes:
            way = Way(id=f"vote {size}", label=f"vote of {size} plain", units=size)
            lines.append(_line(world, way, {n: (v[None], None) for n, v in votes.items()}, cohorts))
    for way in {way.id: way for own in cohorts.values() for way in [t.way for t in own.values()]}.values():
        own: dict[int, tuple[np.ndarray, Tried | None]] = {
            n: (found[way.id].alone, found[way.id]) for n, found in cohorts.items() if way.id in found
        }
        if not way.hidden:
            lines.append(_line(world, way, own, cohorts))
    return lines


def _line(
    world: str, way: Way, own: dict[int, tuple[np.ndarray, Tried | None]], cohorts: dict[int, dict[str, Tried]]
) -> Line:
    table: dict[int, dict[str, float]] = {}
    for number, (alone, one) in own.items():
        plain = cohorts[number]["plain"]
        table[number] = {"value": float(alone.mean()), "minus_plain": float(alone.mean()) - plain.value}
        if one is not None and one is not plain and (paired := against_plain(one, plain)) is not None:
            table[number]["minus_plain"] = paired.mean
        if TEN in plain.votes:
            ten = plain.votes[TEN]
            difference = against(one, ten) if one is not None else over_people(alone[0] - ten)
            table[number] |= _interval(difference)
    have = [t for t in table.values() if "minus_ten" in t]
    mean, low, high = _over_cohorts(have)
    whys = [one.why for _, one in own.values() if one is not None and one.why]
    return Line(
        world=world, id=way.id, label=way.label, units=way.units, transductive=way.transductive,
        value=float(np.mean([t["value"] for t in table.values()])), minus_ten=mean,
        minus_plain=float(np.mean([t["minus_plain"] for t in table.values()])), low=low, high=high,
        cohorts={n: t for n, t in table.items() if "minus_ten" in t},
        why={name: float(np.mean([why[name] for why in whys])) for name in (whys[0] if whys else {})},
    )  # fmt: skip


def _interval(difference: Crossed | Estimate) -> dict[str, float]:
    value = difference.mean if isinstance(difference, Crossed) else difference.value
    return {"minus_ten": value, "low": difference.low, "high": difference.high}


def _over_cohorts(found: Sequence[dict[str, float]]) -> tuple[float, float, float]:
    """Mean difference from ten and its t interval over cohorts; of one cohort that over seeds and people."""
    if not found:
        return math.nan, math.nan, math.nan
    values = np.array([t["minus_ten"] for t in found])
    if len(values) == 1:
        return found[0]["minus_ten"], found[0]["low"], found[0]["high"]
    error = float(values.std(ddof=1) / len(values) ** 0.5)
    whole = Estimate.of(float(values.mean()), [(error, len(values) - 1)])
    return whole.value, whole.low, whole.high


def _page(found: dict[str, dict[int, dict[str, Tried]]], lines: Sequence[Line], *, simulated: bool) -> list[str]:
    page = [NOTE, ""] if simulated else []
    for world, cohorts in found.items():
        own = [line for line in lines if line.world == world]
        page += [f"## {world}: {len(cohorts)} cohort{'s' if len(cohorts) > 1 else ''}", ""]
        page += [
            "| arm | units | test | minus one plain | minus ten plain [95 %] | by cohort |",
            "|---|---|---|---|---|---|",
            *map(_row, own),
            "",
        ]
        page += [*_claims(own), *_chosen(cohorts), *_clips(cohorts), ""]
        page += [*why, ""] if (why := _why(own)) else []
    page.append(
        "An interval over several cohorts is a t interval over them, one of a single cohort is over seeds and people. "
        "By cohort: * surely ahead of ten, - surely behind: the interval over seeds and people leaves zero. "
        "(t) transductive."
    )
    return page


def _row(line: Line) -> str:
    each = [f"{n}: {t['minus_ten']:+.3f}{'*' if t['low'] > 0 else '-' if t['high'] < 0 else ''}"
            for n, t in line.cohorts.items()]  # fmt: skip
    ten = "" if line.id == "vote 10" or not each else f"{line.minus_ten:+.3f} [{line.low:+.3f}, {line.high:+.3f}]"
    cells = (f"{line.label}{' (t)' if line.transductive else ''}", f"{line.units:g}", f"{line.value:.3f}")
    plain = "" if line.id == "plain" else f"{line.minus_plain:+.3f}"
    return "| " + " | ".join([*cells, plain, ten, ", ".join(each) if ten else ""]) + " |"


def _claims(lines: Sequence[Line]) -> list[str]:
    """For each way to spend the compute of one or two runs: is it ahead of ten, how surely, and where not?"""
    said = []
    for line in lines:
        if line.units > 2 or line.id == "plain" or not line.cohorts:
            continue
        n, ahead = len(line.cohorts), len(line.cohorts) - len(line.fails)
        sure = sum(found["low"] > 0 for found in line.cohorts.values())
        where = f"; not in cohort {', '.join(map(str, line.fails))}" if line.fails and ahead else ""
        also = " (transductive)" if line.transductive else ""
        said.append(f"- One run, {line.label}{also}: ahead of ten in {ahead} of {n} cohorts, surely in {sure}{where}.")
    return said


def _chosen(cohorts: dict[int, dict[str, Tried]]) -> list[str]:
    """The arm that validation people would have picked, at one unit and at two, and what it does on test people."""
    said = []
    for most in (1, 2):
        picked = []
        for number, own in cohorts.items():
            fair = [t for t in own.values() if t.way.units <= most and not t.way.transductive and not t.way.hidden
                    and not t.way.kept]  # fmt: skip
            best = max(fair, key=lambda t: t.validation.mean())
            ten = own["plain"].votes.get(TEN)
            gap = f", {float(best.alone.mean() - ten.mean()):+.3f} against ten" if ten is not None else ""
            picked.append(f"{number}: {best.way.label} ({best.value:.3f}{gap})")
        said.append(f"- Chosen on validation people within {most} unit{'s' * (most > 1)}: {'; '.join(picked)}.")
    return said


def _clips(cohorts: dict[int, dict[str, Tried]]) -> list[str]:
    """Seen and new clips of the arms that were run on the split that holds clips back, and what each gains there."""
    found: dict[str, dict[int, tuple[float, float]]] = {}
    for number, arms in cohorts.items():
        for one in arms.values():
            if one.clips:
                found.setdefault(one.way.label.removesuffix(", new clips"), {})[number] = one.clips
    rows = []
    for name, own in found.items():
        seen, new = (np.mean([both[side] for both in own.values()]) for side in (0, 1))
        plain = {n: both[1] for n, both in found.get("plain", {}).items() if n in own and name != "plain"}
        _, low, high = _over_cohorts([{"minus_ten": own[n][1] - at, "low": math.nan, "high": math.nan}
                                      for n, at in plain.items()])  # fmt: skip
        each = ", ".join(f"{n}: {own[n][1] - at:+.3f}" for n, at in plain.items())
        interval = f" [{low:+.3f}, {high:+.3f}]" if math.isfinite(low) else ""
        rows.append(f"| {name} | {seen:.3f} | {new:.3f} | {each}{interval} |")
    head = [
        "",
        "| clips held back | seen clips | new clips | on new clips minus plain, by cohort [95 % over cohorts] |",
    ]
    return [*head, "|---|---|---|---|", *rows] if rows else []


def _why(lines: Sequence[Line]) -> list[str]:
    rows = [line for line in lines if line.why]
    if not rows:
        return []
    head = ["| why | " + " | ".join(WHY.values()) + " |", "|---|" + "---|" * len(WHY)]
    return head + [f"| {r.label} | " + " | ".join(f"{r.why[name]:.2f}" for name in WHY) + " |" for r in rows]
