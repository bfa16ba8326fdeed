"""Lists of files as people write them: headings, marks, Windows paths, moved folders."""

import os

import pytest
from nyu_files import write_nyu

from tfdepthviz.data import kitti_lists, nyu, tum
from tfdepthviz.data.lists import Resolver, lines_of
from tfdepthviz.utils.errors import InputError

ENCODINGS = ["utf-8", "utf-8-sig", "utf-16"]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_marks_comments_and_line_ends(tmp_path, encoding):
    path = tmp_path / "list.txt"
    path.write_bytes("# ours\r\n\r\n é.jpg \r\nb.jpg".encode(encoding))
    assert lines_of(str(path)) == [(3, "é.jpg"), (4, "b.jpg")]


def test_what_is_no_text(tmp_path):
    (tmp_path / "list.txt").write_bytes(bytes(range(256)))
    for name in ("list.txt", "none.txt"):
        with pytest.raises(InputError, match="^x=.*cannot be read as a text file"):
            lines_of(str(tmp_path / name), "x=")


def test_names_that_are_not_utf_8(tmp_path):
    (tmp_path / "list.txt").write_bytes(b"caf\xe9.jpg\n")
    assert lines_of(str(tmp_path / "list.txt")) == [(1, os.fsdecode(b"caf\xe9.jpg"))]


@pytest.mark.parametrize(
    "listed",
    [
        *("rgb/1.png", r"rgb\1.png", "data/rgb/1.png", r"C:\Users\me\data\rgb\1.png"),
        *("./rgb/1.png", "/elsewhere/nyu/rgb/1.png", "moved/rgb/1.png"),
    ],
)
def test_moved_folders(tmp_path, listed):
    (tmp_path / "moved/rgb").mkdir(parents=True)
    (tmp_path / "moved/rgb/1.png").touch()
    place = Resolver(str(tmp_path / "moved"))(listed)
    assert os.path.samefile(place, tmp_path / "moved/rgb/1.png")


def test_what_exists_is_taken_as_it_is(tmp_path):
    for place in ("data/data/1.png", "data/1.png", "other/1.png"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).touch()
    resolve = Resolver(str(tmp_path / "data"))
    assert resolve("data/1.png") == str(tmp_path / "data/data/1.png")
    assert resolve(f"{tmp_path}/other/1.png") == str(tmp_path / "other/1.png")
    assert resolve("../other/1.png") == str(tmp_path / "data/../other/1.png")


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("heading", ["", "image,depth\n"])
@pytest.mark.parametrize("name", ["data", "nyu"])
def test_nyu(tmp_path, encoding, heading, name):
    folder = write_nyu(tmp_path / "data")
    rows = (folder / "nyu2_train.csv").read_text()
    text = heading + rows.replace("/", "\\")
    (folder / "nyu2_train.csv").write_bytes(text.encode(encoding))
    folder.rename(tmp_path / name)
    assert len(list(nyu.files(str(tmp_path / name)).examples())) == rows.count("\n") > 0


def test_tum(tmp_path, write_image):
    for folder in ("rgb", "depth"):
        write_image(tmp_path / folder / "1.png", 6, 8)
    row = r"1.0 seq\rgb\1.png 1.0 seq\depth\1.png"
    (tmp_path / "associations.txt").write_text(f"\ufefftime image time depth\r\n{row}\r\n", "utf-8")
    frames = tum.files(str(tmp_path))
    assert (frames.images, frames.depths) == (
        [str(tmp_path / "rgb/1.png")],
        [str(tmp_path / "depth/1.png")],
    )


def test_kitti(tmp_path):
    drive = r"2011_09_26\2011_09_26_drive_0002_sync"
    lines = [
        "drive frame side",
        rf"{drive} 69 l",
        rf"D:\kitti\{drive}\image_03\data\0000000070.png",
    ]
    (tmp_path / "list.txt").write_text("\n".join(lines), "utf-16")
    frames = [frame for frame, _ in kitti_lists.read(str(tmp_path / "list.txt"))]
    assert [(frame.camera, int(frame.number)) for frame in frames] == [
        ("image_02", 69),
        ("image_03", 70),
    ]
