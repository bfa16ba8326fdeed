"""Files and folders that are written whole or not at all."""

import errno
import os

import pytest

from tfdepthviz.utils.errors import InputError, WriteError
from tfdepthviz.utils.files import (
    check_writable,
    partial_folder,
    whole_file,
    whole_folder,
    write_whole,
    writing,
)


def test_text_and_bytes(tmp_path):
    path = tmp_path / "new" / "folder" / "a.txt"
    write_whole(path, "one\ntwo ÷\n")
    assert path.read_bytes() == "one\ntwo ÷\n".encode()
    write_whole(path, b"\x00\xff")
    assert path.read_bytes() == b"\x00\xff"
    assert list(path.parent.iterdir()) == [path]


def test_failed_write_keeps_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    write_whole(path, "old")
    with pytest.raises(TypeError):
        write_whole(path, 3)
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_full_disk_is_named_with_its_free_room(tmp_path):
    path = tmp_path / "new" / "a.txt"
    with pytest.raises(WriteError) as caught, writing(path), open("/dev/full", "wb") as file:
        file.write(b"a" * 100_000)
    start, end = f"{path}: cannot be written (No space left on device: ", " MB are free there)"
    assert str(caught.value).startswith(start) and str(caught.value).endswith(end)
    # Caught by handlers of both kinds of errors.
    assert isinstance(caught.value, InputError) and isinstance(caught.value, OSError)


def test_outer_path_is_named_and_other_errors_pass(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(WriteError, match="^what the user asked for: .*Not a directory"):
        with writing("what the user asked for"):
            write_whole(tmp_path / "file" / "below" / "a.txt", "a")
    with pytest.raises(WriteError, match="^a: cannot be written .File too large.$"):
        with writing("a", RuntimeError):
            raise RuntimeError(f"in other words\n  {os.strerror(errno.EFBIG)}")
    with pytest.raises(KeyError), writing("a"):
        raise KeyError("a")


def test_interrupted_file_is_removed(tmp_path):
    path = tmp_path / "a.keras"
    with pytest.raises(KeyboardInterrupt), whole_file(path) as partial:
        assert partial.suffix == ".keras" and partial.parent == tmp_path
        partial.write_text("half")
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_whole_folder(tmp_path):
    with whole_folder(tmp_path / "a") as partial:
        assert partial.parent == tmp_path and partial.name.startswith(".")
        write_whole(partial / "b.txt", "b")
        assert not (tmp_path / "a").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a" / "b.txt").read_text() == "b"


def test_interrupted_folder_is_removed(tmp_path):
    with pytest.raises(KeyboardInterrupt), whole_folder(tmp_path / "a") as partial:
        write_whole(partial / "b.txt", "half")
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_whole_folder_replaces_no_other(tmp_path):
    write_whole(tmp_path / "a" / "old.txt", "old")
    with pytest.raises(WriteError), writing(tmp_path / "a"), whole_folder(tmp_path / "a") as new:
        write_whole(new / "new.txt", "new")
    assert [path.name for path in tmp_path.rglob("*")] == ["a", "old.txt"]


def test_partial_folder_may_be_renamed_inside(tmp_path):
    for name in ("1", None):
        with partial_folder(tmp_path / "version") as partial:
            partial.mkdir()
            if name:
                partial.rename(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["1"]


def test_check_writable_makes_nothing(tmp_path):
    (tmp_path / "file").touch()
    check_writable(tmp_path)
    check_writable(tmp_path / "new" / "folder")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(WriteError, match="Not a directory"):
            check_writable(folder)
    with pytest.raises(WriteError):
        check_writable("/proc/self/new")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
