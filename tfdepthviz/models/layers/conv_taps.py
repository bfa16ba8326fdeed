"""Taps of a convolution on the small map: channels mixed per tap, then interpolated and added.

A map of taps is (B, k, h, w, across, F): for each row of taps, pixel and column of taps, the
product of the pixel's channels with the kernel there. `mix` computes it, `interpolate` adds it up
to the output. Both are linear; their gradients follow them.
"""

import dataclasses
import itertools
import math

import numpy as np
from keras import ops

from tfdepthviz.models.layers.banded import banded_product
from tfdepthviz.models.layers.resize import interpolation_matrix

# Size that the taps of one image in one strip have at most, about.
STRIP_BYTES = 32e6


@dataclasses.dataclass(frozen=True)
class Strip:
    """Rows of the output, and what computes them.

    first, last: the rows of the output, from first to last - 1.
    start, end: the rows of the map that they are made of.
    rows: (last - first, k, end - start): interpolates a column of pixels from all rows of taps.
    """

    first: int
    last: int
    start: int
    end: int
    rows: np.ndarray


def plan(in_size, size, kernel_shape):
    """Matrices that interpolate all columns, and strips of rows.

    Args:
      in_size: (h, w) of the map.
      size: (H, W) that it is resized to.
      kernel_shape: (k, across, C, F).
    Returns:
      columns: (W, w, across) float64: interpolates a row of pixels from all taps of each, and
      strips: list of Strip, which together are all rows.
    """
    (h, w), (k, across, _, filters) = in_size, kernel_shape
    count = min(size[0], math.ceil(4 * k * across * h * w * filters / STRIP_BYTES))
    rows = shifted_interpolation(size[0], h, k)
    strips = []
    for first, last in itertools.pairwise(size[0] * i // count for i in range(count + 1)):
        used = np.flatnonzero(rows[first:last].any(axis=(0, 1)))
        start, end = int(used[0]), int(used[-1]) + 1
        strips.append(Strip(first, last, start, end, rows[first:last, :, start:end]))
    return shifted_interpolation(size[1], w, across).transpose(0, 2, 1), strips


def shifted_interpolation(out_size, in_size, taps):
    """Interpolation matrices with aligned corners, shifted by every tap of a kernel.

    Args:
      out_size, in_size: numbers of samples, at least 1.
      taps: width of the kernel, odd.
    Returns:
      (out_size, taps, in_size) float64: [i, t] gives resized sample i + t - taps // 2, or zero
      where there is none.
    """
    margin = taps // 2
    padded = np.pad(interpolation_matrix(out_size, in_size), ((margin, margin), (0, 0)))
    return np.stack([padded[t : t + out_size] for t in range(taps)], axis=1)


def mix(x, kernel):
    """Map (B, h, w, C) and kernel (k, across, C, F) -> taps (B, k, h, w, across, F)."""
    _, h, w, c = x.shape
    k, across, _, filters = kernel.shape
    if _kernel_exceeds_taps(h * w, c):
        x = ops.matmul(ops.reshape(x, (-1, 1, 1, h * w, c)), kernel)
        x = ops.transpose(ops.reshape(x, (-1, across, h * w, filters)), (0, 2, 1, 3))
    else:
        # One image and one row of taps at a time: the products leave every axis in its place.
        x = ops.matmul(ops.reshape(x, (-1, 1, h * w, c)), _columns_together(kernel))
    return ops.reshape(x, (-1, k, h, w, across, filters))


def mix_backwards(taps, kernel):
    """Gradient of `mix` with respect to the map, (B, h, w, C)."""
    _, k, h, w, across, filters = taps.shape
    c = kernel.shape[2]
    if _kernel_exceeds_taps(h * w, c):
        x = ops.matmul(_columns_apart(taps), ops.swapaxes(kernel, 2, 3))
        x = ops.sum(x, axis=(1, 2))
    else:
        taps = ops.reshape(taps, (-1, k, h * w, across * filters))
        x = ops.sum(ops.matmul(taps, ops.swapaxes(_columns_together(kernel), 2, 3)), axis=1)
    return ops.reshape(x, (-1, h, w, c))


def kernel_gradient(taps, x):
    """Gradient of `mix` with respect to the kernel, (k, across, C, F), for the map x."""
    _, k, h, w, across, filters = taps.shape
    c = x.shape[3]
    x = ops.swapaxes(ops.reshape(x, (-1, h * w, c)), 1, 2)
    if _kernel_exceeds_taps(h * w, c):
        return ops.sum(ops.matmul(x[:, None, None], _columns_apart(taps)), axis=0)
    taps = ops.reshape(taps, (-1, k, h * w, across * filters))
    kernel = ops.sum(ops.matmul(x[:, None], taps), axis=0)
    return ops.transpose(ops.reshape(kernel, (k, c, across, filters)), (0, 2, 1, 3))


def interpolate(taps, columns, rows):
    """Taps (B, k, h, w, across, F) -> (B, H, W, F), by columns of a plan and rows of a strip."""
    _, k, h, w, across, filters = taps.shape
    height, width = len(rows), len(columns)
    x = ops.reshape(taps, (-1, k * h, w * across, filters))
    x = banded_product(columns.reshape(1, width, w * across), x)
    x = banded_product(rows.reshape(1, height, k * h), ops.reshape(x, (-1, k * h, width * filters)))
    return ops.reshape(x, (-1, height, width, filters))


def interpolate_backwards(x, columns, rows):
    """Gradient of `interpolate` with respect to the taps."""
    _, height, width, filters = x.shape
    (_, k, h), (_, w, across) = rows.shape, columns.shape
    x = banded_product(rows.transpose(1, 2, 0), ops.reshape(x, (-1, height, width * filters)))
    x = ops.reshape(x, (-1, k * h, width, filters))
    x = banded_product(columns.reshape(1, width, w * across).transpose(0, 2, 1), x)
    return ops.reshape(x, (-1, k, h, w, across, filters))


def _kernel_exceeds_taps(pixels, channels):
    """Whether it is cheaper to transpose the taps than the kernel."""
    return pixels < channels


def _columns_together(kernel):
    """(k, across, C, F) -> (1, k, C, across * F)."""
    k, across, c, filters = kernel.shape
    return ops.reshape(ops.transpose(kernel, (0, 2, 1, 3)), (1, k, c, across * filters))


def _columns_apart(taps):
    """(B, k, h, w, across, F) -> (B, k, across, h * w, F)."""
    _, k, h, w, across, filters = taps.shape
    taps = ops.swapaxes(ops.reshape(taps, (-1, h * w, across, filters)), 1, 2)
    return ops.reshape(taps, (-1, k, across, h * w, filters))
