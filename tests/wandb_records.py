"""Reads the record that an offline W&B run leaves, with W&B's own reader."""

import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path


class Record:
    """What is in one ``.wandb`` file.

    Attributes:
        run: name, group, job type, tags.
        config: all updates, merged.
        history: names of logged values and pictures.
        rows: history rows in order.
        summary: all updates, merged.
        axes: pattern of a metric -> its step metric.
    """

    def __init__(self, file: Path) -> None:
        shown = subprocess.run(
            [sys.executable, "-m", "wandb", "leet", "inspect", "--json", str(file)],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert shown.stdout, shown.stderr
        records = defaultdict(list)
        for line in shown.stdout.splitlines():
            content = json.loads(line)
            records[content["type"]].append(content.get(content["type"]) or {})
        (self.run,) = records["run"]
        self.config = self._merged(records["config"])
        self.config |= self.run.get("config", {}).get("update", {})
        self.summary = self._merged(records["summary"])
        self.rows = [entry["item"] for entry in records["history"]]
        self.history = {name.split(".")[0] for row in self.rows for name in row}
        self.axes = {m["glob_name"]: m["step_metric"] for m in records["metric"] if "glob_name" in m}

    @staticmethod
    def _merged(entries: list[dict]) -> dict:
        return {name: value for entry in entries for name, value in entry.get("update", {}).items()}


def records(folder: Path) -> list[Record]:
    """Records of the pieces of a run, in the order in which they began."""
    return [Record(file) for file in sorted(folder.glob("wandb/*run-*/*.wandb")) if "latest-run" not in str(file)]
