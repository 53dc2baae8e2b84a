"""What a command of ``python -m analysis`` is, what it hands back, and the file that becomes of it.

A command is a file in ``analysis/`` with two functions; its name is the file's, its help the first line of its
docstring. Files without them are libraries and are not listed. Flags are those of ``console.arguments.Arguments``::

    def add_arguments(parser: argparse.ArgumentParser) -> None: ...   # its own flags, beside RUN... and --out
    def main(args: argparse.Namespace) -> Findings: ...               # args.runs, args.out and its own

A command that can do without runs says ``SETTINGS = True`` and finds the flags of ``train.py fit`` that were given in
their place as ``args.settings``; one that reads data alone also says ``RUNS = False``, and works without any word.

``main`` reads run directories (``records.run.Run.load``, ``load_runs``) and prints nothing; what it returns is printed
and, with ``--out DIR``, written to ``DIR/NAME.json``.
"""

import ast
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from records.files import atomic
from records.layout import RESULT

if TYPE_CHECKING:
    from records.run import Run

FORMAT = 1
FOLDER = Path(__file__).parent
FUNCTIONS = {"add_arguments", "main"}
CALIBRATION = {"calibrate", "recover"}  # both in a file of analysis/: python -m benchmarks.calibrate finds it
BESIDE = "beside: "  # begins the name of a p-value that is known not to be uniform, such as the paper's own


@dataclass(frozen=True, kw_only=True)
class Number:
    """A number and what it must be read beside: a null, a p-value or an interval.

    Attributes:
        value: the number; NaN where it is not defined.
        n: how many (runs, pairs, stimuli) it is made from.
        simulated: whether the runs are on simulated data.
        null_mean: mean of its null.
        null_95: 95th percentile of its null.
        p_value: of the value under the null.
        interval: 95 % interval of the value.
    """

    value: float
    n: int
    simulated: bool
    null_mean: float | None = None
    null_95: float | None = None
    p_value: float | None = None
    interval: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if self.p_value is None and self.interval is None:
            raise ValueError("a number needs a p_value or an interval: without either nobody can tell it from chance")

    def as_dict(self) -> dict[str, Any]:
        """What is there, without the fields that nobody gave."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True, kw_only=True)
class Findings:
    """What a command hands back.

    Attributes:
        text: for the terminal.
        numbers: by name.
        detail: more for the JSON file, beside the numbers; a record with a ``format`` of its own keeps it. Of it the
            report of the paper reads ``dataset``, ``notes``, ``published`` (number to v1, revision and note) and
            ``roles`` (what a number is to its name, where names follow from the runs at hand).
    """

    text: str
    numbers: Mapping[str, Number]
    detail: Mapping[str, Any] = field(default_factory=dict)

    def save(self, folder: Path, *, name: str) -> Path:
        """Write ``NAME.json`` into the folder, which is made; what is not finite becomes null."""
        numbers = {key: number.as_dict() for key, number in self.numbers.items()}
        folder.mkdir(parents=True, exist_ok=True)
        content = {"format": FORMAT, **self.detail, "analysis": name, "numbers": numbers}
        with atomic(folder / f"{name}.json") as partial:
            partial.write_text(json.dumps(finite(content), indent=2, allow_nan=False) + "\n", encoding="utf-8")
        return folder / f"{name}.json"


def commands() -> dict[str, str]:
    """Names of the commands and the first lines of their docstrings, read from the source: nothing is imported."""
    return _files_with(FUNCTIONS)


def calibrations() -> dict[str, str]:
    """The same of the files that bring null and planted cohorts of their own; see ``benchmarks/calibrate.py``."""
    return _files_with(CALIBRATION)


def _files_with(functions: set[str]) -> dict[str, str]:
    found = {}
    for path in sorted(FOLDER.glob("*.py")):
        try:
            tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
        except SyntaxError as error:  # one bad file must not hide the others
            found[path.stem] = f"cannot be read: line {error.lineno}, {error.msg}"
            continue
        if {node.name for node in tree.body if isinstance(node, ast.FunctionDef)} >= functions:
            found[path.stem] = (ast.get_docstring(tree) or "").split("\n")[0]
    return found


def runs_in(paths: Sequence[Path]) -> "list[Run]":
    """The finished runs of some paths, each a run directory or a folder with runs at any depth; each run once.

    Raises:
        FileNotFoundError: no such folder, or no finished run in it.
    """
    from records.run import Run

    found: dict[Path, Run] = {}
    for path in paths:
        if not path.is_dir():
            raise FileNotFoundError(f"no folder {path}; name a run directory, or a folder of runs")
        folders = [path] if (path / RESULT).is_file() else sorted(file.parent for file in path.rglob(RESULT))
        if not folders:
            raise FileNotFoundError(f"no finished run in {path} (no {RESULT}); train one, or name another folder")
        found |= {folder.resolve(): Run.load(folder) for folder in folders if folder.resolve() not in found}
    return list(found.values())


def finite(value: Any) -> Any:
    """JSON has no NaN: what is not finite becomes null."""
    if isinstance(value, Mapping):
        return {key: finite(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
