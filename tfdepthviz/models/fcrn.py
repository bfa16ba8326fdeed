"""FCRN, the depth network of Laina et al.: ResNet-50, then up-projection by unpooling."""

import keras
from keras import layers

from tfdepthviz.models.blocks import conv_bn, output_dtype
from tfdepthviz.models.layers import BatchNormalization, Interleave

EPSILON = 1e-4


def fcrn_resnet50(input_shape, *, name="fcrn_resnet50"):
    """Depth network N of Laina et al. as released for TensorFlow.

    Args:
      input_shape: (H, W, 3) of the normalised image.
    Returns:
      keras.Model, (B, H, W, 3) -> (B, 16 h, 16 w, 1) depth in metres, not negative, where (h, w) is
      (H, W) / 32 rounded up at every halving: about half the image.
    Source: Laina et al. 2016. Differs: symmetric padding before strided convolutions.
    """
    image = keras.Input(input_shape, name="image")
    x = _resnet50(image)
    x = conv_bn(x, 1024, 1, use_bias=True, epsilon=EPSILON, activation=None, name="layer1")
    for filters, scale in ((512, "2x"), (256, "4x"), (128, "8x"), (64, "16x")):
        x = _up_project(x, filters, name=f"layer{scale}")
    x = layers.Conv2D(1, 3, padding="same", dtype=output_dtype(), name="ConvPred")(x)
    depth = layers.Activation("relu", dtype=output_dtype(), name="depth")(x)
    return keras.Model(image, depth, name=name)


def _resnet50(x):
    """ResNet-50 in Caffe's layout: the stride is on the first 1x1 convolution of a stage."""
    x = conv_bn(x, 64, 7, strides=2, use_bias=True, epsilon=EPSILON, name="conv1")
    x = layers.MaxPooling2D(3, strides=2, padding="same", name="pool1")(x)
    for stage, (filters, blocks) in enumerate([(64, 3), (128, 4), (256, 6), (512, 3)], start=2):
        for block, letter in enumerate("abcdef"[:blocks]):
            strides = 2 if block == 0 and stage > 2 else 1
            x = _bottleneck(x, filters, strides=strides, name=f"res{stage}{letter}")
    return x


def _bottleneck(x, filters, *, strides, name):
    y = conv_bn(x, filters, 1, strides=strides, epsilon=EPSILON, name=f"{name}_branch2a")
    y = conv_bn(y, filters, 3, epsilon=EPSILON, name=f"{name}_branch2b")
    y = conv_bn(y, 4 * filters, 1, epsilon=EPSILON, activation=None, name=f"{name}_branch2c")
    if x.shape[-1] != 4 * filters:
        x = conv_bn(
            x,
            4 * filters,
            1,
            strides=strides,
            epsilon=EPSILON,
            activation=None,
            name=f"{name}_branch1",
        )
    x = layers.Add(name=f"{name}_add")([x, y])
    return layers.Activation("relu", name=f"{name}_relu")(x)


def _up_project(x, filters, *, name):
    """Doubles the size: a residual pair of branches that begin with an unpooling convolution."""
    main = _unpool_conv(x, filters, name=f"{name}_br1")
    main = layers.Activation("relu", name=f"{name}_br1_relu")(main)
    main = conv_bn(main, filters, 3, use_bias=True, epsilon=EPSILON, activation=None, name=name)
    side = _unpool_conv(x, filters, name=f"{name}_br2")
    x = layers.Add(name=f"{name}_add")([main, side])
    return layers.Activation("relu", name=f"{name}_relu")(x)


def _unpool_conv(x, filters, *, name):
    """5x5 convolution of the zero-interleaved map, without the multiplications by zero.

    Of the 25 taps only 3x3, 2x3, 3x2 or 2x2 fall on values: which ones depends on whether the row
    and the column of the output are even or odd.
    """
    phases = []
    for letter, rows, columns in (("A", 3, 3), ("B", 2, 3), ("C", 3, 2), ("D", 2, 2)):
        padding = ((1, rows - 2), (1, columns - 2))
        padded = layers.ZeroPadding2D(padding, name=f"{name}_pad{letter}")(x)
        conv = layers.Conv2D(
            filters,
            (rows, columns),
            kernel_initializer="he_normal",
            name=f"{name}_Conv{letter}",
        )
        phases.append(conv(padded))
    x = Interleave(name=f"{name}_interleave")(phases)
    return BatchNormalization(momentum=0.9, epsilon=EPSILON, name=f"{name}_bn")(x)
