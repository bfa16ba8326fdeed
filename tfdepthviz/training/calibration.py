"""Calibration of a trained G on frames as they are: batch statistics, and the output bias.

In training G sees augmented views, and running statistics of batches that it no longer gives.
"""

import contextlib

import keras
import numpy as np

from tfdepthviz.utils.constants import THRESHOLD
from tfdepthviz.utils.errors import InputError


def settle_statistics(mask_net, batches, agree=lambda numbers: numbers):
    """Sets the running statistics of batch normalisation to their means over these batches.

    Dropout is off meanwhile, as it is when masks are used.

    Args:
      mask_net: G; changed here.
      batches: iterable of (B, H, W, 3) normalised images.
      agree: function of the statistics of this machine (K,) -> those that all machines of a
        cluster use.
    """
    layers = _layers_of(mask_net, keras.layers.BatchNormalization)
    running = [v for layer in layers for v in (layer.moving_mean, layer.moving_variance)]
    if not running:
        return
    total, count = 0.0, 0
    with (
        _attribute(layers, "momentum"),
        _attribute(_layers_of(mask_net, keras.layers.Dropout), "rate"),
    ):
        for image in batches:
            mask_net(image, training=True)
            of_batch = [keras.ops.convert_to_numpy(variable) for variable in running]
            total += len(image) * np.concatenate(of_batch).astype(np.float64)
            count += len(image)
    ends = np.cumsum([len(values) for values in of_batch])[:-1]
    for variable, values in zip(running, np.split(agree(total / count), ends), strict=True):
        variable.assign(values)


def settle_share(mask_net, batches, share, agree=lambda shift: shift):
    """Calibrates the output bias so that M' = [M > 0.025] keeps the requested share.

    A ranking says nothing about the threshold 0.025: only the order of its scores was trained. The
    bias does not change which pixel of an image is kept before which.

    Args:
      mask_net: G, one of `models.MASK_NETS`; changed here.
      batches: iterable of (B, H, W, 3) normalised images.
      share: float in (0, 1), over all pixels of these images.
      agree: function of the shift of this machine -> the shift that all machines of a cluster use.
    Returns:
      float, the number that was added to the bias.
    Raises:
      InputError: G has no output bias.
    """
    bias = _output_bias(mask_net)
    masks = np.concatenate(
        [keras.ops.convert_to_numpy(mask_net(image, training=False)).ravel() for image in batches]
    )
    level = np.quantile(masks.astype(np.float32), 1.0 - share)
    shift = float(_before_activation(mask_net, THRESHOLD) - _before_activation(mask_net, level))
    shift = agree(shift)
    bias.assign(bias + shift)
    return shift


def _output_bias(mask_net):
    for layer in reversed(mask_net.layers):
        if isinstance(layer, keras.layers.Conv2D) and layer.filters == 1 and layer.use_bias:
            return layer.bias
    raise InputError(f"{mask_net.name}: has no convolution to one channel with a bias")


def _before_activation(mask_net, level):
    """The input of G's last activation that gives this level of M; the bias adds to it."""
    level = np.clip(np.float64(level), 1e-7, 1 - 1e-7)
    logit = np.log(level) - np.log1p(-level)
    sharp = [layer for layer in mask_net.layers if hasattr(layer, "inverse")]
    return sharp[-1].inverse(logit) if sharp else logit


def _layers_of(net, kind):
    return [layer for layer in net.layers if isinstance(layer, kind)]


@contextlib.contextmanager
def _attribute(layers, name):
    """Sets an attribute of the layers to 0 inside."""
    before = [getattr(layer, name) for layer in layers]
    for layer in layers:
        setattr(layer, name, 0.0)
    try:
        yield
    finally:
        for layer, value in zip(layers, before, strict=True):
            setattr(layer, name, value)
