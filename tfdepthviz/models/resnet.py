"""ResNet-50 as an encoder: four feature maps, no classifier."""

from keras import layers

from tfdepthviz.models.blocks import conv_bn


def resnet50(x, *, name="E"):
    """Feature maps of ResNet-50, with the stride on the 3x3 convolution of a stage's first block.

    Args:
      x: (B, H, W, 3) normalised image.
    Returns:
      dict of block1..block4: 256, 512, 1024 and 2048 channels at strides 4, 8, 16, 32 (sizes
      rounded up at every halving).
    Source: He et al. 2016, torchvision's variant. Differs from keras.applications: no biases in the
      convolutions, symmetric padding, the place of the stride.
    """
    x = conv_bn(x, 64, 7, strides=2, name=f"{name}_1")
    # The pooled map is not negative, so zeros pad it as well as minus infinity would.
    x = layers.ZeroPadding2D(1, name=f"{name}_pool_pad")(x)
    x = layers.MaxPooling2D(3, strides=2, name=f"{name}_pool")(x)
    maps = {}
    for stage, (filters, blocks) in enumerate([(64, 3), (128, 4), (256, 6), (512, 3)], start=1):
        for block in range(blocks):
            strides = 2 if block == 0 and stage > 1 else 1
            x = _bottleneck(x, filters, strides=strides, name=f"{name}_layer{stage}_{block}")
        maps[f"block{stage}"] = x
    return maps


def _bottleneck(x, filters, *, strides, name):
    y = conv_bn(x, filters, 1, name=f"{name}_1")
    y = conv_bn(y, filters, 3, strides=strides, name=f"{name}_2")
    y = conv_bn(y, 4 * filters, 1, activation=None, name=f"{name}_3")
    if x.shape[-1] != 4 * filters:
        x = conv_bn(x, 4 * filters, 1, strides=strides, activation=None, name=f"{name}_downsample")
    y = layers.Add(name=f"{name}_add")([y, x])
    return layers.Activation("relu", name=f"{name}_relu")(y)
