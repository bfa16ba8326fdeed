"""Resize and interleaving against loops over pixels."""

import keras
import numpy as np
import pytest
from keras import ops

from tfdepthviz.models.layers import AlignedResize, Interleave, aligned_resize


def resize_pixel_by_pixel(image, size):
    """Bilinear with aligned corners from its definition: weigh the four pixels around a point."""
    batch, height, width, channels = image.shape
    out = np.empty((batch, *size, channels))
    for i, j in np.ndindex(*size):
        y = i * (height - 1) / max(size[0] - 1, 1)
        x = j * (width - 1) / max(size[1] - 1, 1)
        top, left = int(y), int(x)
        bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
        above = image[:, top, left] * (1 - x + left) + image[:, top, right] * (x - left)
        below = image[:, bottom, left] * (1 - x + left) + image[:, bottom, right] * (x - left)
        out[:, i, j] = above * (1 - y + top) + below * (y - top)
    return out


@pytest.mark.parametrize("size", [(14, 18), (3, 20), (7, 4), (1, 9), (7, 9)])
@pytest.mark.parametrize("dtype, tolerance", [("float32", 1e-6), ("float64", 1e-12)])
def test_bilinear_with_aligned_corners(size, dtype, tolerance):
    image = np.random.default_rng(0).normal(size=(2, 7, 9, 3)).astype(dtype)
    resized = ops.convert_to_numpy(aligned_resize(ops.convert_to_tensor(image), size))
    assert resized.dtype == dtype
    np.testing.assert_allclose(resized, resize_pixel_by_pixel(image, size), atol=tolerance)


def test_one_pixel_is_repeated():
    image = np.random.default_rng(0).normal(size=(1, 1, 1, 2)).astype("float32")
    resized = ops.convert_to_numpy(AlignedResize((3, 5), name="resize")(image))
    np.testing.assert_array_equal(resized, np.broadcast_to(image, (1, 3, 5, 2)))


def test_unknown_input_size():
    with pytest.raises(ValueError, match="known height and width"):
        aligned_resize(keras.Input((None, 9, 3)), (4, 4))


def test_layer_from_its_configuration():
    layer = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(AlignedResize((4, 6), name="resize"))
    )
    assert (layer.size, layer.name) == ((4, 6), "resize")
    assert layer.compute_output_shape((None, 2, 3, 8)) == (None, 4, 6, 8)


def test_interleave():
    a, b, c, d = np.random.default_rng(0).normal(size=(4, 2, 3, 4, 5)).astype("float32")
    out = ops.convert_to_numpy(Interleave(name="interleave")([a, b, c, d]))
    assert out.shape == (2, 6, 8, 5)
    np.testing.assert_array_equal(out[:, 0::2, 0::2], a)
    np.testing.assert_array_equal(out[:, 1::2, 0::2], b)
    np.testing.assert_array_equal(out[:, 0::2, 1::2], c)
    np.testing.assert_array_equal(out[:, 1::2, 1::2], d)
