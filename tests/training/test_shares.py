"""Shares of a ranking: how they are drawn, their parts, and the running means of each part."""

import numpy as np
import pytest
import tensorflow as tf

from tfdepthviz.training.shares import BINS, RATE, Shares, bounds, updated_means
from tfdepthviz.utils.errors import InputError


def log_place(drawn, low, high):
    """Place of each share between the logarithms of the two bounds, 0 to 1."""
    # float32 may round the least share down.
    return np.maximum(np.log(np.float64(drawn) / low), 0) / np.log(high / low)


@pytest.mark.parametrize("smaller", [1.0, 1.5])
def test_one_share_in_each_part(smaller):
    shares = Shares(0.02, 0.9, smaller)
    for step in range(20):
        drawn = shares.draw(8, (3, step)).numpy()
        assert drawn.dtype == np.float32 and drawn.min() >= 0.02 and drawn.max() <= 0.9 + 1e-6
        u = log_place(drawn, 0.02, 0.9) ** (1 / smaller)
        np.testing.assert_array_equal(np.sort(np.floor(8 * u)), np.arange(8))


def test_distribution():
    """Against the quantiles of log a = log 0.02 + u^1.5 log 45, u uniform."""
    shares = Shares(0.02, 0.9)
    drawn = np.concatenate([shares.draw(8, (0, step)) for step in range(500)])
    quantiles = np.array([0.1, 0.25, 0.5, 0.75, 0.9])
    expected = np.exp(np.log(0.02) + quantiles**1.5 * np.log(45))
    np.testing.assert_allclose(np.quantile(drawn, quantiles), expected, rtol=0.06)
    # An image's place in the batch does not tell its share: the mean u of each is 1/2, and of 500
    # draws it has a standard deviation of 0.29 / 500^0.5.
    u = log_place(drawn, 0.02, 0.9).reshape(500, 8) ** (1 / 1.5)
    np.testing.assert_allclose(u.mean(axis=0), 0.5, rtol=0, atol=5 * 0.29 / 500**0.5)


def test_draws_depend_on_the_seed_alone():
    draws = [Shares(0.02, 0.9).draw(8, seed).numpy() for seed in ((0, 1), (0, 1), (0, 2), (1, 1))]
    np.testing.assert_array_equal(draws[0], draws[1])
    assert (draws[0] != draws[2]).all() and (draws[0] != draws[3]).all()


def test_single_share():
    shares = Shares(0.36, 0.36)
    np.testing.assert_array_equal(shares.draw(5, (0, 1)), np.full(5, 0.36, "float32"))
    np.testing.assert_array_equal(shares.bins(tf.constant([0.36, 0.36])), [0, 0])


def test_bins():
    # Each part is a factor of 2 wide.
    shares = Shares(1 / 256 / 2, 0.5)
    edges = np.float32(2.0 ** np.arange(-9, 0))
    middles = edges[:-1] * 1.4
    np.testing.assert_array_equal(shares.bins(tf.constant(middles)), np.arange(8))
    np.testing.assert_array_equal(shares.bins(tf.constant(edges[[0, -1]])), [0, 7])


def test_running_means():
    """Against each bin's exponential mean, image by image, divided by its sum of weights."""
    rng = np.random.default_rng(0)
    state = tf.zeros((2, BINS))
    seen = [[] for _ in range(BINS)]
    for size in (1, 4, 8, 8):
        values, bins = rng.uniform(0.1, 2, size).astype("float32"), rng.integers(0, 4, size)
        state, means = updated_means(state, values, tf.constant(bins, tf.int32))
        for bin in set(bins):
            seen[bin].append(values[bins == bin])
        for bin, mean in zip(bins, means.numpy(), strict=True):
            total = weight = 0.0
            for together in seen[bin]:
                total = (1 - RATE) ** len(together) * total + RATE * together.sum()
                weight = (1 - RATE) ** len(together) * weight + RATE * len(together)
            np.testing.assert_allclose(mean, total / weight, rtol=1e-5)
    np.testing.assert_array_equal(state[:, 4:], np.zeros((2, 4)))


def test_first_mean_is_that_of_its_values():
    values = tf.constant([1.0, 3.0, 5.0])
    _, means = updated_means(tf.zeros((2, BINS)), values, tf.constant([2, 2, 0]))
    np.testing.assert_allclose(means, [2, 2, 5], rtol=1e-6)


def test_running_means_of_parts_of_a_batch():
    """Two replicas that add up their parts have the state of one with the whole batch."""
    values, bins = tf.constant([1.0, 3.0, 5.0, 2.0]), tf.constant([2, 2, 0, 2])
    state = tf.constant(np.random.default_rng(0).random((2, BINS)), tf.float32)
    whole, means = updated_means(state, values, bins)
    parts = []
    for part in (slice(0, 2), slice(2, 4)):
        updated_means(state, values[part], bins[part], lambda own: parts.append(own) or own)
    total = parts[0] + parts[1]
    for part in (slice(0, 2), slice(2, 4)):
        after, of_part = updated_means(state, values[part], bins[part], lambda own: total)
        np.testing.assert_array_equal(after, whole)
        np.testing.assert_array_equal(of_part, means[part])


def test_bounds():
    assert bounds("0.36") == bounds(0.36) == (0.36, 0.36)
    assert bounds("0.02:0.9") == (0.02, 0.9)
    for text in ("", "few", "0.1:0.2:0.3", "0.1:"):
        with pytest.raises(ValueError):
            bounds(text)


@pytest.mark.parametrize("ends", [(0.0, 0.5), (0.5, 1.0), (0.9, 0.02), (float("nan"), 0.5)])
def test_impossible_ranges(ends):
    with pytest.raises(InputError, match="keep must be a share, or LOW:HIGH with 0 < LOW <= HIGH"):
        Shares(*ends)
