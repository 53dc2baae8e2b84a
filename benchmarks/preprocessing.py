"""FACED's raw files to a store: this project against the script that most people write, in one run.

``python -m benchmarks.preprocessing [--people 8] [--rounds 3]``. Files of the real size (28 clips of 32 x 7500 float64,
a pickle a person) of noise, read from the page cache. The script (``by_hand``) unpickles, resamples to 200 Hz, cuts and
saves as float32; it checks nothing. Ours refuses what is no array, looks for values that are not finite, digests the
files by content, takes statistics and checksums, can be killed at any time, and ends with everything on the disk. The
sides take turns and the fastest round of each counts, by the clock and in processor time of all processes.
"""

import argparse
import os
import pickle
import resource
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from scipy.signal import resample

from benchmarks.rows import Cost, Row, line
from datamodules import checksums
from datamodules.content import digests
from datamodules.faced_files import read_pieces
from datamodules.filling import peak_memory, stored
from datamodules.plausibility import People
from datamodules.trials import Trials

PIECES: dict[str, Any] = {"features": "raw", "channels": 32, "seconds": 10, "sampling_rate": 200}


def write_people(folder: Path, count: int) -> list[Path]:
    """Random walks without their mean, tens of microvolt, as FACED ships its signals."""
    rng, paths = np.random.default_rng(0), [folder / f"sub{number:03d}.pkl" for number in range(count)]
    for path in paths:
        signal = np.cumsum(0.5 * rng.standard_normal((28, 32, 7500)), axis=-1)
        with open(path, "wb") as file:
            pickle.dump(signal - signal.mean(axis=-1, keepdims=True), file, protocol=4)
    return paths


def by_hand(path: Path, out: Path) -> None:
    """One person, as in the scripts of arXiv 2412.07236 but with an array in the place of a database."""
    with open(path, "rb") as file:
        values = pickle.load(file)
    values = resample(values, 6000, axis=-1).reshape(28, 32, 3, 2000).swapaxes(1, 2).reshape(84, 32, 2000)
    np.save(out / f"{path.stem}.npy", values.astype(np.float32))


def script(paths: list[Path], out: Path, *, workers: int = 1) -> None:
    """All people by hand."""
    if workers == 1:
        for path in paths:
            by_hand(path, out)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        list(pool.map(by_hand, paths, [out] * len(paths)))


def ours(paths: list[Path], out: Path, *, workers: int = 1) -> None:
    """All people into a store; no digest is remembered from another round."""
    # Brings torch along, which processes that preprocess do without; they import this file, as they do ``train.py``.
    from datamodules.store import Recipe, build

    clips = np.repeat(np.arange(28), 3)
    names = tuple(path.stem for path in paths)
    table = Trials.of_clips([clips] * len(paths), subjects=names, class_of=tuple(range(28)))
    with mock.patch.dict(os.environ, VAXIS_CACHE=str(out)):
        recipe = Recipe(
            dataset="bench",
            trials=table,
            shape=(32, 2000),
            sources=tuple((path,) for path in paths),
            read=partial(read_pieces, **PIECES),
            parameters={},
            raw=True,
        )
        build(recipe, cache=out, workers=0 if workers == 1 else workers, verify="off")


def limit(paths: list[Path], out: Path) -> None:
    """Only the bytes: in as they are, out as many as a store has."""
    trials = np.zeros((84, 32, 2000), dtype=np.float32)
    for path in paths:
        path.read_bytes()
        np.save(out / f"{path.stem}.npy", trials)


def measured(action: Callable[[list[Path], Path], None], paths: list[Path]) -> tuple[float, float]:
    """Seconds by the clock and of all processors."""
    with tempfile.TemporaryDirectory() as out:
        wall, used = time.perf_counter(), _processor()
        action(paths, Path(out))
        return time.perf_counter() - wall, _processor() - used


def _processor() -> float:
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in spent)


def best(actions: dict[str, Callable], paths: list[Path], *, rounds: int) -> dict[str, tuple[float, float]]:
    """The fastest of some rounds of each, by the clock and in processor time apart."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in actions}
    for _ in range(rounds):
        for name, action in actions.items():
            found[name].append(measured(action, paths))
    return {name: (min(wall for wall, _ in times), min(used for _, used in times)) for name, times in found.items()}


def peak(action: Callable[[list[Path], Path], None], paths: list[Path]) -> float:
    """MB that a fresh process holds at most, libraries included."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_peak, action, paths[:1]).result() / 1e6


