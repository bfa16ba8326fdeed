"""Masks; expected values from NumPy pixel by pixel, and by hand."""

import keras
import numpy as np
import pytest

from tfdepthviz import masks
from tfdepthviz.utils.errors import InputError


def sobel_pixel_by_pixel(image):
    grey = image @ np.array([0.2989, 0.5870, 0.1140])
    kernel = np.array([[1, 0, -1], [2, 0, -2], [1, 0, -1]])
    padded = np.pad(grey, ((0, 0), (1, 1), (1, 1)), mode="edge")
    out = np.zeros_like(grey)
    for b, i, j in np.ndindex(*grey.shape):
        window = padded[b, i : i + 3, j : j + 3]
        out[b, i, j] = np.hypot((window * kernel).sum(), (window * kernel.T).sum())
    return out[..., None]


@pytest.mark.parametrize("dtype, rtol", [("float32", 1e-4), ("float64", 1e-12)])
def test_edge_strength_is_the_sobel_magnitude(dtype, rtol):
    image = np.random.default_rng(0).random((2, 7, 11, 3))
    got = keras.ops.convert_to_numpy(masks.edge_strength(image.astype(dtype)))
    assert got.dtype == dtype
    np.testing.assert_allclose(got, sobel_pixel_by_pixel(image), rtol=rtol)


def test_border_of_an_even_image_is_no_edge():
    image = np.full((1, 5, 8, 3), 0.7, "float32")
    np.testing.assert_allclose(masks.edge_strength(image), 0, atol=1e-6)


def test_apply_mask_removes_pixels_from_all_channels():
    image = np.random.default_rng(1).normal(size=(2, 3, 5, 3)).astype("float32")
    mask = np.zeros((2, 3, 5, 1), "float64")
    mask[0, 1, 2], mask[1, 2, 4] = 1.0, 0.5
    got = keras.ops.convert_to_numpy(masks.apply_mask(image, mask))
    expected = np.zeros_like(image)
    expected[0, 1, 2], expected[1, 2, 4] = image[0, 1, 2], image[1, 2, 4] / 2
    assert got.dtype == "float32"
    np.testing.assert_allclose(got, expected, rtol=1e-6)


@pytest.mark.parametrize("shape", [(2, 3, 5, 3), (2, 5, 3, 1), (1, 3, 5, 1), (3, 5, 1)])
def test_apply_mask_broadcasts_nothing_but_channels(shape):
    with pytest.raises(InputError, match="Received: shape"):
        masks.apply_mask(np.zeros((2, 3, 5, 3), "float32"), np.ones(shape, "float32"))


def test_binarise_is_strict():
    mask = np.array([0.0, 0.025, 0.026, 1.0]).reshape(1, 2, 2, 1)
    got = keras.ops.convert_to_numpy(masks.binarise(mask))
    assert got.dtype == "float64" and got.ravel().tolist() == [0, 0, 1, 1]
    assert np.ravel(masks.binarise(mask, threshold=0.026)).tolist() == [0, 0, 0, 1]


def test_top_share_breaks_ties_in_reading_order():
    scores = np.array([[3, 1, 3], [2, 3, 0]], "float32").reshape(1, 2, 3, 1)
    for k, expected in enumerate(
        [[0, 0, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0], [1, 0, 1, 0, 0, 0], [1, 0, 1, 0, 1, 0]]
    ):
        assert np.ravel(masks.top_share_mask(scores, [k / 6])).tolist() == expected


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_exact_share_of_each_image(dtype):
    scores = np.random.default_rng(2).random((3, 228, 304, 1)).astype(dtype)
    counts = np.array([0, 12345, 228 * 304])
    mask = keras.ops.convert_to_numpy(
        masks.top_share_mask(scores, (counts / (228 * 304)).astype(dtype))
    )
    assert mask.dtype == dtype and set(np.unique(mask)) == {0, 1}
    assert mask.sum(axis=(1, 2, 3)).tolist() == counts.tolist()
    kept = scores[1][mask[1] == 1]
    assert kept.min() > scores[1][mask[1] == 0].max()


def test_random_mask_has_exact_share_and_a_seed():
    shape, share = (2, 9, 13, 1), np.array([0.25, 0.5], "float32")
    mask = keras.ops.convert_to_numpy(masks.random_mask(shape, share, seed=4))
    assert mask.sum(axis=(1, 2, 3)).tolist() == [29, 58]
    np.testing.assert_array_equal(mask, masks.random_mask(shape, share, seed=4))
    assert (mask != keras.ops.convert_to_numpy(masks.random_mask(shape, share, seed=5))).any()


def test_random_mask_is_independent_of_the_batch():
    share = np.array([0.25, 0.5, 0.5], "float32")
    whole = keras.ops.convert_to_numpy(masks.random_mask((3, 9, 13, 1), share, seed=4))
    part = keras.ops.convert_to_numpy(masks.random_mask((2, 9, 13, 1), share[1:], seed=4, first=1))
    np.testing.assert_array_equal(whole[1:], part)
    assert (whole[1] != whole[2]).any()


def test_random_pixels_are_equally_likely():
    draws = keras.ops.convert_to_numpy(
        masks.random_mask((400, 4, 6, 1), np.full(400, 0.25), seed=0)
    )
    drawn = draws.sum(axis=0)
    # 400 draws of a quarter: 100, standard deviation 8.7.
    assert 50 < drawn.min() and drawn.max() < 150
