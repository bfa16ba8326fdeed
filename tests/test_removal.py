"""Removal; expected values from NumPy, SciPy, and a dense linear system."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage

from tfdepthviz import masks
from tfdepthviz.removal import REMOVALS, check_removal, removed
from tfdepthviz.utils.constants import IMAGENET_MEAN, IMAGENET_STD
from tfdepthviz.utils.errors import InputError

SIZE = (9, 13)
RNG = np.random.default_rng(0)
IMAGE = RNG.normal(size=(2, *SIZE, 3)).astype("float32")
MASK = (RNG.random((2, *SIZE, 1)) < 0.4).astype("float32")


def arrays(*args, **kwargs):
    return keras.ops.convert_to_numpy(removed(*args, **kwargs))


def test_mean_colour_is_the_published_product():
    np.testing.assert_array_equal(arrays(IMAGE, MASK), masks.apply_mask(IMAGE, MASK))


def test_black_is_rgb_0():
    rgb = arrays(IMAGE, MASK, "black") * IMAGENET_STD + IMAGENET_MEAN
    np.testing.assert_allclose(rgb[MASK[..., 0] == 0], 0, atol=1e-6)


@pytest.mark.parametrize("kind", REMOVALS)
def test_kept_pixels_stay(kind):
    shown, kept = arrays(IMAGE, MASK, kind), MASK[..., 0] == 1
    assert shown.dtype == "float32"
    np.testing.assert_array_equal(shown[kept], IMAGE[kept])


@pytest.mark.parametrize("kind", ["black", "blur"])
def test_grey_levels_mix(kind):
    half = arrays(IMAGE, 0 * MASK + 0.5, kind)
    np.testing.assert_allclose(half, (IMAGE + arrays(IMAGE, 0 * MASK, kind)) / 2, atol=1e-6)


def test_blur_against_scipy():
    blurred = ndimage.gaussian_filter(IMAGE[0], (0.9, 0.9, 0), mode="mirror", radius=(3, 3, 0))
    np.testing.assert_allclose(arrays(IMAGE, 0 * MASK, "blur")[0], blurred, atol=1e-5)


def test_noise():
    first, again = (arrays(IMAGE[:count], 0 * MASK[:count], "noise") for count in (1, 2))
    # The same picture however the set is cut into batches.
    np.testing.assert_array_equal(first[0], again[1])
    own = RNG.normal(size=IMAGE.shape).astype("float32")
    np.testing.assert_allclose(arrays(IMAGE, 0 * MASK, "noise", noise=own), own)


def test_linear_fill_against_a_dense_system():
    filled = arrays(IMAGE, MASK, "linear", noise=0 * IMAGE)
    for image, mask, result in zip(IMAGE, MASK[..., 0], filled, strict=True):
        places = list(np.ndindex(*SIZE))
        matrix, constants = np.eye(len(places)), np.zeros((len(places), 3))
        for number, (row, column) in enumerate(places):
            if mask[row, column]:
                constants[number] = image[row, column]
                continue
            near = [(r, c) for r, c in places if max(abs(r - row), abs(c - column)) == 1]
            weights = [1 / 6 if r == row or c == column else 1 / 12 for r, c in near]
            for place, weight in zip(near, weights, strict=True):
                matrix[number, places.index(place)] = -weight / sum(weights)
        expected = np.linalg.solve(matrix, constants).reshape(*SIZE, 3)
        np.testing.assert_allclose(result, expected, atol=1e-5)


def test_linear_fill_of_nothing_and_of_everything():
    noise = 0 * IMAGE
    np.testing.assert_array_equal(arrays(IMAGE, 0 * MASK, "linear", noise), 0 * IMAGE)
    np.testing.assert_array_equal(arrays(IMAGE, 0 * MASK + 1, "linear", noise), IMAGE)


def test_linear_is_refused_in_graphs():
    with pytest.raises(InputError, match="removal=linear: solves a linear system"):
        compiled = tf.function(removed, autograph=False)
        compiled(tf.constant(IMAGE), tf.constant(MASK), "linear")
    with pytest.raises(InputError, match="one of mean, black, noise, blur$"):
        check_removal("linear", in_graph=True)


def test_unknown_kind():
    with pytest.raises(InputError, match="one of mean, black, .*Received: 'grey'"):
        removed(IMAGE, MASK, "grey")


@pytest.mark.parametrize("kind", ["black", "noise", "blur"])
def test_gradient_of_the_mask(kind):
    """d shown / d M = I - fill, so a training can follow it."""
    mask = tf.constant(MASK)
    with tf.GradientTape() as tape:
        tape.watch(mask)
        total = tf.reduce_sum(removed(IMAGE, mask, kind))
    expected = (IMAGE - arrays(IMAGE, 0 * MASK, kind)).sum(-1, keepdims=True)
    np.testing.assert_allclose(tape.gradient(total, mask), expected, atol=1e-4)
