"""A store is that of its source files, and damage to it is found: content, checksums, values."""

import json
import os
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from datamodules import checksums, content
from datamodules.store import Store, build
from tests.test_store import NAMES, make_recipe


def test_fingerprint_follows_content_and_neither_times_nor_places(tmp_path: Path) -> None:
    """As rsync -t and tar --mtime leave files: other content behind the same name, size and time of change."""
    (tmp_path / "here").mkdir()
    make_recipe(tmp_path / "here")
    copy, other = (Path(shutil.copytree(tmp_path / "here", tmp_path / name)) for name in ("copy", "other"))
    (other / "sub001.txt").write_text("9.5")
    for name in NAMES:
        stat = (tmp_path / "here" / f"{name}.txt").stat()
        os.utime(other / f"{name}.txt", ns=(stat.st_atime_ns, stat.st_mtime_ns))
        os.utime(copy / f"{name}.txt", ns=(0, 0))
    first = make_recipe(tmp_path / "here").fingerprint
    assert make_recipe(copy).fingerprint == first
    assert make_recipe(other).fingerprint != first
    assert build(make_recipe(other), cache=tmp_path / "cache").x[28, 0, 0] == 9.5


def test_content_is_read_again_when_a_file_changes_behind_its_times(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("VAXIS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(content, "SETTLED_NS", -1)  # remembered at once
    path = tmp_path / "a.pkl"
    path.write_bytes(b"1" * 5000)
    first = content.digests([path])
    monkeypatch.setattr(content, "_digest", lambda _: pytest.fail("read although it is what it was"))
    assert content.digests([path]) == first
    monkeypatch.undo()
    monkeypatch.setenv("VAXIS_CACHE", str(tmp_path / "cache"))
    before = path.stat()
    path.write_bytes(b"1" * 4999 + b"2")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    assert content.digests([path]) != first
    (tmp_path / "cache" / "digests.json").write_text('{"x": 3, "a": [')  # only a memory
    assert content.digests([path]) == content.digests([path])


def test_damaged_store_says_what_to_delete(tmp_path: Path) -> None:
    folder = build(make_recipe(tmp_path), cache=tmp_path / "cache").folder
    (folder / "x.npy").write_bytes((folder / "x.npy").read_bytes()[:500])
    with pytest.raises(ValueError, match=r"is not a whole store .*delete that folder"):
        Store(folder)
    (folder / "meta.json").write_text(json.dumps({}))
    with pytest.raises(ValueError, match="is not a whole store"):
        Store(folder)


@pytest.mark.parametrize("name", ["x.npy", "table.npz", "checks.npz", "meta.json"])
def test_a_flipped_bit_anywhere_in_a_store_is_found(tmp_path: Path, name: str) -> None:
    """Or changes nothing that is read, as a blank in the JSON or in the header of the array."""
    folder = build(make_recipe(tmp_path), cache=tmp_path / "cache").folder
    whole, before = (folder / name).read_bytes(), Store(folder)
    generator, found = np.random.default_rng(0), 0
    for place in generator.integers(0, len(whole), 60):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << int(generator.integers(8))
        (folder / name).write_bytes(damaged)
        try:
            opened = Store(folder)
        except ValueError:
            found += 1
            continue
        np.testing.assert_array_equal(opened.x, before.x)
        for column, values in before.trials.columns.items():
            np.testing.assert_array_equal(opened.trials.columns[column], values)
        assert opened.meta == before.meta
    assert found > 40


@pytest.mark.parametrize("name", ["table.npz", "checks.npz"])
def test_a_whole_table_that_is_not_the_one_that_was_written(tmp_path: Path, name: str) -> None:
    folder = build(make_recipe(tmp_path), cache=tmp_path / "cache").folder
    with np.load(folder / name) as columns:
        np.savez(folder / name, **{column: np.roll(values, 1, axis=0) for column, values in columns.items()})
    with pytest.raises(ValueError, match=rf"{name} is damaged: its checksum"):
        Store(folder)


def test_how_much_of_a_large_store_is_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checksums, "BLOCK", 24 * 4)  # four trials
    monkeypatch.setattr(checksums, "SAMPLE", 24 * 4)  # one block of the 21
    folder = build(make_recipe(tmp_path), cache=tmp_path / "cache").folder
    damaged = bytearray((folder / "x.npy").read_bytes())
    damaged[-30] ^= 4
    (folder / "x.npy").write_bytes(damaged)
    with pytest.raises(ValueError, match="damaged in the trials of sub002"):
        Store(folder, verify="whole")
    assert Store(folder, verify="off").x.shape == (84, 2, 3)

    def found() -> bool:
        try:
            Store(folder)
        except ValueError:
            return True
        return False

    seen = [found() for _ in range(300)]  # other blocks each time: 1 in 21
    assert 2 <= sum(seen) <= 60


def test_a_store_without_its_files_or_with_pipes_for_them(tmp_path: Path) -> None:
    folder = build(make_recipe(tmp_path), cache=tmp_path / "cache").folder
    for name in ("x.npy", "table.npz", "checks.npz", "meta.json"):
        content = (folder / name).read_bytes()
        (folder / name).unlink()
        with pytest.raises(ValueError, match="is not a whole store"):
            Store(folder)
        os.mkfifo(folder / name)  # opening it would wait for ever
        with pytest.raises(ValueError, match="is not a whole store"):
            Store(folder)
        (folder / name).unlink()
        (folder / name).write_bytes(content)
    Store(folder)


def test_a_store_under_the_name_of_another(tmp_path: Path) -> None:
    first = build(make_recipe(tmp_path), cache=tmp_path / "cache").folder
    recipe = make_recipe(tmp_path, rate=250)
    shutil.copytree(first, tmp_path / "cache" / f"toy-{recipe.fingerprint}")
    with pytest.raises(ValueError, match=rf"toy-{recipe.fingerprint} holds store {first.name[4:]}"):
        build(recipe, cache=tmp_path / "cache")


def shaped(files: tuple[Path, ...], *, change: str) -> np.ndarray:
    values = np.random.default_rng(0).normal(size=(28, 2, 3))
    if files[0].stem == "sub001":
        if change == "zeros":
            values[:] = 0
        elif change == "ones":
            values[:] = 1
        else:
            values[3, 1, 2] = float(change)
    return values


@pytest.mark.parametrize("change", ["1e39", "-1e300", "nan", "zeros", "ones"])
def test_values_that_are_no_signal_once_stored(tmp_path: Path, change: str) -> None:
    """Finite in the file's float64 and infinite in float32; or nothing but one value."""
    recipe = replace(make_recipe(tmp_path), read=partial(shaped, change=change), channels=("Fz", "Cz"))
    where = {"zeros": "every value is 0;", "ones": "every value is 1;"}.get(change, "trial 3, channel Cz, position 2")
    with pytest.raises(ValueError, match=rf"sub001\.txt: .*sub001.*{where}.*--data\.exclude"):
        build(recipe, cache=tmp_path / "cache")
