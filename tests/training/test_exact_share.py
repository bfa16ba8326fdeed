"""exact_share: values and gradients against float64, sums, ties, extreme shares, other dtypes."""

import numpy as np
import pytest
import tensorflow as tf

from tfdepthviz.masks import top_share_mask
from tfdepthviz.training.relaxations import exact_share
from tfdepthviz.utils.errors import InputError

SHAPE = (3, 30, 40, 1)
SHARES = np.array([0.05, 0.36, 0.9], "float32")
# float32 adds up 1,200 values to about this.
SUM_ERROR = 2e-6


def drawn(kind="normal", shape=SHAPE, seed=0):
    rng = np.random.default_rng(seed)
    scores = rng.standard_cauchy(shape) if kind == "heavy tails" else rng.normal(size=shape)
    if kind == "outlier":
        scores[:, 7, 9] = 1e4
    if kind == "ties":
        scores = np.round(scores)
    return scores.astype("float32")


def in_float64(scores, share, temperature):
    """The definition in NumPy: 200 halvings of a range that surely holds the level."""
    shown = []
    for image, a in zip(np.float64(scores), np.float64(share), strict=True):
        z = (image - image.mean()) / np.sqrt(image.var() + 1e-6) / temperature
        low, high = z.min() - 50, z.max() + 50
        for _ in range(200):
            level = (low + high) / 2
            p = 0.5 + 0.5 * np.tanh((z - level) / 2)
            low, high = (level, high) if p.mean() > a else (low, level)
        shown.append(p)
    return np.array(shown)


def gradient(scores, weights, share=SHARES, temperature=0.1):
    scores = tf.constant(scores)
    with tf.GradientTape() as tape:
        tape.watch(scores)
        total = tf.reduce_sum(exact_share(scores, share, temperature) * weights)
    return tape.gradient(total, scores)


@pytest.mark.parametrize("temperature", [0.3, 0.03])
@pytest.mark.parametrize("kind", ["normal", "ties", "outlier", "heavy tails"])
def test_values_and_sums(kind, temperature):
    scores = drawn(kind)
    p = exact_share(scores, SHARES, temperature).numpy().astype("float64")
    np.testing.assert_allclose(p, in_float64(scores, SHARES, temperature), rtol=0, atol=3e-5)
    np.testing.assert_allclose(p.mean(axis=(1, 2, 3)), SHARES, rtol=0, atol=SUM_ERROR)


@pytest.mark.parametrize("temperature", [1.0, 0.1])
def test_numeric_gradient(temperature):
    scores = drawn(shape=(3, 4, 5, 1)).astype("float64")
    weights = np.random.default_rng(1).normal(size=scores.shape)
    numeric = np.zeros_like(scores)
    for place in np.ndindex(scores.shape):
        step = np.zeros_like(scores)
        step[place] = 1e-5
        totals = [
            (in_float64(scores + sign * step, SHARES, temperature) * weights).sum()
            for sign in (-1, 1)
        ]
        numeric[place] = (totals[1] - totals[0]) / 2e-5
    received = gradient(scores.astype("float32"), weights.astype("float32"), SHARES, temperature)
    scale = np.abs(numeric).max(axis=(1, 2, 3), keepdims=True)
    np.testing.assert_allclose(received / scale, numeric / scale, rtol=0, atol=2e-4)


def test_zero_temperature_is_the_sorted_top_share():
    rng = np.random.default_rng(0)
    scores = np.stack([rng.permutation(1200) for _ in SHARES]).reshape(SHAPE).astype("float32")
    share = np.float32(np.array([0, 321, 1199]) / 1200)
    # Neighbours are 288 temperatures apart.
    p = exact_share(scores, share, 1e-5)
    np.testing.assert_allclose(p, top_share_mask(scores, share), rtol=0, atol=6e-3)


def test_equal_scores_have_equal_values():
    scores = drawn("ties")
    p = exact_share(scores, SHARES, 0.01).numpy()
    for image, values in zip(scores, p, strict=True):
        of_score = [np.unique(values[image == score]) for score in np.unique(image)]
        assert all(len(each) == 1 for each in of_score)
        assert (np.diff(np.concatenate(of_score)) >= 0).all()


@pytest.mark.parametrize("level", [0.0, -3.7, 1e4])
def test_constant_scores(level):
    scores = np.full(SHAPE, level, "float32")
    p = exact_share(scores, SHARES, 0.1).numpy()
    np.testing.assert_allclose(p - SHARES[:, None, None, None], 0, atol=1e-6)
    weights = np.random.default_rng(1).normal(size=SHAPE).astype("float32")
    received = gradient(scores, weights).numpy()
    # By hand: d is the same everywhere, and the deviation is that of LEAST_VARIANCE.
    centred = weights - weights.mean(axis=(1, 2, 3), keepdims=True)
    d = (SHARES * (1 - SHARES) / 0.1 / 1e-3)[:, None, None, None]
    np.testing.assert_allclose(received, d * centred, rtol=2e-3, atol=1e-2 * d.max())


