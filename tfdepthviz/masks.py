"""Masks over an image: applying them, making them binary, soft or exact shares of the pixels.

The part of an image that a mask network keeps:

    binary_mask = masks.binarise(mask_net(image))
    shown = masks.apply_mask(image, binary_mask)
"""

import numpy as np
from keras import backend, ops

from tfdepthviz.utils.constants import GREY_WEIGHTS, THRESHOLD
from tfdepthviz.utils.errors import InputError

# Halvings of the range of `exact_share`'s level. The sum is then exact to float32's own error.
HALVINGS = 24
# Added to the variance of an image's scores, so that equal scores have a gradient.
LEAST_VARIANCE = 1e-6
# Shares of 0 and 1 have no finite level.
LEAST_SHARE = 1e-6
PIXELS = {"axis": (1, 2, 3), "keepdims": True}


def apply_mask(image, mask):
    """The image with pixels removed: I * M, the same mask for all channels.

    Args:
      image: (B, H, W, C) float, normalised, so that a removed pixel takes the mean colour.
      mask: (B, H, W, 1) float in [0, 1]; 1 keeps a pixel, 0 removes it.
    Returns:
      (B, H, W, C) of the image's dtype.
    Raises:
      InputError: the mask has not one channel and the image's size.
    Source: Hu et al. 2019 (ICCV), equation 4.
    """
    image, mask = ops.convert_to_tensor(image), ops.convert_to_tensor(mask)
    expected = (*image.shape[:3], 1)
    fits = len(mask.shape) == len(image.shape) == 4 and all(
        a is None or b is None or a == b for a, b in zip(mask.shape, expected, strict=True)
    )
    if not fits:
        raise InputError(
            f"mask must be (B, H, W, 1) of the image's size {tuple(image.shape)}. "
            f"Received: shape {tuple(mask.shape)}"
        )
    return image * ops.cast(mask, image.dtype)


def binarise(mask, threshold=THRESHOLD):
    """M' = [M > threshold], so that grey levels carry nothing.

    Args:
      mask: (B, H, W, 1) float in [0, 1].
      threshold: the grey level up to which a pixel is removed.
    Returns:
      (B, H, W, 1) of the mask's dtype, each value 0 or 1.
    Source: Hu et al. 2019 (ICCV), section 4.2.
    Example:
      binary_mask = masks.binarise(mask_net(image))
    """
    mask = ops.convert_to_tensor(mask)
    return ops.cast(mask > threshold, mask.dtype)


def edge_strength(image_rgb01):
    """Sobel edge map of the grey image: sqrt((dx g)^2 + (dy g)^2), operators unnormalised.

    Args:
      image_rgb01: (B, H, W, 3) float, RGB in [0, 1], not normalised.
    Returns:
      (B, H, W, 1) float in [0, 4 sqrt(2)]. Border pixels are repeated, so the border is no edge.
    Raises:
      InputError: not a batch of RGB images.
    Source: Hu et al. 2019 (ICCV), section 4.2.
    """
    image = ops.convert_to_tensor(image_rgb01)
    if len(image.shape) != 4 or image.shape[-1] != 3:
        raise InputError(f"image must be (B, H, W, 3). Received: shape {tuple(image.shape)}")
    grey = sum(image[..., c : c + 1] * weight for c, weight in enumerate(GREY_WEIGHTS))
    # One symmetric pixel is the replicated border.
    g = ops.pad(grey, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="symmetric")
    columns = g[:, :-2] + 2 * g[:, 1:-1] + g[:, 2:]
    rows = g[:, :, :-2] + 2 * g[:, :, 1:-1] + g[:, :, 2:]
    dx = columns[:, :, 2:] - columns[:, :, :-2]
    dy = rows[:, 2:] - rows[:, :-2]
    return ops.sqrt(ops.square(dx) + ops.square(dy))


def top_share_mask(scores, share):
    """Binary mask of the highest-scoring pixels of each image, exactly round(share*H*W) of them.

    Args:
      scores: (B, H, W, 1) float; equal scores are taken in reading order.
      share: (B,) float in [0, 1].
    Returns:
      (B, H, W, 1) of the scores' dtype, each value 0 or 1.
    Raises:
      InputError: scores are not (B, H, W, 1).
    """
    scores = ops.convert_to_tensor(scores)
    _check_scores(scores)
    flat = ops.reshape(scores, (ops.shape(scores)[0], -1))
    pixels = ops.shape(flat)[1]
    dtype = backend.result_type(scores.dtype, "float32")
    keep = ops.round(ops.cast(share, dtype) * ops.cast(pixels, dtype))
    keep = ops.reshape(ops.cast(keep, "int32"), (-1, 1))
    # The lowest score that is kept; of the pixels that have it, only as many as are still missing.
    lowest = ops.take_along_axis(-ops.sort(-flat, axis=-1), ops.maximum(keep - 1, 0), axis=-1)
    above, level = ops.cast(flat > lowest, "int32"), ops.cast(flat == lowest, "int32")
    missing = keep - ops.sum(above, axis=-1, keepdims=True)
    mask = above + level * ops.cast(ops.cumsum(level, axis=-1) <= missing, "int32")
    return ops.reshape(ops.cast(mask, scores.dtype), ops.shape(scores))


