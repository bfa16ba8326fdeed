"""The depth networks of Hu et al.: any encoder, then decoder D, fusion MFF and refinement R."""

import keras
from keras import layers

from tfdepthviz.models.blocks import conv_bn, output_dtype, up_projection


def encoder_decoder(input_shape, *, encoder, name):
    """Depth network N on the feature maps of an encoder.

    depth = R([D(block1..block4), MFF(block1..block4)])

    Args:
      input_shape: (H, W, 3) of the normalised image.
      encoder: function (x, *, name) -> dict of maps block1..block4 at strides 4, 8, 16, 32.
      name: of the model.
    Returns:
      keras.Model, (B, H, W, 3) -> (B, 2 h1, 2 w1, 1) depth in metres, where (h1, w1) is the size of
      block1: half the image. Linear output, which may fall below zero.
    Source: Hu et al. 2019 (WACV). Differs: nothing.
    """
    image = keras.Input(input_shape, name="image")
    maps = encoder(image, name="E")
    decoded = _decoder(maps, name="D")
    fused = _fusion(maps, decoded.shape[1:3], name="MFF")
    x = layers.Concatenate(name="R_concat")([decoded, fused])
    return keras.Model(image, _refinement(x, name="R"), name=name)


def _decoder(maps, *, name):
    """D: halves the channels five times on the way up to twice the size of block1."""
    _, height, width, _ = maps["block1"].shape
    sizes = [maps[f"block{i}"].shape[1:3] for i in (3, 2, 1)] + [(2 * height, 2 * width)]
    channels = maps["block4"].shape[-1] // 2
    x = conv_bn(maps["block4"], channels, 1, name=name)
    for i, size in enumerate(sizes, start=1):
        channels //= 2
        x = up_projection(x, channels, size, name=f"{name}_up{i}")
    return x


def _fusion(maps, size, *, name):
    """MFF: 16 channels of every scale, brought to one size and mixed."""
    scales = [up_projection(maps[f"block{i}"], 16, size, name=f"{name}_up{i}") for i in range(1, 5)]
    x = layers.Concatenate(name=f"{name}_concat")(scales)
    return conv_bn(x, 64, 5, name=name)


def _refinement(x, *, name):
    """R: three 5x5 convolutions, the last one to depth."""
    channels = x.shape[-1]
    x = conv_bn(x, channels, 5, name=f"{name}_0")
    x = conv_bn(x, channels, 5, name=f"{name}_1")
    return layers.Conv2D(1, 5, padding="same", dtype=output_dtype(), name=f"{name}_2_conv")(x)
