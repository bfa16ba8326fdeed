"""Reading of image and depth files."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tfdepthviz.data import examples, image_files

SCALES = {8: 10 / 255, 16: 0.001}


@pytest.fixture
def values():
    return np.random.default_rng(0).integers(0, 65536, (6, 9)).astype(np.uint16)


def test_depth_of_8_and_16_bits_in_metres(tmp_path, write_depth, values):
    narrow = (values >> 8).astype(np.uint8)
    narrow[0, :2], values[0, :2] = (0, 255), (0, 65535)
    for name, written in (("8.png", narrow), ("16.png", values)):
        write_depth(tmp_path / name, written)
    for path, expected in (("8.png", narrow / 25.5), ("16.png", values / 1000)):
        for read in (examples.read_depth, tf.function(examples.read_depth)):
            depth = read(str(tmp_path / path), SCALES)
            assert depth.dtype == tf.float32 and depth.shape == (6, 9, 1)
            np.testing.assert_allclose(depth[..., 0], expected, rtol=1e-6)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1"])
def test_images_of_all_kinds_become_rgb(tmp_path, mode):
    rgb = Image.fromarray(np.random.default_rng(1).integers(0, 256, (5, 8, 3), np.uint8))
    image = rgb.convert(mode)
    image.save(tmp_path / "i.png")
    read = image_files.read(tmp_path / "i.png")
    assert read.dtype == np.uint8
    # Alpha is taken off as it is; PIL's own conversion to RGB does the same.
    np.testing.assert_array_equal(read, np.asarray(image.convert("RGB")))
