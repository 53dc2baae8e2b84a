"""A store survives kill -9, a full disk and builders in parallel, and notices changed sources."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from datamodules import store
from datamodules.store import Recipe, Store, Trials, build, check_finite

ROOT = Path(__file__).resolve().parents[1]
NAMES = ("sub000", "sub001", "sub002")


def read(files: tuple[Path, ...], *, log: Path, kill_at: str = "", pause: float = 0) -> np.ndarray:
    time.sleep(pause)
    with open(log, "a") as file:
        file.write(files[0].stem + "\n")
    if files[0].stem == kill_at:
        os.kill(os.getpid(), signal.SIGKILL)
    values = np.full((28, 2, 3), float(files[0].read_text()))
    values[:, :, 1] += np.arange(28)[:, None]
    return values


def windows(names: tuple[str, ...]) -> Trials:
    """28 trials a subject; written out here because importing a reader would make every subprocess load Lightning."""
    subject, clip = (axis.ravel() for axis in np.indices((len(names), 28)))
    zeros = np.zeros_like(clip)
    return Trials(subject=subject, stimulus=clip, session=zeros, trial=clip, window=zeros, y=clip // 4, subjects=names)


def make_recipe(
    folder: Path, *, names: tuple[str, ...] = NAMES, kill_at: str = "", pause: float = 0, **parameters: object
) -> Recipe:
    for i, name in enumerate(NAMES):
        if not (folder / f"{name}.txt").exists():
            (folder / f"{name}.txt").write_text(f"{i + 0.5}")
    return Recipe(
        dataset="toy",
        trials=windows(names),
        shape=(2, 3),
        sources=tuple((folder / f"{name}.txt",) for name in names),
        read=partial(read, log=folder / "log", kill_at=kill_at, pause=pause),
        parameters=parameters,
    )


def calls(folder: Path) -> list[str]:
    return (folder / "log").read_text().split() if (folder / "log").exists() else []


@pytest.mark.parametrize("workers", [0, 2])
def test_build_then_open(tmp_path: Path, workers: int) -> None:
    made = build(make_recipe(tmp_path), cache=tmp_path / "cache", workers=workers)
    assert made.x.shape == (84, 2, 3)
    assert made.x.dtype == np.float32
    assert isinstance(made.x, np.memmap)
    np.testing.assert_array_equal(made.x[:, 0, 0], np.repeat([0.5, 1.5, 2.5], 28))
    assert made.trials.subjects == NAMES
    np.testing.assert_allclose(made.people.mean[:, 1], [[v, v + 13.5, v] for v in (0.5, 1.5, 2.5)])
    assert sorted(p.name for p in made.folder.iterdir()) == ["checks.npz", "meta.json", "table.npz", "x.npy"]
    again = build(make_recipe(tmp_path), cache=tmp_path / "cache")
    assert sorted(calls(tmp_path)) == sorted(NAMES)
    assert again.fingerprint == made.fingerprint


def test_fingerprint_follows_sources_and_parameters(tmp_path: Path) -> None:
    first = make_recipe(tmp_path, rate=200).fingerprint
    assert make_recipe(tmp_path, rate=200).fingerprint == first
    assert make_recipe(tmp_path, rate=250).fingerprint != first
    assert make_recipe(tmp_path, rate=200, names=NAMES[:2]).fingerprint != first
    (tmp_path / "sub001.txt").write_text("9.5")  # same size
    assert make_recipe(tmp_path, rate=200).fingerprint != first


def test_stores_of_an_earlier_version_are_told_of(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    old = tmp_path / "cache" / "toy-0123456789abcdef"
    old.mkdir(parents=True)
    (old / "meta.json").write_text(json.dumps({"format": 1, "fingerprint": "0123456789abcdef"}))
    build(make_recipe(tmp_path), cache=tmp_path / "cache")
    (line,) = [line for line in capfd.readouterr().err.splitlines() if line.startswith("note: ")]
    assert "preprocessed again" in line
    assert line.endswith(f"rm -r {old}")


def test_killed_build_goes_on_where_it_was(tmp_path: Path) -> None:
    script = (
        "import sys; sys.path[:0] = [sys.argv[2], sys.argv[2] + '/tests']; from pathlib import Path\n"
        "from test_store import make_recipe, build\n"
        "build(make_recipe(Path(sys.argv[1]), kill_at='sub002'), cache=Path(sys.argv[1], 'cache'))"
    )
    killed = subprocess.run([sys.executable, "-c", script, tmp_path, ROOT], capture_output=True, timeout=120)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert not [p for p in (tmp_path / "cache").iterdir() if not p.name.startswith(".")]
    made = build(make_recipe(tmp_path), cache=tmp_path / "cache")
    assert calls(tmp_path) == ["sub000", "sub001", "sub002", "sub002"]
    np.testing.assert_array_equal(made.x[:, 0, 0], np.repeat([0.5, 1.5, 2.5], 28))
    Store(made.folder, verify="whole")


def test_builders_at_the_same_time_build_once(tmp_path: Path) -> None:
    make_recipe(tmp_path)
    script = (
        "import sys; sys.path[:0] = [sys.argv[2], sys.argv[2] + '/tests']; from pathlib import Path\n"
        "from test_store import make_recipe, build\n"
        "print(build(make_recipe(Path(sys.argv[1]), pause=0.3), cache=Path(sys.argv[1], 'cache')).x.sum())"
    )
    command = [sys.executable, "-c", script, str(tmp_path), str(ROOT)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(3)]
    sums = {process.communicate(timeout=120)[0] for process in processes}
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert len(sums) == 1
    assert sorted(calls(tmp_path)) == sorted(NAMES)


def test_full_disk_is_seen_before_any_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(store.shutil, "disk_usage", lambda _: usage._replace(free=100))
    with pytest.raises(OSError, match=r"needs 2,016 bytes and .* has 100 free; .*--data\.cache") as caught:
        build(make_recipe(tmp_path), cache=tmp_path / "cache")
    assert caught.value.errno == errno.ENOSPC
    assert not calls(tmp_path)
    assert not [p for p in (tmp_path / "cache").iterdir() if p.suffix != ".lock"]


@pytest.mark.parametrize("function", ["os.posix_fallocate", "np.savez"])
def test_disk_that_fills_meanwhile_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(f"datamodules.store.{function}", full)
        with pytest.raises(OSError, match="needs 2,016 bytes"):
            build(make_recipe(tmp_path), cache=tmp_path / "cache")
    assert not [p for p in (tmp_path / "cache").iterdir() if p.suffix != ".lock"]
    assert len(build(make_recipe(tmp_path), cache=tmp_path / "cache").trials) == 84


def test_failing_reader_keeps_the_finished_subjects(tmp_path: Path) -> None:
    recipe = make_recipe(tmp_path)
    (tmp_path / "sub001.txt").write_text("no number")
    with pytest.raises(ValueError, match="no number"):
        build(make_recipe(tmp_path), cache=tmp_path / "cache")
    assert not (tmp_path / "cache" / f"toy-{recipe.fingerprint}").exists()
    with pytest.raises(ValueError, match="no number"):
        build(make_recipe(tmp_path), cache=tmp_path / "cache")
    assert calls(tmp_path) == ["sub000", "sub001", "sub001"]


def test_wrong_shape_from_a_reader(tmp_path: Path) -> None:
    recipe = make_recipe(tmp_path)
    wrong = Recipe(**{**vars(recipe), "shape": (2, 4)})
    with pytest.raises(ValueError, match=r"sub000\.txt: gave \(28, 2, 3\) and not \(28, 2, 4\)"):
        build(wrong, cache=tmp_path / "cache")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_not_finite_names_the_place(value: float) -> None:
    values = np.zeros((28, 3, 10))
    values[4, 1, 7] = value
    with pytest.raises(
        ValueError, match=r"s\.pkl: 1 values are NaN or infinite as float32, the first at clip 4, channel Fz, sample 7"
    ):
        check_finite(values, source="s.pkl", axes={"clip": None, "channel": ("Fp1", "Fz", "Cz"), "sample": None})
