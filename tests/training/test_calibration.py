"""Calibration of the output bias, for a requested share of pixels."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfdepthviz.models import build_mask_net
from tfdepthviz.training.calibration import settle_share, settle_statistics
from tfdepthviz.utils.errors import InputError


def shares(mask_net, batches):
    masks = np.concatenate([mask_net(images, training=False) for images in batches])
    return (masks > 0.025).mean(), masks


@pytest.mark.parametrize("name", ["compact", "compact_edges", "compact_ranking"])
@pytest.mark.parametrize("share", [0.1, 0.36, 0.8])
def test_settled_share_and_order_of_pixels(name, share):
    mask_net = build_mask_net(name, (32, 64, 3))
    batches = np.random.default_rng(0).normal(size=(2, 3, 32, 64, 3)).astype(np.float32)
    before, masks = shares(mask_net, batches)
    shift = settle_share(mask_net, batches, share)
    after, settled = shares(mask_net, batches)
    assert abs(after - share) < 2e-3, (before, after)
    assert (shift > 0) == (after > before)
    order = np.argsort(masks, axis=None)
    assert (np.diff(settled.ravel()[order]) > -1e-3).all()
    # A share that is reached already stays.
    assert abs(settle_share(mask_net, batches, share)) < 1e-3


def test_settled_share_of_known_logits():
    logits = np.linspace(-6.0, 6.0, 100, dtype=np.float32).reshape(1, 10, 10, 1)
    image = keras.Input((10, 10, 1))
    conv = keras.layers.Conv2D(1, 1, kernel_initializer="ones", name="last")
    mask_net = keras.Model(image, keras.layers.Activation("sigmoid")(conv(image)))
    shift = settle_share(mask_net, [logits], 0.25)
    # Afterwards exactly the 75 lowest logits are at most the logit of 0.025.
    border = np.log(0.025 / 0.975)
    assert logits.ravel()[74] + shift <= border < logits.ravel()[75] + shift
    np.testing.assert_allclose(conv.bias.numpy(), [shift], rtol=1e-6)


def test_network_without_output_bias():
    image = keras.Input((8, 8, 3), name="image")
    mask_net = keras.Model(image, keras.layers.Activation("sigmoid")(image[..., :1]), name="plain")
    with pytest.raises(InputError, match="plain: has no convolution to one channel with a bias"):
        settle_share(mask_net, [tf.zeros((1, 8, 8, 3))], 0.5)


def test_settled_statistics():
    """Means over the batches of each batch's mean and variance; dropout is off."""
    image = keras.Input((8, 10, 3))
    x = keras.layers.Dropout(0.5)(image)
    norm = keras.layers.BatchNormalization(momentum=0.9)
    net = keras.Model(image, norm(x))
    batches = np.random.default_rng(0).normal(2.0, 3.0, (4, 2, 8, 10, 3)).astype(np.float32)
    settle_statistics(net, [*batches, batches[0, :1]])
    weights = np.array([2, 2, 2, 2, 1])[:, None]
    parts = [*batches, batches[0, :1]]
    for variable, values in (
        (norm.moving_mean, [part.mean((0, 1, 2)) for part in parts]),
        (norm.moving_variance, [part.var((0, 1, 2)) for part in parts]),
    ):
        expected = (weights * values).sum(0) / 9
        np.testing.assert_allclose(variable, expected, rtol=1e-5)
    assert norm.momentum == 0.9 and net.layers[1].rate == 0.5


def test_statistics_of_a_network_without_any():
    image = keras.Input((8, 8, 3))
    net = keras.Model(image, keras.layers.Conv2D(1, 3)(image))
    before = net.get_weights()
    settle_statistics(net, [np.ones((1, 8, 8, 3), np.float32)])
    for old, new in zip(before, net.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
