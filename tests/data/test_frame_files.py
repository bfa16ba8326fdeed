"""Frames in files: depth of both bit depths, and errors that name unusable files."""

import dataclasses
import os
import pathlib

import numpy as np
import pytest
import tensorflow as tf
from image_files import claiming, claiming_jpeg
from nyu_files import write_nyu
from PIL import Image

from tfdepthviz.data.frame_files import FrameFiles, OutsideError
from tfdepthviz.utils.errors import InputError
from tfdepthviz.utils.tables import write_csv
from trainers.cli.data import Data
from trainers.engine.source import DATASETS, Source

SCALES = {8: 10 / 255, 16: 0.001}


@pytest.fixture
def values():
    return np.random.default_rng(0).integers(0, 65536, (6, 9)).astype(np.uint16)


def test_both_bit_depths_in_one_data_set(tmp_path, write_image, write_depth, values):
    write_image(tmp_path / "i.png", 12, 18)
    write_depth(tmp_path / "8.png", (values >> 8).astype(np.uint8))
    write_depth(tmp_path / "16.png", values)
    depths = [str(tmp_path / name) for name in ("16.png", "8.png")]
    data = FrameFiles([str(tmp_path / "i.png")] * 2, depths, SCALES).examples()
    assert data.cardinality() == 2
    first, second = data.as_numpy_iterator()
    np.testing.assert_allclose(first["depth"][..., 0], values / 1000, rtol=1e-6)
    np.testing.assert_allclose(second["depth"][..., 0], (values >> 8) / 25.5, rtol=1e-6)


def unusable_depth(path, kind, values):
    if kind in ("RGB", "P", "RGBA", "LA", "1"):
        Image.fromarray((values >> 8).astype(np.uint8)).convert(kind).save(path)
    elif kind == "8 bits":
        Image.fromarray((values >> 8).astype(np.uint8)).save(path)
    elif kind == "grey JPEG":
        Image.fromarray((values >> 8).astype(np.uint8)).save(path, format="JPEG")
    elif kind == "16-bit TIFF":
        Image.fromarray(values).save(path, format="TIFF")
    else:
        Image.fromarray(values).save(path)
        content = path.read_bytes()
        path.write_bytes({"cut": content[:-40], "header": content[:20], "empty": b""}[kind])


@pytest.mark.parametrize(
    "kind",
    ["RGB", "P", "RGBA", "LA", "1", "8 bits", "grey JPEG", "16-bit TIFF", "cut", "header", "empty"],
)
def test_unusable_depth_file_is_named(tmp_path, write_image, write_depth, values, kind):
    write_image(tmp_path / "i.png", 6, 9)
    write_depth(tmp_path / "good.png", values)
    unusable_depth(tmp_path / "bad.png", kind, values)
    images = [str(tmp_path / "i.png")] * 2
    depths = [str(tmp_path / name) for name in ("good.png", "bad.png")]
    with pytest.raises(tf.errors.InvalidArgumentError):
        list(FrameFiles(images, depths, {16: 0.001}).examples())
    with pytest.raises(InputError) as raised:
        FrameFiles(images, depths, {16: 0.001}).check()
    message = str(raised.value)
    assert message.startswith(f"{depths[1]}: ") and "\n" not in message
    if kind not in ("cut", "header", "empty"):
        assert "a depth map must be a grey PNG of 16 bits; received" in message


def test_another_field_of_view_is_named(tmp_path, write_image, write_depth):
    write_image(tmp_path / "i.png", 12, 18)
    write_depth(tmp_path / "d.png", np.ones((6, 6), np.uint16))
    paths = [str(tmp_path / "i.png")], [str(tmp_path / "d.png")], SCALES
    with pytest.raises(tf.errors.InvalidArgumentError):
        list(FrameFiles(*paths).examples())
    with pytest.raises(InputError, match="received depth of 6x6 for an image of 12x18"):
        FrameFiles(*paths).check()


def test_the_content_decides_the_format(tmp_path):
    Image.new("RGB", (9, 6)).save(tmp_path / "i.jpg", format="TIFF")
    FrameFiles([str(tmp_path / "i.jpg")]).check()


@pytest.mark.parametrize("kind", ["PNG", "absurd PNG", "JPEG", "depth"])
def test_huge_stated_size_is_not_decoded(tmp_path, write_image, kind):
    paths = [tmp_path / "i.png"], [tmp_path / "d.png"]
    write_image(paths[0][0], 30, 30)
    if kind == "depth":
        paths[1][0].write_bytes(claiming(30000, 30000, bits=16, colour_type=0))
        frames, bad = FrameFiles(*[[str(p) for p in part] for part in paths], SCALES), paths[1][0]
    else:
        frames, bad = FrameFiles([str(paths[0][0])]), paths[0][0]
        sides = (2**32 - 1, 5) if kind == "absurd PNG" else (30000, 30000)
        bad.write_bytes(claiming_jpeg(*sides) if kind == "JPEG" else claiming(*sides))
    with pytest.raises(tf.errors.InvalidArgumentError, match="states .* pixels|too many pixels"):
        list(frames.examples())
    with pytest.raises(InputError, match=f"{bad.name}: states .* pixels; expected at least one"):
        frames.check()


