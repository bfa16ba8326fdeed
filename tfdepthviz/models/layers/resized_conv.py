"""Convolution of a resized map, mostly computed on the small map.

Mixing channels and interpolating pixels are linear and act on different axes, so they commute:

    conv(resize(x)) = sum over taps (dy, dx) of  R_dy (x W_dydx) C_dx^T

where W_dydx mixes channels at the size of x, and R_dy and C_dx interpolate rows and columns and
shift them by the tap. A shift brings in zeros from outside, as the padding of a convolution does.
"""

import keras
from keras import ops

from tfdepthviz.models.layers import conv_taps
from tfdepthviz.models.layers.resize import aligned_resize


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
    columns, strips = conv_taps.plan(x.shape[1:3], size, kernel.shape)

    # Strip by strip both ways. A derived gradient would hold the taps of all strips at once, and
    # the derived gradient of a gather adds up every number on its own.
    @ops.custom_gradient
    def convolve(x, kernel):
        done = []
        for strip in strips:
            mixed = conv_taps.mix(_after(x[:, strip.start : strip.end], done), kernel)
            done.append(conv_taps.interpolate(mixed, columns, strip.rows))

        def gradient(*arguments, upstream=None):
            upstream = arguments[0] if upstream is None else upstream
            of_x, of_kernel = [], []
            for strip in strips:
                part = _after(upstream[:, strip.first : strip.last], of_x)
                mixed = conv_taps.interpolate_backwards(part, columns, strip.rows)
                around = (strip.start, x.shape[1] - strip.end)
                part = conv_taps.mix_backwards(mixed, kernel)
                of_x.append(ops.pad(part, ((0, 0), around, (0, 0), (0, 0))))
                of_kernel.append(conv_taps.kernel_gradient(mixed, x[:, strip.start : strip.end]))
            return sum(of_x[1:], of_x[0]), sum(of_kernel[1:], of_kernel[0])

        return done[0] if len(done) == 1 else ops.concatenate(done, axis=1), gradient

    return convolve(x, kernel)


def _after(x, earlier):
    """x, computed after the last of `earlier`, so that they use the same memory one after another.

    Other backends than TensorFlow plan memory themselves.
    """
    if not earlier or keras.backend.backend() != "tensorflow":
        return x
    import tensorflow as tf

    with tf.control_dependencies(earlier[-1:]):
        return tf.identity(x)


def resize_then_convolve(x, kernel, size):
    """The definition of `conv_of_resized`, computed directly: for tests and measurements."""
    return ops.conv(aligned_resize(x, size), kernel, padding="same")


# Keras finds a layer in a weight file by the name of its class and its number among the layers of
# that class. Only a class of the name Conv2D reads files of networks made of Keras's Conv2D.
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
        # As a tensor: a function with a custom gradient must not read variables.
        kernel = ops.reshape(self.kernel, self.kernel.shape)
        x = conv_of_resized(x, kernel, self.size)
        if self.use_bias:
            x = x + self.bias
        return x if self.activation is None else self.activation(x)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], *self.size, self.filters)

    def get_config(self):
        return {**super().get_config(), "size": self.size}
