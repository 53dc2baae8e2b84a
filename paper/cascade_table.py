"""The ladder as a table and a picture: accuracy of each rung, its step, the votes, beside the published numbers."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.base import finite
from analysis.canvas import CHANCE, WITH, empty, png, styled
from analysis.pools import pool
from measures.outcome import judged
from measures.paired import paired
from measures.votes import Blend
from paper.recipes import rungs, title, votes
from records.files import atomic
from records.run import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from paper.cascade import Trained

FORMAT = 1
HEAD = f"{'rung':<30}{'epochs':>7}{'published':>11}{'ours':>8}  {'95 % interval':<17}{'step, paired by seed':<28}"


def tabulate(trained: "Sequence[Trained]", *, seeds: Sequence[int], folder: Path, command: str) -> str:
    """Write ``cascade.json``, ``cascade.md`` and ``cascade.png``; returns the table for the terminal.

    Args:
        trained: rungs with finished runs.
        seeds: of the runs.
        folder: where the files go.
        command: that made it.
    """
    runs = {rung.id: [Run.load(rung.arm.run_dir(seed)) for seed in seeds] for rung in trained}
    rows = _rungs(trained, runs) + _votes(runs)
    simulated = any(run.result["simulated"] for own in runs.values() for run in own)
    content = {"format": FORMAT, "analysis": "cascade", "command": command, "simulated": simulated,
               "seeds": list(seeds), "rows": rows}  # fmt: skip
    with atomic(folder / "cascade.json") as partial:
        partial.write_text(json.dumps(finite(content), indent=1, allow_nan=False) + "\n", encoding="utf-8")
    with atomic(folder / "cascade.md") as partial:
        partial.write_text(_markdown(rows, simulated=simulated), encoding="utf-8")
    with atomic(folder / "cascade.png") as partial:
        partial.write_bytes(png(ladder(rows, simulated=simulated)))
    note = ["SIMULATED data: this checks the machinery and says nothing about brains."] if simulated else []
    foot = f"A rung's interval is over {len(seeds)} seeds (t), a vote's over people; steps are paired by seed."
    return "\n".join([title(), *note, HEAD, *map(_line, rows), foot, f"\nwritten  {folder}/cascade.json, .md, .png"])


def _rungs(trained: "Sequence[Trained]", runs: dict[str, list[Run]]) -> list[dict[str, Any]]:
    """A row a rung; the step of a rung is its difference from the one before, seed by seed."""
    found: list[dict[str, Any]] = []
    before: list[float] | None = None
    published = {step.id: step for step in rungs()}
    for rung in trained:
        own, step = [run.score("balanced_accuracy") for run in runs[rung.id]], published[rung.id]
        row = {"label": rung.label, "epochs": rung.epochs, "published": step.published, "published_sd": step.sd}
        row |= {"source": step.source, "value": float(np.mean(own)), "interval": _interval(own), "n": len(own)}
        if before is not None:
            difference = paired(before, own)
            row |= {"step": difference.mean, "step_interval": (difference.low, difference.high),
                    "step_p": difference.p, "outcome": judged(difference).outcome}  # fmt: skip
        found.append(row)
        before = own
    return found


def _votes(runs: dict[str, list[Run]]) -> list[dict[str, Any]]:
    """A row a vote; one that needs more runs than there are says so."""
    found = []
    for vote in votes():
        row: dict[str, Any] = {"label": vote.label, "published": vote.published, "source": vote.source}
        if short := {rung: count for rung, count in vote.of.items() if count > len(runs[rung])}:
            row["missing"] = f"needs {max(short.values())} seeds: --seeds"
        else:
            members = pool([run for rung in vote.of for run in runs[rung]]).votes["test"]
            start, groups = 0, {}
            for rung in vote.of:
                groups[rung] = list(range(start, start + len(runs[rung])))
                start += len(runs[rung])
            estimate = members.over_people(Blend(groups, vote.of).hits(members))
            row |= {"value": estimate.value, "interval": (estimate.low, estimate.high), "n": estimate.n}
        found.append(row)
    return found


def _interval(values: Sequence[float]) -> tuple[float, float]:
    """95 % t interval of a mean; NaN for one value."""
    from scipy import stats

    if len(values) < 2:
        return math.nan, math.nan
    half = float(stats.t.ppf(0.975, len(values) - 1)) * float(np.std(values, ddof=1)) / math.sqrt(len(values))
    return float(np.mean(values)) - half, float(np.mean(values)) + half


def _line(row: dict[str, Any]) -> str:
    published = f"{row['published']:.4f}" if row["published"] is not None else "-"
    epochs = row.get("epochs", "")
    if "missing" in row:
        return f"{row['label']:<30}{epochs:>7}{published:>11}        {row['missing']}"
    step = ""
    if "step" in row:
        step = f"{row['step']:+.3f} {_span(row['step_interval'], '+.3f')} {row['outcome']}"
    return (
        f"{row['label']:<30}{epochs:>7}{published:>11}{row['value']:>8.3f}  {_span(row['interval'], '.3f'):<17}{step}"
    )


def _span(interval: tuple[float, float], form: str) -> str:
    low, high = interval
    return f"[{low:{form}}, {high:{form}}]" if math.isfinite(low) else "[one run]"


def _markdown(rows: Sequence[dict[str, Any]], *, simulated: bool) -> str:
    head = ["| rung or vote | published | ours | 95 % interval | step |", "|---|---|---|---|---|"]
    lines = []
    for row in rows:
        published = "-" if row["published"] is None else f"{row['published']:.4f}"
        ours, interval = (
            ("-", row["missing"]) if "missing" in row else (f"{row['value']:.3f}", _span(row["interval"], ".3f"))
        )
        step = f"{row['step']:+.3f} {_span(row['step_interval'], '+.3f')}, {row['outcome']}" if "step" in row else ""
        lines.append(f"| {row['label']} | {published} | {ours} | {interval} | {step} |")
    note = ["", "Ours is SIMULATED."] if simulated else []
    return "\n".join([*head, *lines, *note]) + "\n"


@styled
def ladder(rows: Sequence[dict[str, Any]], *, simulated: bool) -> "Figure":
    """Rungs and votes from top to bottom: ours with its interval, the published number as a mark."""
    figure, (ax,) = empty(1, 1, width=8, height=0.36 * len(rows) + 1.4)
    for y, row in enumerate(rows):
        if row["published"] is not None:
            ax.plot(row["published"], y, "|", color=CHANCE, markersize=14, markeredgewidth=2,
                    label="published, on FACED" if y == 0 else None)  # fmt: skip
        if "value" in row:
            low, high = row["interval"]
            if math.isfinite(low):
                ax.hlines(y, low, high, color=WITH)
            ax.plot(row["value"], y, "D", color=WITH, label="ours, 95 % interval" if y == 0 else None)
    ax.set_yticks(range(len(rows)), [row["label"] for row in rows])
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.set_xlabel("test balanced accuracy")
    ax.set_title("Simulated data: the ladder and its votes" if simulated else "The ladder and its votes")
    figure.legend(loc="outside lower center", ncols=2)
    return figure
