"""Share of kept pixels: a lambda that follows it in training, an output bias that sets it."""

import keras
import numpy as np
import tensorflow as tf

from tfdepthviz.utils.constants import THRESHOLD
from tfdepthviz.utils.errors import InputError

# Reaction of lambda to a share that is off: within the step, and for good.
PULL, ADAPTATION = 10.0, 1.0
# Bound of lambda. Where a share is not reached for long, lambda would otherwise grow until
# differences in depth no longer count.
MOST = 1000.0


def prices(sparsity_weight, kept, difference, *, target, first):
    """lambda in this step, and lambda after it.

        u = |lambda| + l_dif
        price = lambda + 10 * u * (s - a) / a
        adapted = lambda + u * min(s - a, a), at most 1000 * (first + l_dif)

    s is the share that is kept, a the target. The unit u lets lambda pass 0 and makes it
    independent of the unit of depth. lambda rises by u * a at most, as fast as it can fall:
    otherwise a mask that starts far open leaves a lambda that takes epochs to come back.

    Args:
      sparsity_weight: (), lambda; negative where N needs fewer pixels than the target.
      kept: (), share of the pixels that M' keeps, mean over the batch.
      difference: (), l_dif, mean over the batch.
      target: float in (0, 1).
      first: float, lambda at the start of training.
    Returns:
      (price, adapted), each ().
    Source: ours.
    """
    excess = kept - target
    unit = tf.abs(sparsity_weight) + difference
    price = sparsity_weight + PULL * unit * excess / target
    most = MOST * (first + tf.maximum(difference, 0.0))
    adapted = sparsity_weight + ADAPTATION * unit * tf.minimum(excess, target)
    return price, tf.minimum(adapted, most)


def settle_share(mask_net, batches, share, agree=lambda shift: shift):
    """Calibrates the output bias so that M' = [M > 0.025] keeps the requested share.

    In training the masks are normalised by the statistics of a batch, and images are augmented.
    Afterwards masks keep another share of the pixels, which lambda cannot correct. The bias does
    not change which pixel of an image is kept before which.

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
