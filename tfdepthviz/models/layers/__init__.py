"""Keras layers that the framework lacks, and the cheaper form of a convolution of a resized map."""

from tfdepthviz.models.layers.batch_norm import BatchNormalization
from tfdepthviz.models.layers.conv_cost import mixing_first_pays
from tfdepthviz.models.layers.grouped_conv import GroupedConv2D
from tfdepthviz.models.layers.resize import (
    AlignedResize,
    Interleave,
    aligned_resize,
    interpolation_matrix,
)
from tfdepthviz.models.layers.resized_conv import conv_of_resized

__all__ = [
    "AlignedResize",
    "BatchNormalization",
    "GroupedConv2D",
    "Interleave",
    "aligned_resize",
    "conv_of_resized",
    "interpolation_matrix",
    "mixing_first_pays",
]
