"""``make bench``: one table of ours, of what users do today and of the limit, all measured in this run.

``python -m benchmarks.table [--only loading,step] [--quick] [--out FILE.md]``. A part is a benchmark that has
``rows()`` or ``costs()``, or one whose printed lines ``benchmarks.printed`` reads; a new one is added to ``PARTS``.
Each runs in processes of its own, one thread each, and one that fails leaves a line and not an empty table. Ratios are
what to compare: the machine is the same on both sides, and nothing else is from one machine to the next.
"""

import argparse
import importlib
import json
import os
import platform
import re
import subprocess
import sys
import time
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path

from benchmarks.rows import Cost, Row, number
from records.files import atomic

PARTS = (
    *("loading", "preprocessing", "start", "step", "step_skorch", "networks"),
    *("vaxis", "sweeps", "floor", "runs", "gpu_runs"),
)
ROOT = Path(__file__).resolve().parents[1]
SECONDS = 1800  # that a part may take on a machine that does other things as well
# What this table cannot say without one: rows by how they begin, and the command of those that it never has.
GPU = {
    "a training step on a GPU": "python -m benchmarks.step --device cuda",
    "runs on one GPU": "python -m benchmarks.gpu_runs",
    "training steps of encoders on a GPU": "python -m benchmarks.networks --device cuda",
    "texts read by a language model on a GPU": "python -m vaxis agree --device cuda",
}


def part(name: str, *, quick: bool) -> tuple[list[Row], list[Cost]]:
    """The rows and costs of one benchmark.

    Args:
        name: of its file.
        quick: as small as it goes; the numbers mean nothing.
    """
    from benchmarks import printed

    module = importlib.import_module(f"benchmarks.{name}")
    reader = getattr(printed, name, None)
    rows = reader(quick=quick) if reader else module.rows(quick=quick) if hasattr(module, "rows") else []
    return rows, module.costs(quick=quick) if hasattr(module, "costs") else []


def measured(name: str, *, quick: bool) -> tuple[list[Row], list[Cost], str]:
    """``part`` in a process of its own, and the last line of its error where it failed."""
    command = [sys.executable, "-m", "benchmarks.table", "--part", name, *(["--quick"] if quick else [])]
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=os.environ | {"OMP_NUM_THREADS": "1", "WANDB_MODE": "disabled"},
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return [], [], f"{name}: not done after {SECONDS} s"
    if done.returncode:
        return [], [], f"{name}: {(done.stderr.strip().splitlines() or ['no message'])[-1]}"
    found = json.loads(done.stdout.splitlines()[-1])
    by_size = [Cost(**{**c, "sizes": tuple(c["sizes"]), "seconds": tuple(c["seconds"])}) for c in found["costs"]]
    return [Row(**row) for row in found["rows"]], by_size, ""


def markdown(rows: list[Row], costs: list[Cost], problems: list[str]) -> str:
    """The table."""
    lines = [
        f"{time.strftime('%Y-%m-%d')}, {machine()}; one thread, both sides and the limit in one run.",
        "",
        "| | ours | today | limit | unit | ours / today | of the limit | against what |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        ratio = "-" if row.ratio is None else f"{row.ratio:.2f} x"
        share = "-" if row.of_limit is None else f"{row.of_limit:.0%}"
        three = " | ".join(number(value) for value in (row.ours, row.today, row.limit))
        against = "; ".join(word for word in (row.today_is, row.limit_is, row.note) if word)
        lines.append(f"| {row.what} | {three} | {row.unit} | {ratio} | {share} | {against} |")
    lines += [
        f"| {what} | unmeasured | - | - | - | - | - | on a GPU: `{how}` |"
        for what, how in GPU.items()
        if not any(row.what.startswith(what) for row in rows)
    ]
    if costs:
        lines += ["", "| cost by size (processor time; 1 = twice as long for twice as many) | sizes | exponent |"]
        lines += ["|---|---|---|"]
        lines += [f"| {c.what}, by {c.by} | {', '.join(map(str, c.sizes))} | {c.exponent:.2f} |" for c in costs]
    return "\n".join([*lines, *(f"\nNot measured: {problem}" for problem in problems)])


def machine() -> str:
    """Processor, cores and PyTorch, in words."""
    from importlib.metadata import version

    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.M)
    except OSError:
        found = None
    name = found[1] if found else platform.processor() or platform.machine()
    busy = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return f"{name}, {os.cpu_count()} cores{busy}, torch {version('torch')}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", metavar="NAMES", help=f"of {', '.join(PARTS)}; all by default")
    parser.add_argument("--quick", action="store_true", help="as small as it goes, to see that it runs")
    parser.add_argument("--out", type=Path, metavar="FILE.md", help="also write the table there")
    parser.add_argument("--part", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.part:
        own, by_size = part(args.part, quick=args.quick)
        print(json.dumps({"rows": [asdict(row) for row in own], "costs": [asdict(cost) for cost in by_size]}))
        return 0
    names = args.only.split(",") if args.only else [name for name in PARTS if find_spec(f"benchmarks.{name}")]
    if unknown := sorted(set(names) - set(PARTS)):
        parser.error(f"--only {','.join(unknown)}: choose from {', '.join(PARTS)}")
    rows: list[Row] = []
    costs: list[Cost] = []
    problems: list[str] = []
    for name in names:
        started = time.perf_counter()
        more, by_size, problem = measured(name, quick=args.quick)
        rows, costs, problems = rows + more, costs + by_size, problems + ([problem] if problem else [])
        if args.out:  # after each part, so that a table that is stopped keeps what it has
            with atomic(args.out) as partial:
                partial.write_text(markdown(rows, costs, problems) + "\n", encoding="utf-8")
        print(f"{name}: {problem or 'done'} ({time.perf_counter() - started:.0f} s)", file=sys.stderr, flush=True)
    print(markdown(rows, costs, problems))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
