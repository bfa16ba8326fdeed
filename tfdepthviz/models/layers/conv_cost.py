"""Cost of a convolution of a resized map in either form, and the choice of the cheaper form."""

import dataclasses

from tfdepthviz.models.layers import conv_taps
from tfdepthviz.models.layers.banded import multiply_adds

# Multiply-adds that take about as long as one byte to or from memory. With this estimate the rule
# chose the faster form for every map in docs/speed.md.
MULTIPLY_ADDS_A_BYTE = 8.0


@dataclasses.dataclass(frozen=True)
class Work:
    """Work for one image: multiply-adds, and bytes to and from memory in float32."""

    multiply_adds: int
    bytes: int

    @property
    def cost(self):
        """In multiply-adds."""
        return self.multiply_adds + MULTIPLY_ADDS_A_BYTE * self.bytes


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
    """Work of `resized_conv.conv_of_resized`; arguments and result as in `direct_work`."""
    (h, w, c), (height, width), k = in_shape, size, kernel_size
    columns, strips = conv_taps.plan((h, w), size, (k, k, c, filters))
    mixed_rows = sum(strip.end - strip.start for strip in strips)
    mixing = mixed_rows * w * k**2 * c * filters
    across = k * mixed_rows * filters * multiply_adds(columns.reshape(1, width, -1))
    of_strips = [multiply_adds(strip.rows.reshape(1, len(strip.rows), -1)) for strip in strips]
    down = width * filters * sum(of_strips)
    between = k**2 * h * w * filters + k * h * width * filters
    numbers = h * w * c + 3 * between + 2 * height * width * filters
    return Work(mixing + across + down, 4 * (numbers + 3 * k**2 * c * filters))


def mixing_first_pays(in_shape, size, filters, kernel_size):
    """Whether `resized_conv.conv_of_resized` is the cheaper form; arguments as in `direct_work`."""
    shape = in_shape, size, filters, kernel_size
    return mixed_work(*shape).cost < direct_work(*shape).cost
