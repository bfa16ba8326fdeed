"""Noise on the scores: its size and smoothness, its seed, and the scores that it is added to."""

import numpy as np
import pytest
import tensorflow as tf

from tfdepthviz.training.perturbation import perturbed, smooth_noise

SIZE = (45, 62)
SCORES = np.random.default_rng(0).normal(3, 5, (3, *SIZE, 1)).astype("float32")


def test_noise_is_smooth():
    noise = smooth_noise(200, SIZE, (0, 1)).numpy()
    assert noise.shape == (200, *SIZE, 1)
    np.testing.assert_allclose(noise.mean(), 0, atol=0.02)
    np.testing.assert_allclose(noise.std(), 0.8, atol=0.1)

    def correlation(pixels):
        return np.corrcoef(noise[:, :, pixels:].ravel(), noise[:, :, :-pixels].ravel())[0, 1]

    assert correlation(1) > 0.85 and abs(correlation(12)) < 0.05


def test_noise_by_seed():
    first, again, other = (smooth_noise(2, SIZE, seed).numpy() for seed in ((3, 1), (3, 1), (3, 2)))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1
    assert np.abs(first[0] - first[1]).max() > 1  # each image has its own


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_perturbed_scores(dtype):
    noise = smooth_noise(3, SIZE, (0, 0))
    scores = tf.cast(SCORES, dtype)
    exact = np.asarray(scores, "float64")
    axes = {"axis": (1, 2, 3), "keepdims": True}
    expected = (exact - exact.mean(**axes)) / exact.std(**axes) + 0.4 * noise.numpy()
    np.testing.assert_allclose(perturbed(scores, noise, 0.4), expected, atol=1e-4)


def test_equal_scores():
    noise = smooth_noise(3, SIZE, (0, 0))
    np.testing.assert_array_equal(perturbed(0 * SCORES + 7, noise, 0.5), 0.5 * noise)


def test_gradient_ignores_scale_and_shift():
    noise = smooth_noise(3, SIZE, (0, 0))
    with tf.GradientTape() as tape:
        scores = tf.Variable(SCORES)
        total = tf.reduce_sum(perturbed(scores, noise, 0.4) ** 3)
    gradient = tape.gradient(total, scores).numpy()
    assert np.abs(gradient).max() > 1e-2
    np.testing.assert_allclose(gradient.sum(axis=(1, 2, 3)), 0, atol=1e-2)
    np.testing.assert_allclose((gradient * SCORES).sum(axis=(1, 2, 3)), 0, atol=5e-2)
