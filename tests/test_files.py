"""Files are whole or absent."""

import pytest

from tfdepthviz.files import write_whole


def test_writes_text_and_bytes_and_leaves_nothing_beside(tmp_path):
    path = tmp_path / "new" / "folder" / "a.txt"
    write_whole(path, "one\ntwo ÷\n")
    assert path.read_bytes() == "one\ntwo ÷\n".encode()
    write_whole(path, b"\x00\xff")
    assert path.read_bytes() == b"\x00\xff"
    assert list(path.parent.iterdir()) == [path]


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    write_whole(path, "old")
    with pytest.raises(TypeError):
        write_whole(path, 3)
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]
