"""Errors of depth maps, fidelity of masks to N, and the share of pixels that a mask keeps."""

import numpy as np
from keras import backend, ops
from keras.metrics import Mean

from tfdepthviz.utils.constants import THRESHOLD
from tfdepthviz.utils.errors import InputError

DEPTH_ERRORS = ("mse", "mae", "rel", "log10", "delta1", "delta2", "delta3")

# A linear output layer can give depth of 0 or below, which has no logarithm and no ratio.
SMALLEST_DEPTH = 1e-3


def depth_errors(y_true, y_pred):
    """Accuracy of each depth map over the pixels that have ground truth.

    With v the valid pixels, t = y_true[v], p = y_pred[v], q = max(p, 0.001 m), r = max(t/q, q/t):
    mse = mean (p-t)^2, mae = mean |p-t|, rel = mean |p-t|/t, log10 = mean |log10 q - log10 t|,
    delta_k = share of r < 1.25^k.

    Args:
      y_true: (B, H, W, 1) float, metres; 0, negative, NaN or infinite = missing.
      y_pred: (B, H, W, 1) float, metres. Where it is zero or below, log10 and the deltas rate it as
        0.001 m, a gross error; the others take it as it is.
    Returns:
      dict of (B,) tensors: mse (m^2), mae (m), rel, log10, delta1, delta2, delta3, and valid, the
      share of valid pixels. An image without any has 0 for all of them.
    Raises:
      InputError: shapes differ (nothing is broadcast).
    Source: Eigen et al. 2014, section 4.2; Hu et al. 2019, section 5.
    Example:
      per_image = metrics.depth_errors(y_true, y_pred)
      metrics.set_level(per_image)["rmse"]  # metres, over a whole set
    """
    y_true, y_pred = same_shape_and_dtype(y_true, y_pred)
    valid = valid_depth(y_true)
    # Missing pixels become 1 m in both maps, before any quotient or logarithm.
    one = ops.ones_like(y_true)
    true = ops.where(valid, y_true, one)
    pred = ops.where(valid, y_pred, one)
    positive = ops.maximum(pred, ops.cast(SMALLEST_DEPTH, pred.dtype))

    weight = ops.cast(valid, pred.dtype)
    pixels = ops.maximum(ops.sum(weight, axis=(1, 2, 3)), 1)

    def mean(values):
        return ops.sum(ops.where(valid, values, ops.zeros_like(values)), axis=(1, 2, 3)) / pixels

    error = ops.abs(pred - true)
    ratio = ops.maximum(true / positive, positive / true)
    return {
        "mse": mean(ops.square(error)),
        "mae": mean(error),
        "rel": mean(error / true),
        "log10": mean(ops.abs(ops.log10(positive) - ops.log10(true))),
        "delta1": mean(ops.cast(ratio < 1.25, pred.dtype)),
        "delta2": mean(ops.cast(ratio < 1.25**2, pred.dtype)),
        "delta3": mean(ops.cast(ratio < 1.25**3, pred.dtype)),
        "valid": ops.mean(weight, axis=(1, 2, 3)),
    }


def set_level(per_image):
    """Figures of a whole set from those of its images.

    rmse = sqrt(mean over images of mse); every other figure is the mean over images. Each image
    with at least one valid pixel counts once, however many it has; other images do not count.

    Args:
      per_image: dict of (N,) arrays as `depth_errors` gives them, batches concatenated.
    Returns:
      dict of float: rmse and mae in metres, rel, log10, delta1, delta2, delta3; NaN if no image has
      ground truth.
    Raises:
      InputError: a figure is missing, or lengths differ.
    Source: the rule behind table 1 of Hu et al. 2019 (ICCV).
    """
    missing = [name for name in (*DEPTH_ERRORS, "valid") if name not in per_image]
    if missing:
        raise InputError(f"set_level: per_image lacks {missing}. Received: {sorted(per_image)}")
    values = {name: np.asarray(per_image[name], "float64") for name in (*DEPTH_ERRORS, "valid")}
    if len({v.shape for v in values.values()}) > 1 or values["valid"].ndim != 1:
        shapes = {name: v.shape for name, v in values.items()}
        raise InputError(f"set_level: figures must be (N,) of one N. Received: {shapes}")
    counted = values.pop("valid") > 0
    means = {k: float(np.mean(v[counted])) if counted.any() else np.nan for k, v in values.items()}
    return {"rmse": float(np.sqrt(means.pop("mse"))), **means}


