"""Keras layers that the framework lacks, and the cheaper form of a convolution of a resized map."""

from tfdepthviz.models.layers.resize import (
    AlignedResize,
    GroupedConv2D,
    Interleave,
    aligned_resize,
    interpolation_matrix,
)

__all__ = [
    "AlignedResize",
    "GroupedConv2D",
    "Interleave",
    "aligned_resize",
    "interpolation_matrix",
]
