"""Calibration of the output bias, so that M' = [M > 0.025] keeps a requested share."""

import keras
import numpy as np

from tfdepthviz.utils.constants import THRESHOLD
from tfdepthviz.utils.errors import InputError


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
    layer = _output_layer(mask_net)
    masks = np.concatenate(
        [keras.ops.convert_to_numpy(mask_net(image, training=False)).ravel() for image in batches]
    )
    level = np.quantile(masks.astype(np.float32), 1.0 - share)
    shift = float(_before_activation(mask_net, THRESHOLD) - _before_activation(mask_net, level))
    shift = agree(shift)
    # The first channel is added to the scores; further ones weigh maps (`models.ranking_net`).
    layer.bias.assign(layer.bias + shift * np.eye(1, layer.filters)[0])
    return shift


def _output_layer(mask_net):
    """The convolution whose bias raises all scores alike."""
    names = [layer.name for layer in mask_net.layers]
    for layer in reversed(mask_net.layers):
        if isinstance(layer, keras.layers.Conv2D) and layer.use_bias:
            if layer.filters == 1 or "scores" in names:
                return layer
    raise InputError(f"{mask_net.name}: has no convolution to one channel with a bias")


def _before_activation(mask_net, level):
    """The input of G's last activation that gives this level of M; the bias adds to it."""
    level = np.clip(np.float64(level), 1e-7, 1 - 1e-7)
    logit = np.log(level) - np.log1p(-level)
    sharp = [layer for layer in mask_net.layers if hasattr(layer, "inverse")]
    return sharp[-1].inverse(logit) if sharp else logit
