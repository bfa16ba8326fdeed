"""Metrics: errors of depth maps, fidelity to N, alignment of maps without a unit, curves.

The RMSE of a set, and the errors of a network that gives relative depth:

    metrics.set_level(metrics.depth_errors(y_true, y_pred))["rmse"]
    metrics.depth_errors(y_true, metrics.alignment.in_metres("relative", y_true, y_pred))
"""

from tfdepthviz.metrics import alignment, curves
from tfdepthviz.metrics.depth import (
    DEPTH_ERRORS,
    SMALLEST_DEPTH,
    RootMean,
    depth_errors,
    entropy,
    fidelity_mse,
    same_shape_and_dtype,
    set_level,
    sparseness,
    valid_depth,
)

__all__ = [
    "DEPTH_ERRORS",
    "SMALLEST_DEPTH",
    "RootMean",
    "alignment",
    "curves",
    "depth_errors",
    "entropy",
    "fidelity_mse",
    "same_shape_and_dtype",
    "set_level",
    "sparseness",
    "valid_depth",
]
