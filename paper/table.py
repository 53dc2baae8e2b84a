"""The record of a table of interventions (which runs belong to which row), and its rendering from finished runs."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from analysis import dose_curves
from analysis import interventions_text as forest_text
from analysis.interventions import Intervention, InterventionResult, compare
from analysis.interventions_figure import forest
from analysis.verdict_figures import png
from paper.rows import GROUPS, PublishedRow, curves, rows
from records import checksums
from records.files import atomic
from records.reading import read_json, refusing

FORMAT = 1
NAME = "table.json"


@dataclass(kw_only=True)
class Table:
    """One table: rows of one base setting, with the folders of their runs.

    Attributes:
        folder: where the record and the renderings lie.
        data: name of the data.
        simulated: whether nobody was recorded.
        epochs: length of a run.
        command: that made it.
        rows: by id: ``control`` and ``treated`` (folders), ``seeds``, or ``problem``; and a ``note``.
    """

    folder: Path
    data: str
    simulated: bool
    epochs: int
    command: str
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def load(cls, folder: Path) -> "Table":
        """Read the record.

        Raises:
            FileNotFoundError: there is none.
            ValueError: it is broken or of another version.
        """
        file = folder / NAME
        if not file.exists():
            raise FileNotFoundError(f"no {NAME} in {folder}; make it with: python -m paper interventions --run")
        remedy = "delete it and run the rows again: runs that are finished are kept"
        content = checksums.unsealed(read_json(file, remedy=remedy), file=file, remedy=remedy)
        if content.pop("format", None) != FORMAT:
            raise ValueError(f"{file} is of another version; {remedy}")
        with refusing(file, what="the record of a table", remedy=remedy):
            return cls(folder=folder, **content)

    def save(self) -> None:
        """Write the record."""
        content = {"format": FORMAT, **{name: value for name, value in vars(self).items() if name != "folder"}}
        with atomic(self.folder / NAME) as partial:
            partial.write_text(json.dumps(checksums.sealed(content), indent=1) + "\n", encoding="utf-8")

    def add(self, row: PublishedRow, *, control: Path, treated: Path, seeds: Sequence[int], note: str = "") -> None:
        """Note the runs of a row; the seeds of an earlier call stay if the runs are the same."""
        before = self.rows.get(row.id, {})
        arms = {"control": self._relative(control), "treated": self._relative(treated)}
        same = all(before.get(name) == path for name, path in arms.items())
        union = dict.fromkeys([*(before.get("seeds", ()) if same else ()), *seeds])
        self.rows[row.id] = {**arms, "seeds": list(union), "note": note}

    def entries(self, chosen: Sequence[PublishedRow]) -> list[Intervention]:
        """What was asked for, row by row, beside what was published."""
        return [self._entry(row) for row in chosen]

    def _entry(self, row: PublishedRow) -> Intervention:
        known = self.rows.get(row.id, {})
        paths = {arm: (self.folder / known[arm]).resolve() if arm in known else None for arm in ("control", "treated")}
        return Intervention(
            id=row.id,
            label=row.label,
            group=row.group,
            family=row.family,
            baseline=paths["control"],
            treated=paths["treated"],
            seeds=tuple(known.get("seeds", ())),
            delta=row.delta,
            p_text=row.p_text,
            problem=known.get("problem", ""),
            note="; ".join(text for text in (known.get("note"), row.note) if text),
        )

    def _relative(self, path: Path) -> str:
        return os.path.relpath(path.resolve(), self.folder.resolve())


def render(table: Table, chosen: Sequence[PublishedRow]) -> str:
    """Write the table and the dose curves as CSV, LaTeX and pictures beside the record; return it for a terminal."""
    shown = [row for row in chosen if row.group != "dose"]
    lines = compare(table.entries(shown))
    dose_ids = {point.row for curve in curves() for point in curve.points}
    doses = {
        line.asked.id: line for line in compare(table.entries([rows()[name] for name in rows() if name in dose_ids]))
    }
    simulated = " (SIMULATED)" if table.simulated else ""
    title = f"Interventions on {table.data}{simulated}, {table.epochs} epochs a run, beside arXiv 2606.00129"
    files = {"table.csv": forest_text.to_csv(lines).encode(), "doses.csv": dose_curves.to_csv(curves(), doses).encode()}
    files["table.tex"] = forest_text.latex(lines, caption=title, headings=GROUPS).encode()
    files["forest.png"] = png(forest(lines, title=title, headings=GROUPS))
    files["doses.png"] = png(dose_curves.picture(curves(), doses))
    for name, content in files.items():
        with atomic(table.folder / name) as partial:
            partial.write_bytes(content)
    notes = _doses_missing([doses[row.id] for row in chosen if row.group == "dose"])
    text = forest_text.terminal(lines, title=title, headings=GROUPS) if shown else title
    return "\n".join([text, *notes, "", f"{', '.join(files)} in {table.folder}/"])


def _doses_missing(lines: Sequence[InterventionResult]) -> list[str]:
    finished = sum(bool(line.paired) for line in lines)
    return [f"Dose curves: {finished} of the {len(lines)} runs beside the rows above are finished."] if lines else []
