"""SENet-154 as an encoder: four feature maps, no classifier."""

from keras import layers

from tfdepthviz.models.blocks import conv_bn

GROUPS = 64
REDUCTION = 16


def senet154(x, *, name="E"):
    """Feature maps of SENet-154: a stem of three 3x3 convolutions, then 3, 8, 36 and 3 bottlenecks.

    Args:
      x: (B, H, W, 3) normalised image.
    Returns:
      dict of block1..block4: 256, 512, 1024 and 2048 channels at strides 4, 8, 16, 32. Sizes are
      rounded up at every halving but the second, the pooling, where they are rounded down.
    Source: Hu, Shen, Sun 2018, Cadene's variant. Differs: no classifier.
    """
    name = f"{name}_base"
    for i, (filters, strides) in enumerate([(64, 2), (64, 1), (128, 1)], start=1):
        x = conv_bn(x, filters, 3, strides=strides, name=f"{name}_0_{i}")
    x = _pool(x, name=f"{name}_0_pool")
    maps = {}
    for stage, (filters, blocks) in enumerate([(256, 3), (512, 8), (1024, 36), (2048, 3)], start=1):
        for block in range(blocks):
            strides = 2 if block == 0 and stage > 1 else 1
            x = _bottleneck(x, filters, strides=strides, name=f"{name}_{stage}_{block}")
        maps[f"block{stage}"] = x
    return maps


def _pool(x, *, name):
    """3x3 maximum at stride 2 without padding; a window may reach over the end by one pixel.

    PyTorch calls it ceil_mode: an even size has such a window, an odd size has none.
    """
    overhang = tuple((0, 1 - size % 2) for size in x.shape[1:3])
    # The pooled map is not negative, so the zeros never win.
    x = layers.ZeroPadding2D(overhang, name=f"{name}_pad")(x)
    return layers.MaxPooling2D(3, strides=2, name=name)(x)


def _bottleneck(x, filters, *, strides, name):
    y = conv_bn(x, filters // 2, 1, name=f"{name}_1")
    y = conv_bn(y, filters, 3, strides=strides, groups=GROUPS, name=f"{name}_2")
    y = conv_bn(y, filters, 1, activation=None, name=f"{name}_3")
    y = _squeeze_excite(y, name=f"{name}_se")
    if x.shape[-1] != filters:
        size = 3 if strides > 1 else 1
        x = conv_bn(x, filters, size, strides=strides, activation=None, name=f"{name}_downsample")
    y = layers.Add(name=f"{name}_add")([y, x])
    return layers.Activation("relu", name=f"{name}_relu")(y)


def _squeeze_excite(x, *, name):
    """Multiplies every channel by a weight that is computed from the means of all channels."""
    channels = x.shape[-1]
    weight = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_mean")(x)
    weight = layers.Conv2D(channels // REDUCTION, 1, activation="relu", name=f"{name}_fc1")(weight)
    weight = layers.Conv2D(channels, 1, activation="sigmoid", name=f"{name}_fc2")(weight)
    return layers.Multiply(name=f"{name}_multiply")([x, weight])
