"""Relaxations by hand, their gradients and their seeds."""

import numpy as np
import pytest
import tensorflow as tf

from tfdepthviz.masks import top_share_mask
from tfdepthviz.training.relaxations import (
    RELAXATIONS,
    SEARCH_SOFTNESS,
    binary_top_share,
    check_relaxation,
    exact_share,
    relaxed,
)
from tfdepthviz.utils.errors import InputError

SHAPE = (2, 60, 80, 1)


def masks(seed=0):
    return tf.constant(np.random.default_rng(seed).random(SHAPE, "float32"))


def shown(name, mask, done=0.0, seed=(0, 0)):
    return relaxed(name, mask, done=done, seed=tf.constant(seed))


def gradient(name, mask, **more):
    with tf.GradientTape() as tape:
        tape.watch(mask)
        total = tf.reduce_sum(shown(name, mask, **more))
    return tape.gradient(total, mask).numpy()


def test_none_is_the_mask_itself():
    np.testing.assert_array_equal(shown("none", masks()), masks())


def test_stochastic_masks_are_binary_with_equal_mean():
    level = tf.fill(SHAPE, 0.3)
    drawn = shown("stochastic", level).numpy()
    assert set(np.unique(drawn)) <= {0.0, 1.0}
    # Of 9,600 draws: five standard deviations.
    assert abs(drawn.mean() - 0.3) < 5 * np.sqrt(0.3 * 0.7 / level.numpy().size)
    np.testing.assert_array_equal(gradient("stochastic", level), np.ones(SHAPE))


@pytest.mark.parametrize(("done", "temperature"), [(0.0, 1.0), (0.5, 10**-0.5), (1.0, 0.1)])
def test_concrete_masks_sharpen(done, temperature):
    mask = masks()
    u = tf.random.stateless_uniform(SHAPE, (4, 7), 1e-6, 1 - 1e-6).numpy().astype("float64")
    # A second route: the odds, multiplied and raised to 1 / T.
    p = mask.numpy().astype("float64")
    odds = (p / (1 - p) * u / (1 - u)) ** (1 / temperature)
    drawn = shown("concrete", mask, done=done, seed=(4, 7))
    np.testing.assert_allclose(drawn, odds / (1 + odds), rtol=2e-3, atol=1e-6)
    assert np.isfinite(gradient("concrete", mask, done=done)).all()


@pytest.mark.parametrize("name", ["concrete", "stochastic"])
def test_draws_depend_on_the_seed_alone(name):
    drawn = [shown(name, masks(), seed=seed).numpy() for seed in ((0, 1), (0, 1), (0, 2), (1, 1))]
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert (drawn[0] != drawn[2]).mean() > 0.2 and (drawn[0] != drawn[3]).mean() > 0.2


@pytest.mark.parametrize("name", RELAXATIONS)
def test_gradients_are_finite_at_0_and_1(name):
    mask = tf.constant(np.random.default_rng(0).integers(0, 2, SHAPE).astype("float32"))
    assert np.isfinite(gradient(name, mask, done=1.0)).all()
    assert np.isfinite(shown(name, mask, done=1.0)).all()


def test_names():
    assert [check_relaxation(name) for name in RELAXATIONS] == list(RELAXATIONS)
    for name in ("hard", "top_share", None):
        with pytest.raises(InputError, match="none, concrete, stochastic. Received: "):
            check_relaxation(name)


def test_binary_top_share():
    logits = tf.constant(np.random.default_rng(0).normal(size=SHAPE).astype("float32"))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(logits)
        binary = binary_top_share(logits, 0.3)
        soft = exact_share(logits, [0.3, 0.3], SEARCH_SOFTNESS, constant_deviation=True)
    np.testing.assert_array_equal(binary, top_share_mask(logits, 0.3))
    weights = np.random.default_rng(1).normal(size=SHAPE).astype("float32")
    gradients = [tape.gradient(mask, logits, weights) for mask in (binary, soft)]
    np.testing.assert_array_equal(*gradients)
