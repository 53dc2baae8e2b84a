"""Zarr arrays are read as their specification says, by a reader of our own."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from datamodules.zarr_arrays import attributes, open_array
from tests.mirror_files import write_array

VALUES = np.random.default_rng(0).normal(size=(7, 3, 40)).astype(np.float32)


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("compressor", [None, "gzip", "zstd"])
@pytest.mark.parametrize("block", [1, 3, 7, 10])
def test_blocks_come_back_whole_and_the_last_one_without_its_padding(tmp_path, version, compressor, block):
    write_array(tmp_path / "a", VALUES, block=block, version=version, compressor=compressor)
    array = open_array(tmp_path / "a")
    assert (array.shape, array.absent) == ((7, 3, 40), 0)
    np.testing.assert_array_equal(array.read(), VALUES)
    np.testing.assert_array_equal(array.glance(), VALUES[0])
    assert len(array.files) == -(-7 // block)


def test_big_endian_bytes(tmp_path):
    write_array(tmp_path / "a", VALUES, block=2, order=">")
    np.testing.assert_array_equal(open_array(tmp_path / "a").read(), VALUES)


def test_a_block_without_a_file_holds_the_fill_value(tmp_path):
    values = VALUES.copy()
    values[:4] = 0
    write_array(tmp_path / "a", values, block=2)
    array = open_array(tmp_path / "a")
    assert array.absent == 2
    np.testing.assert_array_equal(array.read(), values)
    np.testing.assert_array_equal(array.glance(), values[4])  # of the first block that says something


@pytest.mark.parametrize("damage", ["truncated", "other bytes", "empty", "short"])
def test_a_damaged_block_is_named(tmp_path, damage):
    write_array(tmp_path / "a", VALUES, block=4)
    path = tmp_path / "a" / "c" / "1" / "0" / "0"
    content = path.read_bytes()
    changed = bytearray(content)
    changed[len(changed) // 2] ^= 0xFF
    path.write_bytes(
        {
            "truncated": content[:-20],
            "other bytes": bytes(changed),
            "empty": b"",
            "short": gzip.compress(bytes(8)),
        }[damage]
    )
    with pytest.raises(ValueError, match=r"c/1/0/0: a damaged block .*fetch it again"):
        open_array(tmp_path / "a").read()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"codecs": [{"name": "sharding_indexed"}]}, r"zarr.json: codecs \['sharding_indexed'\]"),
        ({"codecs": [{"name": "bytes"}, {"name": "blosc"}]}, r"codecs \['bytes', 'blosc'\]"),
        ({"data_type": "int16"}, "type int16; expected floating point"),
        ({"shape": [7, 3]}, "expected floating point, cut along the first axis alone"),
        ({"node_type": "group"}, "no array on a regular grid"),
    ],
)
def test_what_this_reader_does_not_know_is_refused_by_name(tmp_path, change, message):
    write_array(tmp_path / "a", VALUES, block=4)
    file = tmp_path / "a" / "zarr.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(ValueError, match=message):
        open_array(tmp_path / "a")


def test_metadata_that_are_no_metadata(tmp_path):
    with pytest.raises(ValueError, match=r"has no zarr\.json or \.zarray; complete the download"):
        open_array(tmp_path)
    for content in ("[1]", "{", "\x00"):
        (tmp_path / "zarr.json").write_text(content)
        with pytest.raises(ValueError, match=r"zarr\.json .*fetch it again"):
            attributes(tmp_path)


def test_version_2_attributes(tmp_path: Path):
    (tmp_path / ".zattrs").write_text('{"n_datasets": 3}')
    assert attributes(tmp_path) == {"n_datasets": 3}