@pytest.mark.parametrize("share", [0.0, 1e-5, 1e-3, 0.999, 1.0])
@pytest.mark.parametrize("temperature", [0.3, 1e-3])
def test_shares_near_0_and_1(share, temperature):
    for scores in (drawn(), drawn("outlier"), np.zeros(SHAPE, "float32")):
        p = exact_share(scores, [share] * 3, temperature).numpy().astype("float64")
        assert p.min() >= 0 and p.max() <= 1
        np.testing.assert_allclose(p.mean(axis=(1, 2, 3)), share, rtol=0, atol=SUM_ERROR)
        weights = np.random.default_rng(1).normal(size=SHAPE).astype("float32")
        assert np.isfinite(gradient(scores, weights, [share] * 3, temperature)).all()


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_scores_of_half_precision(dtype):
    scores = tf.cast(drawn(), dtype)
    p = exact_share(scores, SHARES, 0.1)
    assert p.dtype == tf.float32
    np.testing.assert_array_equal(p, exact_share(tf.cast(scores, tf.float32), SHARES, 0.1))
    received = gradient(scores, drawn(seed=1))
    assert received.dtype == dtype and np.isfinite(tf.cast(received, tf.float32)).all()


def test_scores_of_float64():
    scores = np.float64(drawn())
    p = exact_share(scores, SHARES, 0.1)
    assert p.dtype == tf.float64
    np.testing.assert_allclose(p, in_float64(scores, SHARES, 0.1), rtol=0, atol=2e-6)
    assert gradient(scores, np.float64(drawn(seed=1))).dtype == tf.float64


def test_share_of_each_image():
    scores = drawn()
    together = exact_share(scores, SHARES, 0.1).numpy()
    for image, share, p in zip(scores, SHARES, together, strict=True):
        np.testing.assert_allclose(exact_share(image[None], [share], 0.1)[0], p, atol=1e-6)
    same = exact_share(scores, 0.36, 0.1)
    np.testing.assert_array_equal(same, exact_share(scores, [0.36] * 3, 0.1))


def test_larger_share_keeps_no_pixel_less():
    scores = drawn()
    shown = [exact_share(scores, share, 0.1).numpy() for share in (0.05, 0.2, 0.36, 0.8)]
    assert (np.diff(shown, axis=0) >= 0).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_bad_scores_are_not_hidden(bad):
    scores = drawn()
    scores[1, 3, 4] = bad
    p = exact_share(scores, SHARES, 0.1).numpy()
    assert np.isnan(p[1]).all() and np.isfinite(p[[0, 2]]).all()
    np.testing.assert_array_equal(p[0], exact_share(drawn(), SHARES, 0.1)[0])


def test_scale_and_shift_change_nothing():
    scores, weights = drawn(), drawn(seed=1)
    expected = exact_share(scores, SHARES, 0.1)
    for scale, shift in ((20.0, 0.0), (1.0, 5.0), (0.5, -30.0)):
        p = exact_share(scale * scores + shift, SHARES, 0.1)
        np.testing.assert_allclose(p, expected, rtol=0, atol=1e-4)
    received = gradient(scores, weights).numpy()
    size = np.abs(received).sum(axis=(1, 2, 3))
    # Neither a common shift nor a common scale has a gradient.
    assert (np.abs(received.sum(axis=(1, 2, 3))) < 1e-5 * size).all()
    assert (np.abs((received * scores).sum(axis=(1, 2, 3))) < 1e-5 * size).all()


def test_constant_deviation():
    scores, weights = tf.constant(drawn()), drawn(seed=1)
    deviation = np.std(scores, axis=(1, 2, 3), keepdims=True)
    with tf.GradientTape() as tape:
        tape.watch(scores)
        p = exact_share(scores, SHARES, 0.1, constant_deviation=True)
        total = tf.reduce_sum(p * weights)
    np.testing.assert_array_equal(p, exact_share(scores, SHARES, 0.1))
    # By hand: the implicit gradient of the logistic function's share.
    d = np.float64(p * (1 - p)) / (0.1 * deviation)
    mean = (d * weights).sum(axis=(1, 2, 3), keepdims=True) / d.sum(axis=(1, 2, 3), keepdims=True)
    expected = d * (weights - mean)
    received = tape.gradient(total, scores)
    np.testing.assert_allclose(received, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


def test_unknown_shapes_when_compiled():
    compiled = tf.function(
        exact_share,
        input_signature=[
            tf.TensorSpec((None, None, None, 1)),
            tf.TensorSpec((None,)),
            tf.TensorSpec(()),
        ],
    )
    p = compiled(drawn(), SHARES, 0.1)
    np.testing.assert_allclose(p, exact_share(drawn(), SHARES, 0.1), rtol=0, atol=1e-6)


@pytest.mark.parametrize("shape", [(30, 40, 1), (3, 30, 40), (3, 30, 40, 3)])
def test_scores_of_another_shape(shape):
    with pytest.raises(InputError, match=r"scores must be \(B, H, W, 1\). Received: shape"):
        exact_share(np.zeros(shape, "float32"), SHARES, 0.1)


@pytest.mark.parametrize("share", [[0.3], [0.3, 0.4], [[0.3], [0.4], [0.5]]])
def test_shares_of_another_number(share):
    with pytest.raises(InputError, match=r"share must be \(B,\), one for each of 3 images"):
        exact_share(drawn(), share, 0.1)
