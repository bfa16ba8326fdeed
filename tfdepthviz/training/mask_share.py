"""The last bit of the way to a target sparseness: one number, the bias of G's output.

While G learns, its masks are normalised by the statistics of a batch and its images are augmented;
a mask that is asked for later keeps another share of the pixels. Lambda cannot see that.
"""

import keras
import numpy as np

from tfdepthviz.utils.errors import InputError

THRESHOLD = 0.025


def settle_share(mask_net, batches, share, agree=lambda shift: shift):
    """Sets the bias of G's output so that M' = [M > 0.025] keeps `share` of these images' pixels.

    Which pixel is kept before which does not change within an image.

    Args:
      mask_net: G, one of `models.MASK_NETS`; changed here.
      batches: iterable of (B, H, W, 3) normalised images.
      share: float in (0, 1).
      agree: function of the shift found here -> the shift that all machines of a cluster take.
    Returns:
      float, what was added to the bias.
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
    """What comes out as this level of M; the bias is added to it, resized or not."""
    level = np.clip(np.float64(level), 1e-7, 1 - 1e-7)
    logit = np.log(level) - np.log1p(-level)
    sharp = [layer for layer in mask_net.layers if hasattr(layer, "inverse")]
    return sharp[-1].inverse(logit) if sharp else logit
