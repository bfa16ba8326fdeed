"""Convolution of a resized map, mostly computed on the small map.

Mixing channels and interpolating pixels are linear and act on different axes, so they commute:

    conv(resize(x)) = sum over taps (dy, dx) of  R_dy (x W_dydx) C_dx^T

where W_dydx mixes channels at the size of x, and R_dy and C_dx interpolate rows and columns and
shift them by the tap; what a shift brings in from outside is zero, as the padding of a convolution.
"""

import dataclasses

import keras
import numpy as np
from keras import ops

from tfdepthviz.models.layers import aligned_resize, interpolation_matrix

# Pixels of output that share one dense matrix. An output pixel needs few inputs, so that narrow
# bands save multiply-adds, while wide ones make better matrix products; see docs/speed.md.
BAND = 32
# Multiply-adds that take about as long as one byte to or from memory: of an image's first 128 MB,
# which caches help with, and of those beyond, which must be held as well. By these estimates the
# rule chose what was faster for every map in docs/speed.md but the largest, for which it chose what
# needs less memory.
MULTIPLY_ADDS_A_BYTE = 8.0
CACHED_BYTES = 128e6
MULTIPLY_ADDS_A_BYTE_BEYOND = 32.0


@dataclasses.dataclass(frozen=True)
class Work:
    """What one image costs: multiply-adds, and bytes to and from memory in float32."""

    multiply_adds: int
    bytes: int

    @property
    def cost(self):
        """In multiply-adds."""
        cached = min(self.bytes, CACHED_BYTES)
        moving = MULTIPLY_ADDS_A_BYTE * cached + MULTIPLY_ADDS_A_BYTE_BEYOND * (self.bytes - cached)
        return self.multiply_adds + moving


def direct_work(in_shape, size, filters, kernel_size):
    """Work of the resize, then the convolution.

    Args:
      in_shape: (h, w, C) of the map.
      size: (H, W) that it is resized to.
      filters: output channels F.
      kernel_size: k of the k x k convolution.
    Returns:
      Work.
    """
    (h, w, c), (height, width) = in_shape, size
    resize = height * h * w * c + height * width * w * c
    mixing = height * width * kernel_size**2 * c * filters
    numbers = h * w * c + 2 * height * w * c + 2 * height * width * c + height * width * filters
    return Work(resize + mixing, 4 * (numbers + kernel_size**2 * c * filters))


def mixed_work(in_shape, size, filters, kernel_size):
    """Work of `conv_of_resized`; arguments and result as in `direct_work`."""
    (h, w, c), (height, width), k = in_shape, size, kernel_size
    mixing = h * w * k**2 * c * filters
    columns = k * h * filters * _multiply_adds(width, w, k)
    rows = width * filters * _multiply_adds(height, h, k)
    between = k**2 * h * w * filters + k * h * width * filters
    numbers = h * w * c + 3 * between + 2 * height * width * filters
    return Work(mixing + columns + rows, 4 * (numbers + 3 * k**2 * c * filters))


def mixing_first_pays(in_shape, size, filters, kernel_size):
    """Whether `conv_of_resized` is the cheaper form; arguments as in `direct_work`."""
    shape = in_shape, size, filters, kernel_size
    return mixed_work(*shape).cost < direct_work(*shape).cost


def conv_of_resized(x, kernel, size):
    """Convolution, stride 1 and zero padding to the same size, of `aligned_resize(x, size)`.

    Equal to the resize followed by the convolution up to rounding, gradients included.

    Args:
      x: (B, h, w, C), with known h and w.
      kernel: (k, across, C, F) of the type of x, both odd.
      size: (H, W).
    Returns:
      (B, H, W, F).
    """
    _, h, w, c = x.shape
    k, across, _, filters = kernel.shape
    height, width = size
    # One image and one row of taps at a time, so that products leave every axis where it is wanted.
    kernel = ops.reshape(ops.transpose(kernel, (0, 2, 1, 3)), (1, k, c, across * filters))
    x = ops.matmul(ops.reshape(x, (-1, 1, h * w, c)), kernel)
    columns = shifted_interpolation(width, w, across).transpose(0, 2, 1)
    x = _contract(columns, ops.reshape(x, (-1, k * h, w, across, filters)), spatial=1)
    rows = shifted_interpolation(height, h, k)
    x = _contract(rows, ops.reshape(x, (-1, k, h, width * filters)), spatial=2)
    return ops.reshape(x, (-1, height, width, filters))


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