def _peak(action: Callable[[list[Path], Path], None], paths: list[Path]) -> int:
    measured(action, paths)
    return peak_memory()


def shares(path: Path) -> dict[str, float]:
    """Milliseconds of processor time of each part of ours, of one person."""
    parts: dict[str, float] = {}

    def timed(name: str, action: Callable) -> np.ndarray:
        times = []
        for _ in range(3):
            started = time.process_time()
            result = action()
            times.append(time.process_time() - started)
        parts[name] = 1e3 * min(times)
        return result

    with tempfile.TemporaryDirectory() as out, mock.patch.dict(os.environ, VAXIS_CACHE=out):
        timed("digest of the file", lambda: digests([path]))
        values = timed("unpickle, check, resample, cut", lambda: read_pieces((path,), **PIECES))
        timed("values finite as float32", lambda: stored(values, source=path, subject="bench"))
        timed("statistics of the person", lambda: People.of(values, raw=True))
        timed("checksums", lambda: checksums.of_blocks(values))
        array = np.lib.format.open_memmap(Path(out) / "x.npy", "w+", np.float32, values.shape)
        timed("write", lambda: array.__setitem__(slice(None), values))
    return parts


def rows(*, quick: bool = False, people: int = 8, rounds: int = 3) -> list[Row]:
    """One process, and two."""
    if quick:
        people, rounds = 2, 1
    with tempfile.TemporaryDirectory() as name:
        paths = write_people(Path(name), people)
        actions = {"ours": ours, "script": script, "limit": limit}
        times = best(actions, paths, rounds=rounds)
        if (os.cpu_count() or 1) > 1:
            two: dict[str, Callable] = {
                f"{kind}, two": partial(side, workers=2) for kind, side in (("ours", ours), ("script", script))
            }
            times |= best(two, paths, rounds=1)
        found = {kind: (people / wall, people / used) for kind, (wall, used) in times.items()}
        memory = {kind: peak(actions[kind], paths) for kind in ("ours", "script")}
        parts = shares(paths[0])
    checking = sum(ms for part, ms in parts.items() if part not in ("unpickle, check, resample, cut", "write"))
    words: dict[str, Any] = {
        "today_is": "unpickle, scipy's resample, np.save",
        "limit_is": "reading and writing the bytes",
    }
    note = f"digest, statistics and checksums are {checking / sum(parts.values()):.0%} of ours"
    what, made = "FACED raw files to a store", []
    for how, column in (("by the clock", 0), ("processor time", 1)):
        three: dict[str, Any] = {
            side: found[key][column] for side, key in (("ours", "ours"), ("today", "script"), ("limit", "limit"))
        }
        made.append(Row(what=f"{what}, {how}", unit="people/s", note=note, **three, **words))
    if "ours, two" in found:
        pair: dict[str, Any] = {"ours": found["ours, two"][0], "today": found["script, two"][0]}
        gain = f"{pair['ours'] / found['ours'][0]:.2f} x one process, with the start of both, of {people} people"
        made.append(Row(what=f"{what}, two processes", unit="people/s", note=gain, **pair, today_is=words["today_is"]))
    size: dict[str, Any] = {"ours": memory["ours"], "today": memory["script"]}
    made.append(Row(what="memory of a process that preprocesses", unit="MB", **size, today_is="the same script"))
    return made


def costs(*, quick: bool = False) -> list[Cost]:
    """By people."""
    sizes = (1, 2, 3) if quick else (2, 4, 8)
    with tempfile.TemporaryDirectory() as name:
        paths = write_people(Path(name), sizes[-1])
        seconds = tuple(min(measured(ours, paths[:n])[1] for _ in range(1 if quick else 3)) for n in sizes)
    return [Cost(what="FACED raw files to a store", by="people", sizes=sizes, seconds=seconds)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    for row in rows(people=options.people, rounds=options.rounds):
        print(line(row))
    with tempfile.TemporaryDirectory() as name:
        for part, ms in shares(write_people(Path(name), 1)[0]).items():
            print(f"  {part:<34} {ms:7.1f} ms")


if __name__ == "__main__":
    main()