def fidelity_mse(y_full, y_masked, region=None):
    """Mean squared difference of N(I*M) and N(I) over all pixels, or over a region.

    All pixels count, because a network's output has no missing ones.

    Args:
      y_full: (B, h, w, 1) float, metres, N(I).
      y_masked: (B, h, w, 1) float, metres, N(I*M).
      region: (B, h, w, 1) float, weights of at least 0, some of them above; None: all 1.
    Returns:
      (B,) float, m^2.
    Raises:
      InputError: shapes differ (nothing is broadcast).
    """
    y_full, y_masked = same_shape_and_dtype(y_full, y_masked)
    squares = ops.square(y_masked - y_full)
    if region is None:
        return ops.mean(squares, axis=(1, 2, 3))
    return ops.sum(region * squares, axis=(1, 2, 3)) / ops.sum(region, axis=(1, 2, 3))


def sparseness(mask, threshold=THRESHOLD):
    """Share of pixels that a mask keeps: mean of [mask > threshold].

    Args:
      mask: (B, H, W, 1) float in [0, 1].
      threshold: the grey level up to which a pixel counts as removed.
    Returns:
      (B,) float in [0, 1]; 1 means that nothing is removed.
    Source: Hu et al. 2019 (ICCV), table 1.
    """
    mask = ops.convert_to_tensor(mask)
    # bfloat16 cannot count pixels.
    kept = ops.cast(mask > threshold, backend.result_type(mask.dtype, "float32"))
    return ops.mean(kept, axis=(1, 2, 3))


def entropy(mask):
    """Bits that a pixel's grey level leaves open: mean of -m log2 m - (1-m) log2(1-m).

    Args:
      mask: (B, H, W, 1) float in [0, 1].
    Returns:
      (B,) float in [0, 1]; 0 for a binary mask, 1 where every pixel is 1/2.
    Source: Shannon 1948, section 6.
    """
    mask = ops.convert_to_tensor(mask)
    mask = ops.cast(mask, backend.result_type(mask.dtype, "float32"))

    def bits(share):
        # The limit at 0 is 0.
        return -share * ops.log2(ops.where(share > 0, share, ops.ones_like(share)))

    return ops.mean(bits(mask) + bits(1 - mask), axis=(1, 2, 3))


def valid_depth(depth):
    """Where a depth map holds a measurement: finite and above 0.

    `utils.arrays.valid_depth` is the same for NumPy.

    Args:
      depth: float tensor of any shape, metres; 0, negative, NaN or infinite = missing.
    Returns:
      bool tensor of the same shape.
    """
    return ops.logical_and(ops.isfinite(depth), depth > 0)


def same_shape_and_dtype(first, second):
    """Two depth maps as tensors of one type, float32 at least.

    Args:
      first, second: (B, H, W, 1) float.
    Returns:
      the two tensors.
    Raises:
      InputError: not both (B, H, W, 1) of one size (nothing is broadcast).
    """
    first, second = ops.convert_to_tensor(first), ops.convert_to_tensor(second)
    shapes = tuple(first.shape), tuple(second.shape)
    same = len(shapes[0]) == len(shapes[1]) == 4 and all(
        a is None or b is None or a == b for a, b in zip(*shapes, strict=True)
    )
    if not same:
        raise InputError(
            "two depth maps must both be (B, H, W, 1) of one size. "
            f"Received: shapes {shapes[0]} and {shapes[1]}"
        )
    dtype = backend.result_type(first.dtype, second.dtype, "float32")
    return ops.cast(first, dtype), ops.cast(second, dtype)


class RootMean(Mean):
    """Keras metric: square root of the mean of its values, such as the RMSE of a set.

    NaN before the first value, so that a set without ground truth has no RMSE of 0.

    Example:
      rmse = metrics.RootMean(name="rmse")
      rmse.update_state(metrics.fidelity_mse(y_full, y_masked))
    """

    def result(self):
        return ops.where(self.count > 0, ops.sqrt(super().result()), np.nan)
