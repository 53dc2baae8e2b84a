"""Shared by all tests: a small axis with known positions, and runs that touch neither network nor W&B."""

import os
import signal
import threading
from pathlib import Path

# Before anything asks for CUDA: what the tests expect, some of it bit for bit, are numbers of a processor. `make
# test-gpu` shows them the GPUs.
if os.environ.get("VAXIS_TEST_GPU") != "1":
    os.environ["CUDA_VISIBLE_DEVICES"] = ""

import numpy as np
import pytest
import torch

from tests.words_model import Words
from vaxis.axis import Axis
from vaxis.emotions import TAXONOMIES
from vaxis.fit import fit_direction
from vaxis.language import extraction
from vaxis.targets import Targets

ROOT = Path(__file__).resolve().parents[1]

os.environ.setdefault("WANDB_MODE", "disabled")
os.environ["OMP_NUM_THREADS"] = "1"
torch.set_num_threads(1)  # on a busy machine several threads round differently from call to call


# A shell that starts the tests in the background lets them ignore Ctrl-C, and whatever they start inherits that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN and threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGINT, signal.default_int_handler)


def make_axis(taxonomy: str = "faced", *, width: int = 16, seed: int = 0) -> Axis:
    """An axis whose classes lie at their nominal valence plus noise, with distinct positions within classes."""
    rng = np.random.default_rng(seed)
    classes = TAXONOMIES[taxonomy]
    direction = rng.normal(size=width)
    centroids = np.outer(3 * np.asarray(classes.valence) + rng.normal(size=len(classes.classes)), direction)
    centroids += rng.normal(size=centroids.shape)
    fit = fit_direction(centroids, valence=classes.valence)
    positions = fit.scores[list(classes.class_of)]
    return Axis(
        taxonomy=taxonomy,
        direction=fit.direction,
        mean=centroids.mean(axis=0),
        centroids=centroids,
        positions={"class": positions, "planted": positions + rng.normal(size=len(positions))},
        explained_variance=fit.explained_variance,
        provenance={"model": "drawn by the tests"},
    )


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--data-root",
        action="append",
        default=[],
        metavar="CLASS=DIR",
        help="files of a data set, for tests/test_datamodules_contract.py; may be repeated",
    )


@pytest.fixture(autouse=True)
def _one_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processors with AMX read language models in bfloat16; the tests' numbers are those of float32 everywhere."""
    monkeypatch.setattr("vaxis.language.model.fast_at_bfloat16", lambda device: device.type != "cpu")


@pytest.fixture
def axis() -> Axis:
    return make_axis()


@pytest.fixture
def targets(axis: Axis) -> Targets:
    return Targets.from_axis(axis)


@pytest.fixture
def words(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Words:
    """``Words`` in place of whatever model ``extract`` is asked for, and an empty cache."""
    monkeypatch.setenv("VAXIS_CACHE", str(tmp_path / "cache"))
    states = Words()
    monkeypatch.setattr(extraction, "_open", lambda *args, **kwargs: states)
    return states
