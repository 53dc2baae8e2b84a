"""Only arrays come out of a pickle, and nothing else in it runs."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from datamodules import unpickling


class Malicious:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_of_every_protocol(tmp_path: Path, protocol: int, order: str) -> None:
    array = np.array(np.random.default_rng(0).normal(size=(3, 4)), order=order)
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps(array, protocol=protocol))
    np.testing.assert_array_equal(unpickling.load(path), array)


@pytest.mark.parametrize("protocol", [2, 4])
def test_numpy_1_module_path(protocol: int) -> None:
    data = pickle.dumps(np.arange(6.0).reshape(2, 3), protocol=protocol)
    if protocol == 4:  # the name is a length-prefixed string inside a length-prefixed frame
        old = data.replace(b"\x8c\x16numpy._core.multiarray", b"\x8c\x15numpy.core.multiarray")
        old = old[:3] + (int.from_bytes(old[3:11], "little") - 1).to_bytes(8, "little") + old[11:]
    else:
        old = data.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    assert old != data
    np.testing.assert_array_equal(unpickling.loads(old, source="old"), np.arange(6.0).reshape(2, 3))


def test_dict_of_arrays_and_scalars() -> None:
    value = {0: np.ones(3), 1: [np.float64(2.5), (1, "a")]}
    got = unpickling.loads(pickle.dumps(value, protocol=4), source="x")
    np.testing.assert_array_equal(got[0], value[0])
    assert got[1] == value[1]


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
@pytest.mark.parametrize("wrap", [lambda bad: bad, lambda bad: {0: np.ones(2), 1: [bad]}])
def test_code_does_not_run(tmp_path: Path, protocol: int, wrap) -> None:
    target, path = tmp_path / "ran", tmp_path / "sub000.pkl"
    path.write_bytes(pickle.dumps(wrap(Malicious(target)), protocol=protocol))
    with pytest.raises(ValueError, match=r"sub000\.pkl.*(posix|nt)\.system") as caught:
        unpickling.load(path)
    assert not target.exists()
    assert "was not run" in str(caught.value)


def test_dotted_names_do_not_get_around_the_list() -> None:
    with pytest.raises(ValueError, match=r"numpy\.ndarray\.tofile"):
        unpickling.loads(b"\x80\x04\x8c\x05numpy\x8c\x0endarray.tofile\x93.", source="x")


@pytest.mark.parametrize("keep", [0, 1, 20, 150, 300])
def test_truncated(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "sub001.pkl"
    path.write_bytes(pickle.dumps(np.zeros((10, 10)), protocol=4)[:keep])
    with pytest.raises(ValueError, match=r"sub001\.pkl: not a complete pickle"):
        unpickling.load(path)
