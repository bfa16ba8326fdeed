"""The mask network compact_ranking, made to rank pixels for every share of them.

It begins as an edge map, the strongest of the rankings that need no training. It has the body of
the compact N and may start from N's own weights. What it learns is how much each edge map counts at
each place, and what to add.
"""

import keras
import numpy as np
from keras import layers, ops

from tfdepthviz.models.blocks import output_dtype
from tfdepthviz.models.compact import compact_features
from tfdepthviz.models.edge_mask_net import BLURS, EDGE_WEIGHTS, EdgeMaps
from tfdepthviz.models.layers import AlignedResize
from tfdepthviz.utils.constants import INPUT_SIZE


def ranking_net(input_shape=(*INPUT_SIZE, 3), *, name="compact_ranking"):
    """Mask network of 1.8M parameters; its scores are edge maps weighed place by place.

    score = a_0 + sum_i a_i E_i,  (a_0, ..., a_3) = resize(conv(features)), E_i of `EdgeMaps`

    conv begins with kernel 0 and the bias (0, 0.3, 1.5, 0.2), so every a_i is the same at all
    places at the start.

    Args:
      input_shape: (H, W, 3).
    Returns:
      keras.Model, normalised image (B, H, W, 3) -> sigmoid of the scores (B, H, W, 1).
    Source: ours.
    """
    image = keras.Input(input_shape, name="image")
    x = layers.Conv2D(
        1 + len(BLURS),
        3,
        padding="same",
        kernel_initializer="zeros",
        dtype=output_dtype(),
        name="weigh_conv",
    )(compact_features(image))
    x = AlignedResize(input_shape[:2], dtype=output_dtype(), name="weigh_resize")(x)
    edges = EdgeMaps(dtype=output_dtype(), name="edges")(image)
    scores = WeighedSum(dtype=output_dtype(), name="scores")([x, edges])
    mask = layers.Activation("sigmoid", dtype=output_dtype(), name="mask")(scores)
    net = keras.Model(image, mask, name=name)
    kernel, _ = net.get_layer("weigh_conv").get_weights()
    net.get_layer("weigh_conv").set_weights([kernel, np.array([0.0, *EDGE_WEIGHTS], "float32")])
    return net


@keras.saving.register_keras_serializable(package="tfdepthviz")
class WeighedSum(layers.Layer):
    """w_0 + sum_i w_i maps_i: (w (B, H, W, 1 + K), maps (B, H, W, K)) -> (B, H, W, 1)."""

    def call(self, inputs):
        weights, maps = inputs
        return weights[..., :1] + ops.sum(weights[..., 1:] * maps, axis=-1, keepdims=True)

    def compute_output_shape(self, input_shapes):
        return (*input_shapes[0][:-1], 1)
