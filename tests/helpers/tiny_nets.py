"""Tiny networks with all that training must get right: batch statistics, dropout, two sizes."""

import keras
import numpy as np
from keras import layers

SIZE = (16, 20)
DEPTH_SIZE = (8, 10)
# Names of the values that MaskTrainer logs by default.
LOGGED = {
    "loss",
    "loss/depth",
    "loss/gradient",
    "loss/normal",
    "mask/mean",
    "mask/sparseness",
    "fidelity/rmse",
    "rmse",
}


def depth_net(dropout=0.0):
    """N: half the image's size; its batch statistics differ from those of any batch."""
    image = keras.Input((*SIZE, 3), name="image")
    x = layers.Conv2D(4, 3, strides=2, padding="same", use_bias=False, name="conv")(image)
    x = layers.BatchNormalization(momentum=0.9, synchronized=True, name="bn")(x)
    x = layers.Activation("tanh", name="tanh")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    three = keras.initializers.Constant(3.0)
    x = layers.Conv2D(1, 3, padding="same", bias_initializer=three, name="depth")(x)
    net = keras.Model(image, x, name="tiny_depth")
    bn = net.get_layer("bn")
    bn.moving_mean.assign(np.linspace(-0.3, 0.3, 4))
    bn.moving_variance.assign(np.linspace(0.5, 1.5, 4))
    return net


def mask_net():
    """G: a mask of the image's size."""
    image = keras.Input((*SIZE, 3), name="image")
    x = layers.Conv2D(5, 3, padding="same", use_bias=False, name="conv")(image)
    x = layers.BatchNormalization(momentum=0.9, synchronized=True, name="bn")(x)
    x = layers.Activation("relu", name="relu")(x)
    x = layers.Conv2D(1, 3, padding="same", name="scores")(x)
    mask = layers.Activation("sigmoid", name="mask")(x)
    return keras.Model(image, mask, name="tiny_mask")


def frames(count, seed=0):
    """{"image", "depth"} of `count` frames; depth has holes."""
    rng = np.random.default_rng(seed)
    depth = rng.uniform(1, 5, (count, *DEPTH_SIZE, 1)).astype("float32")
    depth[:, 2:4, 3:6] = 0
    return {"image": rng.normal(size=(count, *SIZE, 3)).astype("float32"), "depth": depth}
