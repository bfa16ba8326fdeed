"""Scores of mask networks: the sigmoid of them is the mask, and they share G's layers."""

import keras
import numpy as np
import pytest
import tiny_nets

from tfdepthviz.models import MASK_NETS, build_mask_net
from tfdepthviz.models.scores import scores_net
from tfdepthviz.utils.errors import InputError


@pytest.mark.parametrize("name", MASK_NETS)
def test_sigmoid_of_the_scores_is_the_mask(name):
    mask_net = build_mask_net(name, (64, 96, 3))
    scores = scores_net(mask_net)
    assert scores.layers == mask_net.layers[:-1]
    image = np.random.default_rng(0).normal(size=(1, 64, 96, 3)).astype("float32")
    mask = keras.ops.convert_to_numpy(mask_net(image, training=False))
    by_hand = 1 / (1 + np.exp(-keras.ops.convert_to_numpy(scores(image, training=False))))
    assert mask.shape == (1, 64, 96, 1)
    np.testing.assert_allclose(by_hand, mask, rtol=1e-5, atol=1e-7)


def test_weights_are_shared():
    mask_net = tiny_nets.mask_net()
    scores = scores_net(mask_net)
    assert scores.name == "tiny_mask_scores"
    mask_net.get_layer("scores").bias.assign([2.0])
    assert scores.get_layer("scores").bias.numpy() == [2.0]


@pytest.mark.parametrize("activation", ["sigmoid", "linear"])
def test_last_layer_must_be_a_sigmoid(activation):
    image = keras.Input((8, 8, 3))
    mask = keras.layers.Conv2D(1, 1, activation=activation, name="last")(image)
    with pytest.raises(
        InputError, match="own: to rank pixels, the last layer must be a sigmoid.*Received: Conv2D"
    ):
        scores_net(keras.Model(image, mask, name="own"))
