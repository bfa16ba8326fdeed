"""Metrics: errors of depth maps, fidelity to N, alignment of maps without a unit, curves."""

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
    "depth_errors",
    "entropy",
    "fidelity_mse",
    "same_shape_and_dtype",
    "set_level",
    "sparseness",
    "valid_depth",
]
