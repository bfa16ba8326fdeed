"""DenseNet-161 as an encoder: four feature maps, no classifier."""

from keras import layers

from tfdepthviz.models.layers import BatchNormalization
from tfdepthviz.utils.errors import InputError

SMALLEST = 29  # pixels a side: below that the last pooling has nothing left to halve


def densenet161(x, *, name="E"):
    """Feature maps of DenseNet-161: growth 48, blocks of 6, 12, 36 and 24 layers.

    Args:
      x: (B, H, W, 3) normalised image.
    Returns:
      dict of block1..block4: 192, 384, 1056 and 2208 channels at strides 4, 8, 16, 32. The first
      three are outputs of a transition's convolution, before its pooling; the last one is
      normalised and rectified. Sizes are rounded up twice, then down three times.
    Raises:
      InputError: H or W below 29.
    Source: Huang et al. 2017, torchvision's variant. Differs: no classifier.
    """
    if min(x.shape[1:3]) < SMALLEST:
        raise InputError(
            f"DenseNet-161 needs images of at least {SMALLEST}x{SMALLEST} pixels. "
            f"Received: {x.shape[1]}x{x.shape[2]}"
        )
    name = f"{name}_features"
    x = layers.ZeroPadding2D(3, name=f"{name}_pad0")(x)
    x = _conv(x, 96, 7, strides=2, padding="valid", name=f"{name}_conv0")
    x = _norm_relu(x, name=f"{name}_norm0")
    # The pooled map is not negative, so zeros pad it as well as minus infinity would.
    x = layers.ZeroPadding2D(1, name=f"{name}_pool0_pad")(x)
    x = layers.MaxPooling2D(3, strides=2, name=f"{name}_pool0")(x)
    maps = {}
    for stage, count in enumerate([6, 12, 36], start=1):
        x = _dense_block(x, count, name=f"{name}_denseblock{stage}")
        x = _norm_relu(x, name=f"{name}_transition{stage}_norm")
        x = _conv(x, x.shape[-1] // 2, 1, name=f"{name}_transition{stage}_conv")
        maps[f"block{stage}"] = x
        x = layers.AveragePooling2D(2, name=f"{name}_transition{stage}_pool")(x)
    x = _dense_block(x, 24, name=f"{name}_denseblock4")
    maps["block4"] = _norm_relu(x, name=f"{name}_norm5")
    return maps


def _dense_block(x, count, *, name):
    """Layers that each read all maps before them and add 48 channels."""
    for i in range(1, count + 1):
        layer = f"{name}_denselayer{i}"
        y = _norm_relu(x, name=f"{layer}_norm1")
        y = _conv(y, 4 * 48, 1, name=f"{layer}_conv1")
        y = _norm_relu(y, name=f"{layer}_norm2")
        y = _conv(y, 48, 3, name=f"{layer}_conv2")
        x = layers.Concatenate(name=f"{layer}_concat")([x, y])
    return x


def _conv(x, filters, kernel_size, *, name, strides=1, padding="same"):
    return layers.Conv2D(
        filters,
        kernel_size,
        strides=strides,
        padding=padding,
        use_bias=False,
        kernel_initializer="he_normal",
        name=name,
    )(x)


def _norm_relu(x, *, name):
    x = BatchNormalization(momentum=0.9, epsilon=1e-5, name=name)(x)
    return layers.Activation("relu", name=f"{name}_relu")(x)
