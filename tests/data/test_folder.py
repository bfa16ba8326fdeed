"""A folder of plain images: order, suffixes, the split, and errors."""

import numpy as np
import pytest
import tensorflow as tf

from tfdepthviz.data import folder, image_files
from tfdepthviz.utils.errors import InputError


def test_images_are_sorted_by_path(tmp_path, write_image):
    for index, name in enumerate(["b.JPG", "a/z.PNG", "c.jpeg", "a/k.png"]):
        write_image(tmp_path / name, 6, 9, seed=index)
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / "._b.JPG").write_bytes(b"a file system's own notes")
    frames = folder.files(str(tmp_path))
    paths, depths = frames.images, frames.depths
    assert [str(tmp_path / name) for name in ("a/k.png", "a/z.PNG", "b.JPG", "c.jpeg")] == paths
    assert depths is None
    assert len(folder.files(str(tmp_path)).examples()) == 4


def test_exact_pixels_and_missing_depth(tmp_path, write_image):
    pixels = [write_image(tmp_path / f"{i}.png", 6 + i, 9, seed=i) for i in range(2)]
    for index, example in enumerate(folder.files(str(tmp_path)).examples().as_numpy_iterator()):
        np.testing.assert_array_equal(example["image"], pixels[index])
        eager = image_files.read(tmp_path / f"{index}.png")
        np.testing.assert_array_equal(eager, pixels[index])
        assert example["depth"].dtype == np.float32
        np.testing.assert_array_equal(example["depth"], np.zeros((6 + index, 9, 1)))


def test_the_last_tenth_is_held_out(tmp_path, write_image):
    for index in range(12):
        write_image(tmp_path / f"{index:02}.png", 2, 3)
    train = folder.files(str(tmp_path), "train").images
    validation = folder.files(str(tmp_path), "validation").images
    assert validation == [str(tmp_path / "11.png")]
    assert train + validation == folder.files(str(tmp_path)).images


@pytest.mark.parametrize("case", ["missing", "file", "empty", "one"])
def test_unusable_folders_are_named(tmp_path, write_image, case):
    path, split = tmp_path / "images", None
    if case == "file":
        path.write_text("")
    elif case != "missing":
        path.mkdir()
    if case == "one":
        split = "train"
        write_image(path / "a.png", 2, 3)
    says = {
        "missing": "no such folder",
        "file": "expected a folder of images or one image",
        "empty": "expected .jpg, .jpeg, .jfif, .png, .webp, .bmp, .tif, .tiff",
        "one": "expected at least 2 images",
    }
    with pytest.raises(InputError) as raised:
        folder.files(str(path), split).examples()
    message = str(raised.value)
    assert says[case] in message and f"data_dir={path}" in message and "\n" not in message


@pytest.mark.parametrize("name", ["cut.jpg", "cut.png", "text.png", "empty.jpg"])
def test_a_broken_image_fails_and_is_named(tmp_path, write_image, name):
    write_image(tmp_path / "a.png", 20, 30)
    broken = tmp_path / name
    if name.startswith("cut"):
        write_image(broken, 20, 30)
        broken.write_bytes(broken.read_bytes()[:-200])
    else:
        broken.write_bytes(b"no image\n" if name.startswith("text") else b"")
    with pytest.raises(tf.errors.InvalidArgumentError):
        list(folder.files(str(tmp_path)).examples())
    with pytest.raises(InputError) as raised:
        folder.files(str(tmp_path)).check()
    assert str(broken) in str(raised.value) and "\n" not in str(raised.value)


def test_unknown_split(tmp_path, write_image):
    write_image(tmp_path / "a.png", 2, 3)
    with pytest.raises(ValueError, match="Received: 'test'"):
        folder.files(str(tmp_path), "test").examples()
