"""Alignment of depth maps by scale and shift, for networks whose output has no unit.

`depth_kind` says what N's output means. "metric": depth in metres. "relative": depth, "inverse":
inverse depth (larger = nearer), both only up to a scale and a shift that differ from image to
image. Such maps are aligned by least squares before they are compared: N(I*M) to N(I), and N's
output to ground truth in metres.
"""

from keras import ops

from tfdepthviz.metrics.depth import same_shape_and_dtype, valid_depth
from tfdepthviz.utils.errors import InputError

KINDS = ("metric", "relative", "inverse")
# Variance below which a map counts as flat, relative to its mean square: the limit of float32.
FLAT = 1e-10
# For losses: part of N(I)'s variance that is added to N(I*M)'s for the alignment. Without it a
# nearly flat map would be scaled up to full contrast, with unbounded gradients. It changes the
# scale by 0.1 %.
RIDGE = 1e-3


def check_kind(kind):
    """Returns `kind`; raises InputError unless it is one of KINDS."""
    if kind not in KINDS:
        raise InputError(f"depth_kind must be one of {', '.join(KINDS)}. Received: {kind!r}")
    return kind


def unit(kind):
    """The unit of `comparable` maps, for tables and pictures."""
    return "m" if kind == "metric" else "σ"


def align(y_true, y_pred, valid, ridge=0.0):
    """Aligns y_pred to y_true by scale and shift, image by image.

    a y_pred + b, where a >= 0 and b minimise mean (a y_pred + b - y_true)^2 + ridge a^2 over valid
    pixels.

    Args:
      y_true, y_pred: (B, H, W, 1) float in any unit.
      valid: (B, H, W, 1) bool, pixels that count.
      ridge: (B, 1, 1, 1) or a number, variance in the unit of y_pred.
    Returns:
      (B, H, W, 1) in the unit of y_true; constant if y_pred is flat or falls where y_true rises.
    Raises:
      InputError: shapes differ (nothing is broadcast).
    Source: Ranftl et al. 2020 (MiDaS), section 5. Differs: the scale is at least 0, as a negative
      one would turn near into far.
    """
    y_true, y_pred = same_shape_and_dtype(y_true, y_pred)
    weight = ops.cast(valid, y_pred.dtype)
    pixels = ops.maximum(_sum(weight), 1.0)

    def mean(values):
        return _sum(ops.where(valid, values, ops.zeros_like(values))) / pixels

    # Centred first, because sums of squares of large numbers would lose the variance.
    true_mean, pred_mean = mean(y_true), mean(y_pred)
    true, pred = y_true - true_mean, y_pred - pred_mean
    floor = FLAT * mean(ops.square(y_pred)) + 1e-12
    scale = ops.relu(mean(true * pred)) / ops.maximum(mean(ops.square(pred)) + ridge, floor)
    return scale * pred + true_mean


def comparable(kind, y_full, y_masked, ridge=0.0):
    """N(I) and N(I*M), aligned for losses and fidelity.

    Metric depth is left as it is. Otherwise N(I) is normalised to mean 0 and standard deviation 1,
    image by image, and N(I*M) is aligned to it. The unit is then one standard deviation of N(I), so
    two outputs that differ only by scale and shift become equal.

    Args:
      kind: one of KINDS.
      y_full, y_masked: (B, h, w, 1) float, N's outputs.
      ridge: as a part of N(I)'s variance; RIDGE where gradients are taken.
    Returns:
      the two maps, (B, h, w, 1).
    """
    y_full, y_masked = same_shape_and_dtype(y_full, y_masked)
    if check_kind(kind) == "metric":
        return y_full, y_masked
    axes = (1, 2, 3)
    centred = y_full - ops.mean(y_full, axis=axes, keepdims=True)
    variance = ops.mean(ops.square(centred), axis=axes, keepdims=True)
    floor = FLAT * ops.mean(ops.square(y_full), axis=axes, keepdims=True) + 1e-12
    y_full = centred / ops.sqrt(ops.maximum(variance, floor))
    everywhere = ops.ones_like(y_full, dtype="bool")
    return y_full, align(y_full, y_masked, everywhere, ridge * variance)


def in_metres(kind, y_true, y_pred):
    """N's output in metres, aligned to ground truth unless it is metric.

    relative: align(y_true, y_pred). inverse: 1 / max(align(1 / y_true, y_pred), 1 / farthest), with
    farthest the image's largest truth, because an aligned inverse depth of 0 is infinitely far.

    Args:
      kind: one of KINDS.
      y_true: (B, H, W, 1) float, metres; 0, negative, NaN or infinite = missing.
      y_pred: (B, H, W, 1) float, N's output at the size of the truth.
    Returns:
      (B, H, W, 1) metres; constant in an image without ground truth, which gives no scale.
    Source: Ranftl et al. 2020 (MiDaS), section 5; they cut off at the data set's farthest depth.
    """
    y_true, y_pred = same_shape_and_dtype(y_true, y_pred)
    if check_kind(kind) == "metric":
        return y_pred
    valid = valid_depth(y_true)
    one = ops.ones_like(y_true)
    if kind == "relative":
        return align(ops.where(valid, y_true, 0 * one), y_pred, valid)
    inverse_true = ops.where(valid, one / ops.where(valid, y_true, one), 0 * one)
    # 1 m in an image without valid pixels, which is not rated.
    nearest_to_0 = ops.min(ops.where(valid, inverse_true, one), axis=(1, 2, 3), keepdims=True)
    nearest_to_0 = ops.where(ops.any(valid, axis=(1, 2, 3), keepdims=True), nearest_to_0, 1.0)
    return one / ops.maximum(align(inverse_true, y_pred, valid), nearest_to_0)


def drawable(kind, y_full, y_masked):
    """N(I) and N(I*M) for pictures: aligned, growing with distance, above 0, in `unit(kind)`.

    Args, Returns: as for `comparable`. Depth without a unit counts from N(I)'s nearest pixel.
    """
    y_full, y_masked = comparable(kind, y_full, y_masked)
    if kind == "metric":
        return y_full, y_masked
    if kind == "inverse":
        y_full, y_masked = -y_full, -y_masked
    nearest = ops.min(y_full, axis=(1, 2, 3), keepdims=True)
    # Zero is drawn as missing.
    return tuple(ops.maximum(y - nearest, 1e-3) for y in (y_full, y_masked))


def _sum(values):
    return ops.sum(values, axis=(1, 2, 3), keepdims=True)
