"""Time to read finished runs by their number: ``python -m benchmarks.runs [--most 64]``, made-up run directories."""

import argparse
import tempfile
import time
from pathlib import Path

from benchmarks.rows import Cost
from records.run import load_runs
from tests.finished_runs import write_run


def costs(*, quick: bool = False, most: int = 64) -> list[Cost]:
    """Opening runs with their scores, settings, epochs and predictions; the fastest of three rounds."""
    sizes = (2, 4, 8) if quick else (most // 4, most // 2, most)
    seconds = []
    for count in sizes:
        with tempfile.TemporaryDirectory() as name:
            for seed in range(count):
                write_run(Path(name), seed=seed)
            seconds.append(min(_read(Path(name)) for _ in range(1 if quick else 3)))
    return [Cost(what="finished runs read", by="runs", sizes=sizes, seconds=tuple(seconds))]


def _read(folder: Path) -> float:
    started = time.process_time()
    for run in load_runs(folder):
        run.metrics, run.settings, run.predictions("test")
    return time.process_time() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--most", type=int, default=64, help="runs; also half and a quarter of them")
    (cost,) = costs(most=parser.parse_args().most)
    for size, seconds in zip(cost.sizes, cost.seconds):
        print(f"{size:5} runs  {1e3 * seconds:8.1f} ms")
    print(f"exponent {cost.exponent:.2f}")


if __name__ == "__main__":
    main()
