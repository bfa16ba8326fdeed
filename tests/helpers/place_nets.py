"""Depth networks whose depth at a place needs known pixels, and an image for them."""

import keras
import numpy as np

SIZE = HEIGHT, WIDTH = (24, 32)
# Reach of the convolution of the network with a hard receptive field, pixels.
REACH = 2


def network(depth_of):
    """N: depth = 3 + a function of the red channel (B, H, W, 1)."""
    image = keras.Input((*SIZE, 3))
    net = keras.Model(image, 3.0 + depth_of(image[..., :1]))
    net.trainable = False
    return net


def mirror_net():
    """N reads a pixel's depth from the mirrored column."""
    return network(lambda red: red[:, :, ::-1])


def ground_net():
    """N reads the depth of a whole column from its two lowest pixels."""
    return network(
        lambda red: keras.ops.repeat(keras.ops.mean(red[:, -2:], 1, keepdims=True), HEIGHT, axis=1)
    )


def local_net():
    """N sees 5x5 pixels around each pixel, and no others."""
    side = 2 * REACH + 1
    kernel = np.random.default_rng(5).uniform(0.5, 1, (side, side, 1, 1)) / side**2
    kernel = keras.ops.convert_to_tensor(kernel.astype("float32"))
    return network(lambda red: keras.ops.conv(red, kernel, padding="same"))


def frame(seed=0):
    """An image of pixels brighter than the mean colour, so that no two cancel in a sum."""
    rng = np.random.default_rng(seed)
    return rng.uniform(0.8, 1.6, (*SIZE, 3)).astype("float32")
