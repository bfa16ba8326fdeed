"""What a network's output means: metres, or depth or inverse depth without a unit.

A relative network knows depth, an inverse one inverse depth (more = nearer), both only up to a
scale and a shift that differ from image to image. Their outputs are never compared as they are:
one map is first brought to the other by the scale and shift of least squares, and where ground
truth comes in, to metres.
"""

from keras import ops

from tfdepthviz.metrics.depth import same_shape_and_dtype, valid_depth
from tfdepthviz.utils.errors import InputError

KINDS = ("metric", "relative", "inverse")
# Variance of a map that counts as flat, as a share of its mean square: float32 resolves no less.
FLAT = 1e-10
# For losses: share of N(I)'s variance added to N(I*M)'s when it is aligned, so that a map that is
# nearly flat is not blown up to full contrast, which would give gradients without bound. It costs
# 0.1 % of the scale.
RIDGE = 1e-3


def check_kind(kind):
    """Raises InputError unless `kind` is one of KINDS."""
    if kind not in KINDS:
        raise InputError(f"depth_kind must be one of {', '.join(KINDS)}. Received: {kind!r}")
    return kind


def unit(kind):
    """The unit of `comparable` maps in words for tables and pictures."""
    return "m" if kind == "metric" else "σ"


def align(y_true, y_pred, valid, ridge=0.0):
    """y_pred with the scale and shift that bring it closest to y_true, image by image.

    a y_pred + b with a >= 0 and b minimising mean (a y_pred + b - y_true)^2 + ridge a^2 over valid
    pixels.

    Args:
      y_true, y_pred: (B, H, W, 1) float of one unit or none.
      valid: (B, H, W, 1) bool, pixels that count.
      ridge: (B, 1, 1, 1) or a number, variance in the unit of y_pred.
    Returns:
      (B, H, W, 1), in the unit of y_true; constant where y_pred is, or falls where y_true rises.
    Raises:
      InputError: shapes differ (nothing is broadcast).
    Source: Ranftl et al. 2020 (MiDaS), section 5. Differs: a scale below 0 would turn near into far
      and is not taken.
    """
    y_true, y_pred = same_shape_and_dtype(y_true, y_pred)
    weight = ops.cast(valid, y_pred.dtype)
    pixels = ops.maximum(_sum(weight), 1.0)

    def mean(values):
        return _sum(ops.where(valid, values, ops.zeros_like(values))) / pixels

    # About their means, as sums of squares of large numbers would lose the difference.
    true_mean, pred_mean = mean(y_true), mean(y_pred)
    true, pred = y_true - true_mean, y_pred - pred_mean
    floor = FLAT * mean(ops.square(y_pred)) + 1e-12
    scale = ops.relu(mean(true * pred)) / ops.maximum(mean(ops.square(pred)) + ridge, floor)
    return scale * pred + true_mean


def comparable(kind, y_full, y_masked, ridge=0.0):
    """N(I) and N(I*M) as maps that losses and fidelity may compare.

    Metric depth stays as it is. Otherwise N(I) is given mean 0 and standard deviation 1, image by
    image, and N(I*M) is aligned to it: one standard deviation of N(I) takes the place of the metre,
    and a network that answers the same up to scale and shift has answered the same.

    Args:
      kind: one of KINDS.
      y_full, y_masked: (B, h, w, 1) float, N's outputs.
      ridge: share of N(I)'s variance; RIDGE where gradients are taken.
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
    """N's output in metres, by scale and shift where it has no unit of its own.

    relative: align(y_true, y_pred). inverse: 1 / max(align(1 / y_true, y_pred), 1 / farthest), as
    inverse depth is aligned and 0 would be infinitely far; farthest is the image's largest truth.

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
    # 1 m where nothing is valid: such an image is not rated.
    nearest_to_0 = ops.min(ops.where(valid, inverse_true, one), axis=(1, 2, 3), keepdims=True)
    nearest_to_0 = ops.where(ops.any(valid, axis=(1, 2, 3), keepdims=True), nearest_to_0, 1.0)
    return one / ops.maximum(align(inverse_true, y_pred, valid), nearest_to_0)


def drawable(kind, y_full, y_masked):
    """N(I) and N(I*M) as two maps of depth that grow with distance, above 0, in `unit(kind)`.

    Args, Returns: as for `comparable`; without metres, depth counts from N(I)'s nearest pixel.
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
