"""Distance bands: thirds of an image's pixels, near, middle and far."""

import math

import numpy as np
import tensorflow as tf

BANDS = ("near", "middle", "far")
# The band of a pixel that does not count.
INVALID = -1


def distance_bands(distance, valid):
    """The band of each pixel: 0 near, 1 middle, 2 far, -1 not valid.

    Args:
      distance: (B, h, w, 1) float, growing with distance.
      valid: (B, h, w, 1) bool.
    Returns:
      (B, h, w, 1) int32. With n valid pixels the borders are the values at places ceil(n/3) and
      ceil(2n/3) of the sorted ones; a pixel that equals a border belongs to the nearer band.
    """
    bands = np.full(distance.shape, INVALID, "int32")
    for place, (values, counts) in enumerate(zip(distance, valid, strict=True)):
        ordered = np.sort(values[counts])
        if len(ordered):
            borders = [ordered[math.ceil(len(ordered) * third / 3) - 1] for third in (1, 2)]
            band = sum((values > border).astype("int32") for border in borders)
            bands[place] = np.where(counts, band, INVALID)
    return bands


def mean_by_band(values, bands):
    """Means over all valid pixels of an image, then over each band.

    Args:
      values: (B, h, w, 1) float32 tensor; anything, NaN too, where a pixel is not valid.
      bands: (B, h, w, 1) int32, see `distance_bands`.
    Returns:
      (B, 4) float32; NaN where a band is empty.
    """
    means = []
    for counts in (bands >= 0, *(tf.equal(bands, number) for number in range(len(BANDS)))):
        # Holes of the truth may be NaN, which times 0 would not be 0.
        total = tf.reduce_sum(tf.where(counts, values, 0.0), axis=(1, 2, 3))
        means.append(total / tf.reduce_sum(tf.cast(counts, tf.float32), axis=(1, 2, 3)))
    return tf.stack(means, axis=-1)
