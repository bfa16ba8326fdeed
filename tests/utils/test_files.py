"""Files are whole or absent."""

import errno
import os

import pytest

from tfdepthviz.utils.errors import InputError, WriteError
from tfdepthviz.utils.files import check_writable, whole_file, write_whole, writing


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


def test_a_full_disk_is_said_with_the_file_and_the_room_there_is(tmp_path):
    path = tmp_path / "new" / "a.txt"
    with pytest.raises(WriteError) as caught, writing(path), open("/dev/full", "wb") as file:
        file.write(b"a" * 100_000)
    start, end = f"{path}: cannot be written (No space left on device: ", " MB are free there)"
    assert str(caught.value).startswith(start) and str(caught.value).endswith(end)
    # Whoever catches mistakes or failures of the system has it.
    assert isinstance(caught.value, InputError) and isinstance(caught.value, OSError)


def test_of_two_names_the_outer_one_is_told_and_other_exceptions_pass(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(WriteError, match="^what the user asked for: .*Not a directory"):
        with writing("what the user asked for"):
            write_whole(tmp_path / "file" / "below" / "a.txt", "a")
    with pytest.raises(WriteError, match="^a: cannot be written .File too large.$"):
        with writing("a", RuntimeError):
            raise RuntimeError(f"in other words\n  {os.strerror(errno.EFBIG)}")
    with pytest.raises(KeyError), writing("a"):
        raise KeyError("a")


def test_what_is_begun_beside_a_file_is_removed(tmp_path):
    path = tmp_path / "a.keras"
    with pytest.raises(KeyboardInterrupt), whole_file(path) as beside:
        assert beside.suffix == ".keras" and beside.parent == tmp_path
        beside.write_text("half")
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_whether_a_folder_can_be_written_to_is_asked_without_making_it(tmp_path):
    (tmp_path / "file").touch()
    check_writable(tmp_path)
    check_writable(tmp_path / "new" / "folder")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(WriteError, match="Not a directory"):
            check_writable(folder)
    with pytest.raises(WriteError):
        check_writable("/proc/self/new")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
