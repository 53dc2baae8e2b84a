"""Recording_info.csv of FACED: cohort, rate, unit and person of each recording."""

import csv
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Recording:
    """A row of Recording_info.csv.

    Attributes:
        cohort: 1 or 2; the cohorts differ in raw channel order.
        sampling_rate: of the raw recording, Hz.
        gender: F or M.
        age: years.
        unit: V or uV, as stated; the signal's size is more reliable.
    """

    cohort: int
    sampling_rate: int
    gender: str
    age: int
    unit: str


def recording_info(root: str | Path) -> dict[str, Recording]:
    """Recording_info.csv by subject; copes with its byte-order mark and blanks in its header.

    Raises:
        ValueError: a column is missing.
    """
    path = Path(root) / "Recording_info.csv"
    with open(path, encoding="utf-8-sig", newline="") as file:
        rows = [{key.strip(): value.strip() for key, value in row.items() if key} for row in csv.DictReader(file)]
    missing = {"sub", "Cohort", "Sample_rate", "Gender", "Age", "Unit"} - set(rows[0] if rows else ())
    if missing:
        raise ValueError(f"{path}: no column {', '.join(sorted(missing))}; get the file again")
    return {
        row["sub"]: Recording(
            cohort=int(row["Cohort"]),
            sampling_rate=int(float(row["Sample_rate"])),
            gender=row["Gender"],
            age=int(float(row["Age"])),
            unit=row["Unit"],
        )
        for row in rows
        if row["sub"]
    }