def exact_share(scores, share, temperature, *, constant_deviation=False):
    """The relaxed top share of the scores: p with mean(p) = share in each image.

        p_i = s((z_i - b) / t), z the scores of an image with mean 0 and deviation 1,
        s the logistic function, b such that mean(p) = share

    b is found by halving its range. Its gradient comes from the implicit function theorem: with
    d_i = p_i (1 - p_i) / t and g = dL/dp,

        dL/dz_i = d_i (g_i - sum_j q_j g_j),  q = d / sum(d)

    so raising all scores of an image together changes nothing.

    Args:
      scores: (B, H, W, 1) float.
      share: (B,) float in [0, 1], share of the pixels of each image to keep; () for all images.
      temperature: () float above 0, t in deviations of the scores. Towards 0, p becomes the binary
        mask `top_share_mask(scores, share)`, ties apart: equal scores have equal p.
      constant_deviation: the deviation of the scores is a constant to the gradient. Otherwise it
        has a gradient, and scaling all scores of an image together changes nothing either.
    Returns:
      (B, H, W, 1) in [0, 1], float32, or float64 if the scores are; NaN in images that have a
      score of NaN or infinity.
    Raises:
      InputError: scores are not (B, H, W, 1), or share has another number of images.
    Source: entropic optimal transport onto two values (Xie et al. 2020, SOFT top-k). Differs: the
      level is found by halving, not by Sinkhorn iterations.
    Example:
      shown = exact_share(scores, [0.05, 0.36], 0.1)  # two images
    """
    scores = ops.convert_to_tensor(scores)
    _check_scores(scores)
    dtype = backend.result_type(scores.dtype, "float32")
    scores, share, temperature = (ops.cast(x, dtype) for x in (scores, share, temperature))
    if tuple(share.shape) not in ((), (scores.shape[0],), (None,)) and scores.shape[0] is not None:
        raise InputError(
            f"share must be (B,), one for each of {scores.shape[0]} images. "
            f"Received: shape {tuple(share.shape)}"
        )
    share = ops.reshape(ops.clip(share, LEAST_SHARE, 1 - LEAST_SHARE), (-1, 1, 1, 1))
    z = standardised(scores, constant_deviation) / temperature
    fixed = ops.stop_gradient(z)
    level = _level(fixed, share, temperature)
    p = ops.sigmoid(fixed - level)
    d = p * (1 - p)
    q = d / ops.maximum(ops.sum(d, **PIXELS), 1e-12)
    # The sum is 0. It gives the level its gradient q.
    level = level + ops.sum(q * (z - fixed), **PIXELS)
    return ops.sigmoid(z - level)


def standardised(scores, constant_deviation=False):
    """(B, H, W, 1) scores with mean 0 and deviation 1 in each image; see `exact_share`."""
    centred = scores - ops.mean(scores, **PIXELS)
    scale = ops.rsqrt(ops.mean(ops.square(centred), **PIXELS) + LEAST_VARIANCE)
    return centred * (ops.stop_gradient(scale) if constant_deviation else scale)


def _level(z, share, temperature):
    """b with mean(s(z - b)) = share, (B, 1, 1, 1); a constant to the gradient."""
    odds = share / (1 - share)
    # With equal scores b would be z - log(odds). So it lies between these for the least and the
    # greatest score. It also is a quantile of z + L, L a logistic random number, whose variance is
    # pi^2 / 3. Chebyshev's one-sided inequality bounds it, also where a few scores are far off.
    spread = ops.sqrt(1 / temperature**2 + np.pi**2 / 3)
    low = ops.maximum(ops.min(z, **PIXELS) - ops.log(odds), -spread * ops.sqrt(odds))
    high = ops.minimum(ops.max(z, **PIXELS) - ops.log(odds), spread / ops.sqrt(odds))
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        too_many = ops.mean(ops.sigmoid(z - middle), **PIXELS) > share
        low, high = ops.where(too_many, middle, low), ops.where(too_many, high, middle)
    return (low + high) / 2


def _check_scores(scores):
    if len(scores.shape) != 4 or scores.shape[-1] != 1:
        raise InputError(f"scores must be (B, H, W, 1). Received: shape {tuple(scores.shape)}")


def random_mask(shape, share, seed, first=0):
    """Binary mask of random pixels, exactly round(share*H*W) of them in each image.

    NumPy draws the pixels, so that every backend gets the same. Do not call it inside a compiled
    function, where the pixels would be drawn only once, at tracing.

    Args:
      shape: (B, H, W, 1), all known.
      share: (B,) float in [0, 1].
      seed: int of at least 0.
      first: place of the batch's first image in its set. It makes an image's pixels independent of
        how the set is cut into batches.
    Returns:
      (B, H, W, 1) of keras.config.floatx(), each value 0 or 1.
    """
    batch, *size = shape
    scores = [np.random.default_rng((seed, first + image)).random(size) for image in range(batch)]
    return top_share_mask(np.stack(scores).astype(backend.floatx()), share)