def test_usable_files_pass_the_check(tmp_path, write_image, write_depth, values):
    write_image(tmp_path / "i.jpg", 12, 18)
    write_depth(tmp_path / "d.png", values)
    write_depth(tmp_path / "e.png", (values >> 8).astype(np.uint8))
    images = [str(tmp_path / "i.jpg")] * 2
    FrameFiles(images, [str(tmp_path / name) for name in ("d.png", "e.png")], SCALES).check()
    FrameFiles(images).check()


def test_missing_files_and_empty_lists_are_named(tmp_path, write_image):
    write_image(tmp_path / "i.jpg", 6, 9)
    with pytest.raises(InputError, match="lists no images"):
        FrameFiles([]).examples()
    for images, depths in ([["gone.jpg"], None], [[str(tmp_path / "i.jpg")], ["gone.jpg"]]):
        with pytest.raises(InputError, match="gone.jpg: .* does not exist"):
            FrameFiles(images, depths, SCALES).examples()


def test_usable_frames_keep_their_order(tmp_path, write_image, write_depth, values):
    for name in "abcd":
        write_image(tmp_path / f"{name}.png", 12, 18)
        write_depth(tmp_path / f"{name}_depth.png", values)
    (tmp_path / "b.png").write_bytes((tmp_path / "b.png").read_bytes()[:-30])
    (tmp_path / "d_depth.png").unlink()
    images = [str(tmp_path / f"{name}.png") for name in "cbad"]
    depths = [path.replace(".png", "_depth.png") for path in images]
    seen = []
    usable, problems = FrameFiles(images, depths, SCALES).usable(
        lambda frames: (seen.append(frame) or frame for frame in frames)
    )
    assert (usable.images, usable.depths) == (images[::2], depths[::2])
    assert len(list(usable.examples())) == 2 and len(seen) == 4
    assert [problem.split(":")[0] for problem in problems] == [images[1], depths[3]]
    assert FrameFiles(images[::2]).usable() == (FrameFiles(images[::2]), [])


@pytest.mark.parametrize("way", ["absolute", "dots", "link to a file", "link to a folder"])
def test_outside_files_are_refused_unless_allowed(tmp_path, write_image, way):
    folder, outside = tmp_path / "data", tmp_path / "private"
    write_image(outside / "i.png", 6, 8)
    write_image(folder / "own.png", 6, 8)
    if way == "link to a file":
        (folder / "i.png").symlink_to(outside / "i.png")
    if way == "link to a folder":
        (folder / "sub").symlink_to(outside)
    name = {
        "absolute": str(outside / "i.png"),
        "dots": "../private/i.png",
        "link to a file": "i.png",
        "link to a folder": "sub/i.png",
    }[way]
    paths = [str(folder / "own.png"), os.path.join(folder, name)]
    frames = FrameFiles(paths, folders=(str(folder),))
    for read in (frames.examples, frames.check, frames.usable):
        with pytest.raises(OutsideError, match="i.png: .* lies outside of .*data"):
            read()
    assert len(list(FrameFiles(paths).examples())) == 2
    assert len(list(FrameFiles(paths, folders=(str(tmp_path),)).examples())) == 2


def test_the_flag_allows_outside_files(tmp_path, monkeypatch):
    folder = write_nyu(tmp_path / "data")
    folder.rename(tmp_path / "moved")
    (tmp_path / "data").mkdir()
    rows = (tmp_path / "moved/nyu2_train.csv").read_text().replace("data/", f"{tmp_path}/moved/")
    (tmp_path / "data/nyu2_train.csv").write_text(rows)
    data = Data("nyu", str(tmp_path / "data"))
    message = "moved/nyu2_train/0.jpg: .* lies outside of .*data.*give --allow_outside_paths"
    for skip in (False, True):
        with pytest.raises(InputError, match=message):
            Source(dataclasses.replace(data, skip_bad_examples=skip)).load("train")
    allowed = dataclasses.replace(data, allow_outside_paths=True)
    assert len(list(Source(allowed).load("train"))) == 4
    monkeypatch.setitem(DATASETS, "nyu_labeled", lambda split: None)
    with pytest.raises(InputError, match="--allow_outside_paths: --dataset=nyu_labeled names no"):
        Source(Data("nyu_labeled", allow_outside_paths=True)).load("train")


def test_names_that_are_not_utf_8(tmp_path, write_image, write_depth, values):
    names = [os.fsdecode(b"caf\xe9.png"), os.fsdecode(b"caf\xe9_depth.png")]
    image, depth = (os.path.join(tmp_path, name) for name in names)
    pixels = write_image(pathlib.Path(image), 12, 18)
    write_depth(pathlib.Path(depth), values)
    frames = FrameFiles([image], [depth], SCALES)
    (example,) = frames.examples().as_numpy_iterator()
    np.testing.assert_array_equal(example["image"], pixels)
    frames.check()
    pathlib.Path(image).write_bytes(b"no image")
    with pytest.raises(InputError, match="caf.*cannot be read as an image"):
        frames.check()
    write_csv(tmp_path / "t.csv", ["image"], [{"image": image}])
    assert (tmp_path / "t.csv").read_text("utf-8") == f"image\n{tmp_path}/caf\\udce9.png\n"
