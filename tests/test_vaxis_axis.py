"""An axis artifact that is not whole is refused by name."""

import json
import pickle

import numpy as np
import pytest

from vaxis.axis import Axis


@pytest.mark.parametrize("part", ["centroids", "direction", "mean"])
def test_an_artifact_without_a_part_is_refused_by_name(axis, tmp_path, part):
    file = axis.save(tmp_path / "a.npz")
    with np.load(file) as whole:
        arrays = {name: whole[name] for name in whole.files if name != part}
    np.savez(file, **arrays)
    with pytest.raises(ValueError, match=r"a\.npz is no whole axis artifact \(it lacks"):
        Axis.load(file)


@pytest.mark.parametrize("change", [{"taxonomy": []}, {"explained_variance": None}, {"own_classes": 3}])
def test_an_artifact_whose_header_is_of_other_types_is_refused_by_name(axis, tmp_path, change):
    file = axis.save(tmp_path / "a.npz")
    with np.load(file) as whole:
        arrays = dict(whole)
    header = json.loads(str(arrays["header"])) | change
    arrays["header"] = np.array(json.dumps({k: v for k, v in header.items() if v is not None}))
    np.savez(file, **arrays)
    with pytest.raises(ValueError, match=r"a\.npz"):
        Axis.load(file)


@pytest.mark.parametrize("content", [b"# Read me\n", pickle.dumps([1, 2])])
def test_what_is_no_artifact_is_refused_without_advice_to_unpickle_it(tmp_path, content):
    file = tmp_path / "a.npz"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.npz is not an axis artifact \(it holds objects") as refused:
        Axis.load(file)
    assert "allow_pickle" not in str(refused.value)


@pytest.mark.parametrize("part", ["centroids", "direction", "mean", "positions_class"])
def test_a_part_that_is_not_finite_is_refused_by_name(axis, tmp_path, part):
    """A training reads positions alone, so it would go on with half an axis."""
    file = axis.save(tmp_path / "a.npz")
    with np.load(file) as whole:
        arrays = dict(whole)
    arrays[part].flat[0] = np.nan
    np.savez(file, **arrays)
    with pytest.raises(ValueError, match=rf"a\.npz: .*'{part.removeprefix('positions_')}' must be .*finite"):
        Axis.load(file)
