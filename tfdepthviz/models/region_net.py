"""Region networks: rank the pixels that N needs for its depth at one place, in one pass.

A region network is a compact_ranking with a small network on top that sees the place. It begins as
the compact_ranking, whose layers it shares and does not change.

    mask_net = build_mask_net(weights="default")
    net = region_net(mask_net)
    mask = top_share_mask(scores_net(net)([image, region]), [0.05])
"""

import keras
from keras import layers, ops

from tfdepthviz.models.blocks import output_dtype
from tfdepthviz.models.edge_mask_net import BLURS, WeighedSum
from tfdepthviz.models.layers import AlignedResize
from tfdepthviz.removal import gaussian_blur
from tfdepthviz.utils.errors import InputError

# Deviations of the blurs that say how near a pixel is to the place, in parts of the shorter side.
GRAINS = (0.04, 0.12, 0.36)
# Channels of the network on top.
WIDTH = 64
# Name of the nested network on top, whose weights alone are trained.
HEAD = "region_head"


def region_net(mask_net, *, name="region_ranking"):
    """Network that ranks pixels for one place of each image; starts as the ranking of `mask_net`.

    scores = h_0 s + h_1 + sum_i h_(i+2) E_i, with s the scores of `mask_net`, brought to a spread
    of 1, and E_i its edge maps. h is the output of a network of 45K parameters, `region_head`,
    which sees `PlaceMaps` at half the resolution of the features; before training h is 1, 0, 0...

    Args:
      mask_net: a compact_ranking. The result shares its layers, which no training changes.
    Returns:
      keras.Model, [normalised image (B, H, W, 3), region (B, h, w, 1)] -> (B, H, W, 1) in [0, 1].
      The region holds weights of at least 0, any of them above 0, over the whole image.
    Raises:
      InputError: `mask_net` is another network.
    Source: ours.
    """
    names = {layer.name for layer in mask_net.layers}
    if not {"mask_conv", "mask_add", "edges"} <= names:
        raise InputError(
            f"mask_net must be a compact_ranking, to rank pixels for a place. Received: "
            f"{mask_net.name}"
        )
    dtype = output_dtype()
    image = mask_net.input
    region = keras.Input((None, None, 1), name="region")
    for layer in mask_net.layers:
        layer.trainable = False
    x = layers.AveragePooling2D(2, padding="same", name="region_pool")(
        mask_net.get_layer("mask_conv").input
    )
    x = PlaceMaps(name="place_maps")([x, region])
    x = region_head(x.shape[1:])(x)
    weights = AlignedResize(image.shape[1:3], dtype=dtype, name="region_resize")(x)
    maps = RankingMaps(dtype=dtype, name="ranking_maps")(
        [mask_net.get_layer("mask_add").output, mask_net.get_layer("edges").output]
    )
    x = WeighedSum(dtype=dtype, name="region_sum")([weights, maps])
    mask = layers.Activation("sigmoid", dtype=dtype, name="region_mask")(x)
    return keras.Model([image, region], mask, name=name)


def region_head(input_shape):
    """The network on top: `PlaceMaps` (B, h, w, C) -> weights of `RankingMaps`."""
    maps = keras.Input(input_shape, name="maps")
    x = layers.Conv2D(WIDTH, 1, activation="relu", name="region_conv1")(maps)
    x = layers.Conv2D(WIDTH, 3, padding="same", activation="relu", name="region_conv2")(x)
    conv = layers.Conv2D(
        2 + len(BLURS),
        3,
        padding="same",
        kernel_initializer="zeros",
        dtype=output_dtype(),
        name="region_conv3",
    )
    head = keras.Model(maps, conv(x), name=HEAD)
    conv.bias.assign([1.0] + [0.0] * (1 + len(BLURS)))
    return head


@keras.saving.register_keras_serializable(package="tfdepthviz")
class PlaceMaps(layers.Layer):
    """Features, their mean in the region, how near each pixel is to it, and in which direction.

    [(B, h, w, C) features, (B, a, b, 1) region] -> (B, h, w, 2 C + len(GRAINS) + 2).
    Nearness is the region blurred by each of GRAINS, with a maximum of 1. The direction is the
    distance from the region's centre along rows and columns, in parts of the image.
    """

    def call(self, inputs):
        features, region = inputs
        height, width = features.shape[1:3]
        region = ops.cast(region, features.dtype)
        region = ops.image.resize(region, (height, width), "bilinear", antialias=True)
        region = region / _largest(region)
        near = [gaussian_blur(region, grain * min(height, width)) for grain in GRAINS]
        weights = region / ops.maximum(ops.sum(region, axis=(1, 2, 3), keepdims=True), 1e-6)
        mean = ops.sum(weights * features, axis=(1, 2), keepdims=True)
        rows = ops.reshape(ops.linspace(0.0, 1.0, height), (1, height, 1, 1))
        columns = ops.reshape(ops.linspace(0.0, 1.0, width), (1, 1, width, 1))
        same = ops.ones_like(weights)
        places = [ops.cast(place, features.dtype) * same for place in (rows, columns)]
        away = [p - ops.sum(weights * p, axis=(1, 2), keepdims=True) for p in places]
        return ops.concatenate(
            [features, mean * same, *(blurred / _largest(blurred) for blurred in near), *away],
            axis=-1,
        )

    def compute_output_shape(self, input_shape):
        *size, channels = input_shape[0]
        return (*size, 2 * channels + len(GRAINS) + 2)


@keras.saving.register_keras_serializable(package="tfdepthviz")
class RankingMaps(layers.Layer):
    """[(B, H, W, 1) scores, (B, H, W, E) edge maps] -> (B, H, W, 2 + E): scores, ones, edge maps.

    The scores are brought to a spread of 1 in each image.
    """

    def call(self, inputs):
        scores, edges = inputs
        spread = ops.std(scores, axis=(1, 2, 3), keepdims=True)
        scores = scores / ops.maximum(spread, 1e-6)
        return ops.concatenate([scores, ops.ones_like(scores), edges], axis=-1)

    def compute_output_shape(self, input_shape):
        scores, edges = input_shape
        return (*scores[:3], 2 + edges[-1])


def _largest(x):
    return ops.maximum(ops.max(x, axis=(1, 2, 3), keepdims=True), 1e-12)
