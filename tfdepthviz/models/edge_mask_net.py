"""The mask networks compact_edges and compact_ranking, which are edge maps before training.

Edges are the strongest of the masks that need no training. The logits are those of an edge map plus
a term of a network. This network has the body of the compact N and may start from N's own weights.
compact_ranking also learns, place by place, how much the edge maps count.
"""

import keras
import numpy as np
from keras import layers, ops

from tfdepthviz.masks import edge_strength
from tfdepthviz.models.blocks import output_dtype
from tfdepthviz.models.compact import compact_features
from tfdepthviz.models.layers import AlignedResize
from tfdepthviz.removal import gaussian_blur
from tfdepthviz.utils.constants import IMAGENET_MEAN, IMAGENET_STD, INPUT_SIZE
from tfdepthviz.utils.errors import InputError

BLURS = (0, 1, 2)
# Weights of the edge maps at the start: the sum that ranked pixels best of those tried.
EDGE_WEIGHTS = (0.3, 1.5, 0.2)
# Makes masks nearly binary from the start: N cannot read depth off grey levels, and the binary mask
# is then close to the one that was trained.
SHARPNESS = 10.0
# Bound of the logits: float32 cannot tell apart grey levels whose logits are above 16.
LARGEST_LOGIT = 12.0
# Grey levels from 0 to 1; a weaker edge is noise.
EDGE_FLOOR = 0.02


def compact_edges(input_shape=(*INPUT_SIZE, 3), *, name="compact_edges"):
    """Mask network of 1.8M parameters with the body of the compact N; starts as an edge map.

    logit M = sharp(sum_i w_i E_i + resize(conv(features))), E_i of `EdgeMaps`, sharp of
    `SharpLogits`; conv begins at 0.

    Args:
      input_shape: (H, W, 3).
    Returns:
      keras.Model, normalised image (B, H, W, 3) -> mask in [0, 1] (B, H, W, 1).
    Source: ours.
    """
    image = keras.Input(input_shape, name="image")
    x = _resized_conv(1, "mask", compact_features(image), input_shape)
    edges = EdgeMaps(dtype=output_dtype(), name="edges")(image)
    edges = layers.Conv2D(1, 1, use_bias=False, dtype=output_dtype(), name="edge_conv")(edges)
    x = layers.Add(dtype=output_dtype(), name="mask_add")([edges, x])
    x = SharpLogits(dtype=output_dtype(), name="mask_sharp")(x)
    mask = layers.Activation("sigmoid", dtype=output_dtype(), name="mask")(x)
    net = keras.Model(image, mask, name=name)
    net.get_layer("edge_conv").set_weights([np.reshape(EDGE_WEIGHTS, (1, 1, -1, 1))])
    return net


def compact_ranking(input_shape=(*INPUT_SIZE, 3), *, name="compact_ranking"):
    """Mask network of 1.8M parameters that ranks pixels; starts as the edge map of compact_edges.

    logit M = sum_i w_i E_i + resize(conv(features)), with w = resize(conv_w(features)): the weights
    of the edge maps differ from place to place. Both convolutions begin with kernels of 0.
    `SharpLogits` is left out: it presses the scores of the first and last pixels together.

    Args:
      input_shape: (H, W, 3).
    Returns:
      keras.Model, normalised image (B, H, W, 3) -> mask in [0, 1] (B, H, W, 1).
    Source: ours.
    """
    image = keras.Input(input_shape, name="image")
    features = compact_features(image)
    x = _resized_conv(1, "mask", features, input_shape)
    weights = _resized_conv(len(BLURS), "edge", features, input_shape)
    edges = EdgeMaps(dtype=output_dtype(), name="edges")(image)
    edges = WeighedSum(dtype=output_dtype(), name="edge_sum")([weights, edges])
    x = layers.Add(dtype=output_dtype(), name="mask_add")([edges, x])
    mask = layers.Activation("sigmoid", dtype=output_dtype(), name="mask")(x)
    net = keras.Model(image, mask, name=name)
    net.get_layer("edge_conv").bias.assign(EDGE_WEIGHTS)
    return net


def _resized_conv(filters, name, x, input_shape):
    """Convolution that begins at 0, brought to the image's size."""
    dtype = output_dtype()
    conv = layers.Conv2D(
        filters, 3, padding="same", kernel_initializer="zeros", dtype=dtype, name=f"{name}_conv"
    )
    return AlignedResize(input_shape[:2], dtype=dtype, name=f"{name}_resize")(conv(x))


def start_from_depth_net(mask_net, depth_net):
    """Copies weights from N into the layers of G that have the same name in N.

    Args:
      mask_net: `compact_edges` or `compact_ranking`, changed here.
      depth_net: N, `compact`.
    Raises:
      InputError: the two share no layer.
    """
    shared = {layer.name: layer for layer in depth_net.layers if layer.weights}
    shared = [(layer, shared[layer.name]) for layer in mask_net.layers if layer.name in shared]
    if not shared:
        raise InputError(
            f"{mask_net.name} has no layer of {depth_net.name}; only "
            "compact_ranking and compact_edges on the depth network compact can start from it"
        )
    for ours, theirs in shared:
        ours.set_weights(theirs.get_weights())


@keras.saving.register_keras_serializable(package="tfdepthviz")
class EdgeMaps(layers.Layer):
    """Logarithms of Sobel edge strength, blurred by 0, 1 and 2 pixels, each of mean 0 and spread 1.

    (B, H, W, 3) normalised image -> (B, H, W, 3). A pixel next to an edge may be needed more
    than one on a weaker edge.
    """

    def call(self, image):
        mean, std = (ops.convert_to_tensor(v, image.dtype) for v in (IMAGENET_MEAN, IMAGENET_STD))
        edges = edge_strength(image * std + mean)
        maps = [ops.log(gaussian_blur(edges, sigma) + EDGE_FLOOR) for sigma in BLURS]
        return ops.concatenate([_standardised(m) for m in maps], axis=-1)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:3], len(BLURS))


@keras.saving.register_keras_serializable(package="tfdepthviz")
class WeighedSum(layers.Layer):
    """Two inputs (B, H, W, C) -> sum of their products over the channels, (B, H, W, 1)."""

    def call(self, inputs):
        weights, maps = inputs
        return ops.sum(weights * maps, axis=-1, keepdims=True)

    def compute_output_shape(self, input_shape):
        return (*input_shape[0][:3], 1)


@keras.saving.register_keras_serializable(package="tfdepthviz")
class SharpLogits(layers.Layer):
    """s / (1 + |s| / 12), s = 10 x: steep at 0, grows with x, and bounded."""

    def call(self, x):
        x = SHARPNESS * x
        return x / (1.0 + ops.abs(x) / LARGEST_LOGIT)

    def inverse(self, logit):
        """x from a logit, |logit| < 12."""
        return logit / (1.0 - abs(logit) / LARGEST_LOGIT) / SHARPNESS


def _standardised(x):
    x = x - ops.mean(x, axis=(1, 2, 3), keepdims=True)
    return x / (ops.std(x, axis=(1, 2, 3), keepdims=True) + 1e-2)