def _bands(matrix, spatial):
    """(first output, last, first input, last) of slices that together are all of the matrix."""
    count = -(-len(matrix) // BAND)
    edges = [len(matrix) * i // count for i in range(count + 1)]
    for first, last in zip(edges, edges[1:], strict=False):
        used = np.flatnonzero(matrix[first:last].any(axis=(0, 3 - spatial)))
        yield first, last, int(used[0]), int(used[-1]) + 1


def _multiply_adds(out_size, in_size, taps):
    """Of one column of numbers times the bands of a shifted interpolation."""
    bands = _bands(shifted_interpolation(out_size, in_size, taps), spatial=2)
    return sum((last - first) * taps * (end - start) for first, last, start, end in bands)


def _contract(matrix, x, spatial):
    """Matrix (out, p, q) times x (B, ..., p, q, n) over p and q, band by band -> (B, ..., out, n).

    `spatial` says which axis of the matrix, 1 or 2, is a row or column of pixels.
    """
    bands = list(_bands(matrix, spatial))
    axis, lead, n = spatial - 4, x.shape[1:-3], x.shape[-1]
    # Cut where any band begins or ends: the gradient of overlapping slices would fill the whole map
    # with zeros for each.
    edges = sorted({edge for band in bands for edge in band[2:]} | {0, matrix.shape[spatial]})
    pieces = ops.split(x, edges[1:-1], axis=axis) if len(edges) > 2 else [x]
    parts = []
    for first, last, start, end in bands:
        band = np.take(matrix[first:last], np.arange(start, end), spatial)
        band = ops.convert_to_tensor(band.reshape(last - first, -1), dtype=x.dtype)
        part = pieces[edges.index(start) : edges.index(end)]
        part = part[0] if len(part) == 1 else ops.concatenate(part, axis=axis)
        parts.append(ops.matmul(band, ops.reshape(part, (-1, *lead, band.shape[1], n))))
    return parts[0] if len(parts) == 1 else ops.concatenate(parts, axis=-2)


# Keras finds a layer in a weight file by the name of its class and its place among the layers of
# this class, so that only a class of this name reads the files of networks made of Keras's own.
@keras.saving.register_keras_serializable(package="tfdepthviz")
class Conv2D(keras.layers.Conv2D):
    """`conv_of_resized` as a layer; variables, weight files, other arguments as Keras's Conv2D.

    Args:
      filters: output channels.
      kernel_size: odd.
      size: (H, W) that the map is resized to before the convolution.
    Raises:
      ValueError: strides, dilation, groups, or padding other than "same".
    """

    def __init__(self, filters, kernel_size, *, size, padding="same", **kwargs):
        super().__init__(filters, kernel_size, padding=padding, **kwargs)
        plain = self.strides == self.dilation_rate == (1, 1) and self.groups == 1
        if not plain or self.padding != "same" or not all(k % 2 for k in self.kernel_size):
            raise ValueError(
                "a convolution of a resized map has an odd kernel, padding 'same', and no strides, "
                f"dilation or groups. Received: {kernel_size}, {padding!r}, {kwargs}"
            )
        self.size = tuple(int(n) for n in size)

    def call(self, x):
        x = conv_of_resized(x, ops.convert_to_tensor(self.kernel), self.size)
        if self.use_bias:
            x = x + self.bias
        return x if self.activation is None else self.activation(x)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], *self.size, self.filters)

    def get_config(self):
        return {**super().get_config(), "size": self.size}


def resize_then_convolve(x, kernel, size):
    """The direct form of `conv_of_resized`: the definition, for tests and measurements."""
    return ops.conv(aligned_resize(x, size), kernel, padding="same")
