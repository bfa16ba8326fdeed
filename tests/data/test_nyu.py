"""NYU in the authors' CSV layout: paths, both bit depths, and errors of broken lists."""

import numpy as np
import pytest
from PIL import Image

from tfdepthviz.data import nyu
from tfdepthviz.utils.errors import InputError


def test_8_bit_training_and_16_bit_test_pairs(tmp_path, write_image, write_depth):
    rng = np.random.default_rng(0)
    narrow = rng.integers(0, 256, (6, 8)).astype(np.uint8)
    wide = rng.integers(0, 10001, (6, 8)).astype(np.uint16)
    write_image(tmp_path / "train/1.jpg", 6, 8)
    write_depth(tmp_path / "train/1.png", narrow)
    pixels = write_image(tmp_path / "test/0_colors.png", 6, 8)
    write_depth(tmp_path / "test/0_depth.png", wide)
    (tmp_path / "nyu2_train.csv").write_text("train/1.jpg,train/1.png\n" * 3)
    (tmp_path / "nyu2_test.csv").write_text("test/0_colors.png, test/0_depth.png\n\n")
    train = nyu.files(str(tmp_path)).examples()
    test = nyu.files(str(tmp_path), "validation").examples()
    assert (len(train), len(test)) == (3, 1)
    for example in train:
        np.testing.assert_allclose(example["depth"][..., 0], narrow / 255 * 10, rtol=1e-6)
    (example,) = test
    np.testing.assert_array_equal(example["image"], pixels)
    np.testing.assert_allclose(example["depth"][..., 0], wide / 1000, rtol=1e-6)


@pytest.mark.parametrize("inside", [True, False])
def test_paths_of_the_authors_begin_with_data(tmp_path, inside, monkeypatch):
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "nyu2_train.csv").write_text("data/nyu2_train/a b.jpg,data/nyu2_train/a b.png\n")
    if inside:
        (folder / "data").mkdir()
    parent = folder if inside else tmp_path
    expected = str(parent / "data/nyu2_train/a b")
    monkeypatch.chdir(tmp_path)
    for name in (str(folder), f"{folder}/", "data", "./data/"):
        frames = nyu.files(name, "train")
        assert (frames.images, frames.depths) == ([f"{expected}.jpg"], [f"{expected}.png"])


def test_order_of_rows_and_byte_order_mark(tmp_path):
    rows = [f"{name}.jpg,{name}.png" for name in "cab"]
    (tmp_path / "nyu2_train.csv").write_text("\ufeff" + "\r\n".join(rows), encoding="utf-8")
    frames = nyu.files(str(tmp_path), "train")
    images, depths = frames.images, frames.depths
    assert images == [str(tmp_path / f"{name}.jpg") for name in "cab"]
    assert depths == [str(tmp_path / f"{name}.png") for name in "cab"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "expected nyu2_train.csv in it, found none"),
        (b"", "nyu2_train.csv: lists no pairs"),
        (b"\n\n", "nyu2_train.csv: lists no pairs"),
        (b"a.jpg,a.png\nb.jpg\n", "nyu2_train.csv, line 2: expected `image,depth`; received"),
        (b"a.jpg,a.png,1\n", "nyu2_train.csv, line 1: expected `image,depth`; received"),
        (b"a.jpg,\n", "nyu2_train.csv, line 1: expected `image,depth`; received 'a.jpg,'"),
        (b"a.jpg,a.png\n", "a.jpg: the data set names this file, but it does not exist"),
        (b"\xff\xfe\x00a\x00,\n", "nyu2_train.csv"),
        (bytes(range(256)) * 4, "nyu2_train.csv"),
    ],
)
def test_unusable_lists_are_named(tmp_path, content, says):
    if content is not None:
        (tmp_path / "nyu2_train.csv").write_bytes(content)
    with pytest.raises(InputError) as raised:
        nyu.files(str(tmp_path)).examples()
    message = str(raised.value)
    assert says in message and str(tmp_path) in message and "\n" not in message


def test_broken_file_is_named(tmp_path, write_image, write_depth):
    write_image(tmp_path / "a.jpg", 6, 8)
    write_image(tmp_path / "colour.png", 6, 8)
    write_depth(tmp_path / "a.png", np.ones((6, 8), np.uint8))
    (tmp_path / "nyu2_train.csv").write_text("a.jpg,a.png\na.jpg,colour.png\n")
    with pytest.raises(InputError, match="colour.png: a depth map must be a grey PNG of 8 or 16"):
        nyu.files(str(tmp_path), "train").check()


def test_real_pairs(real_data):
    folder = real_data("nyu")
    counts = {split: len(nyu.files(str(folder), split)) for split in nyu.CSV_FILES}
    assert counts == {"train": 795, "validation": 654}
    frames = nyu.files(str(folder), "validation")
    images, depths = frames.images, frames.depths
    example = next(iter(frames.examples()))
    np.testing.assert_array_equal(example["image"].shape, np.asarray(Image.open(images[0])).shape)
    expected = np.asarray(Image.open(depths[0])) / 255 * 10
    np.testing.assert_allclose(example["depth"][..., 0], expected, rtol=1e-5)
