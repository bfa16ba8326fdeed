"""NumPy arrays in .npz files."""

import numpy as np
import pytest

from tfdepthviz.utils import arrays
from tfdepthviz.utils.errors import WriteError


@pytest.mark.parametrize("compressed", [True, False])
def test_round_trip(tmp_path, compressed):
    path = tmp_path / "new" / "a.npz"
    values = {"depth": np.arange(6.0).reshape(2, 3), "frame": np.array([4, 7])}
    arrays.write_arrays(path, values, compressed=compressed)
    read = arrays.read_arrays(path)
    assert read.keys() == values.keys()
    for name, value in values.items():
        np.testing.assert_array_equal(read[name], value)
    assert list(arrays.read_arrays(path, ["frame"])) == ["frame"]
    assert [file.name for file in path.parent.iterdir()] == ["a.npz"]


@pytest.mark.parametrize("content", [None, b"", b"no archive", "cut", "altered"])
def test_damaged_files_raise_one_of_unreadable(tmp_path, content):
    path = tmp_path / "a.npz"
    arrays.write_arrays(path, {"a": np.arange(1000)})
    whole = path.read_bytes()
    if content is None:
        path.unlink()
    else:
        changed = {"cut": whole[:-50], "altered": whole[:200] + b"?" * 99 + whole[299:]}
        path.write_bytes(changed.get(content, content))
    with pytest.raises(arrays.UNREADABLE):
        arrays.read_arrays(path)


def test_missing_name_is_unreadable(tmp_path):
    arrays.write_arrays(tmp_path / "a.npz", {"a": np.zeros(3)})
    with pytest.raises(arrays.UNREADABLE, match="b.npy"):
        arrays.read_arrays(tmp_path / "a.npz", ["b"])


def test_failed_write_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(WriteError, match="a.npz: cannot be written .File exists"):
        arrays.write_arrays(tmp_path / "file" / "a.npz", {"a": np.zeros(3)})
