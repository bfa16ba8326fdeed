"""The compact pair: a depth network N and a mask network G, small enough to train on a laptop.

N is SqueezeNet v1.1 (Iandola et al. 2016) followed by dilated context and a light decoder with a
skip connection at every stride. G is a narrow, shallow sister of drn_d_22. Both take any size.
"""

import numpy as np
from keras import Model, layers

from tfdepthviz.models.blocks import conv_bn, output_dtype
from tfdepthviz.models.layers import AlignedResize
from tfdepthviz.models.mask_net import mask_net
from tfdepthviz.utils.constants import INPUT_SIZE

# Squeeze and expand widths of the fire modules; max-pooling stands before fire2, fire4 and fire6.
FIRES = {
    "fire2": (16, 64),
    "fire3": (16, 64),
    "fire4": (32, 128),
    "fire5": (32, 128),
    "fire6": (48, 192),
    "fire7": (48, 192),
    "fire8": (64, 256),
    "fire9": (64, 256),
}
POOL_BEFORE = ("fire2", "fire4", "fire6")
TYPICAL_DEPTH_METRES = 2.5


def compact_depth_net(input_shape=(*INPUT_SIZE, 3), *, name="compact"):
    """Depth network of 1.8M parameters on a SqueezeNet v1.1 encoder.

    Args:
      input_shape: (H, W, 3).
    Returns:
      keras.Model, normalised image (B, H, W, 3) -> depth in metres, above 0,
      (B, ceil(H/2), ceil(W/2), 1).
    Source: ours; the encoder is SqueezeNet v1.1 (Iandola et al. 2016).
    """
    image = layers.Input(input_shape, name="image")
    x = layers.Conv2D(1, 3, padding="same", name="depth_conv")(compact_features(image))
    x = layers.Activation("softplus", dtype=output_dtype(), name="depth")(x)
    model = Model(image, x, name=name)
    bias = model.get_layer("depth_conv").bias
    bias.assign(np.full(bias.shape, TYPICAL_DEPTH_METRES))
    return model


def compact_features(image):
    """All but the last layer of the depth network.

    Args:
      image: (B, H, W, 3) normalised.
    Returns:
      (B, ceil(H/2), ceil(W/2), 32).
    Source: ours.
    """
    maps = squeezenet(image, name="encoder")
    x = _context(maps["stride16"], 160, name="context")
    x = layers.Dropout(0.2, name="context_dropout")(x)
    for stride, filters in (("stride8", 112), ("stride4", 64), ("stride2", 32)):
        x = _decode(x, maps[stride], filters, name=f"decoder_{stride}")
    return x


def compact_mask_net(input_shape=(*INPUT_SIZE, 3), *, name="compact_mask"):
    """Mask network of 1.0M parameters: drn_d_22 with fewer channels, one block a stage.

    Masks are drawn at half resolution and resized: two thirds of the time of a full decoder.

    Args:
      input_shape: (H, W, 3).
    Returns:
      keras.Model, normalised image (B, H, W, 3) -> mask in [0, 1] (B, H, W, 1).
    Source: Hu, Zhang, Okatani 2019 (ICCV), section 3.3. Differs: channels, blocks, decoder.
    """
    return mask_net(
        input_shape,
        channels=(8, 16, 32, 64, 96, 128, 128, 128),
        blocks=(1, 1, 1, 1, 1, 1, 1, 1),
        decoder_channels=(32, 16),
        name=name,
    )


def squeezenet(x, *, name):
    """SqueezeNet v1.1 without classifier.

    Args:
      x: (B, H, W, 3) normalised image.
    Returns:
      dict of maps: stride2 (64 channels), stride4 (128), stride8 (256), stride16 (512).
    Source: Iandola et al. 2016, version 1.1. Differs: no classifier; conv1 and pooling pad.
    """
    maps = {}
    x = layers.ZeroPadding2D(1, name=f"{name}_conv1_pad")(x)
    x = layers.Conv2D(64, 3, strides=2, activation="relu", name=f"{name}_conv1")(x)
    maps["stride2"] = x
    for fire, (squeeze, expand) in FIRES.items():
        if fire in POOL_BEFORE:
            x = layers.MaxPooling2D(3, 2, padding="same", name=f"{name}_{fire}_pool")(x)
        x = _fire(x, squeeze, expand, name=f"{name}_{fire}")
        if fire in ("fire3", "fire5", "fire9"):
            maps[{"fire3": "stride4", "fire5": "stride8", "fire9": "stride16"}[fire]] = x
    return maps


def _fire(x, squeeze, expand, *, name):
    x = layers.Conv2D(squeeze, 1, activation="relu", name=f"{name}_squeeze1x1")(x)
    left = layers.Conv2D(expand, 1, activation="relu", name=f"{name}_expand1x1")(x)
    right = layers.Conv2D(expand, 3, padding="same", activation="relu", name=f"{name}_expand3x3")(x)
    return layers.Concatenate(name=f"{name}_concat")([left, right])


def _context(x, filters, *, name):
    """Dilated residual convolutions, and the mean of the whole frame added to every pixel."""
    x = conv_bn(x, filters, 1, name=f"{name}_reduce")
    for dilation in (1, 2, 4):
        y = conv_bn(x, filters, 3, dilation_rate=dilation, name=f"{name}_dilation{dilation}")
        x = layers.Add(name=f"{name}_dilation{dilation}_add")([x, y])
    frame = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_frame_mean")(x)
    frame = layers.Conv2D(filters, 1, activation="relu", name=f"{name}_frame_conv")(frame)
    return layers.Add(name=f"{name}_frame_add")([x, frame])


def _decode(x, skip, filters, *, name):
    skip = conv_bn(skip, filters // 2, 1, name=f"{name}_skip")
    x = conv_bn(x, filters, 1, name=f"{name}_reduce")
    x = AlignedResize(skip.shape[1:3], name=f"{name}_resize")(x)
    x = layers.Concatenate(name=f"{name}_concat")([x, skip])
    return conv_bn(x, filters, 3, name=f"{name}_merge")
