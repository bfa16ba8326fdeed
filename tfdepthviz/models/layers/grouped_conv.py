"""GroupedConv2D: a convolution in groups whose gradient is fast on every backend."""

import math

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="tfdepthviz")
class GroupedConv2D(keras.layers.Conv2D):
    """Convolution in many groups as at most PARTS dense ones; weights and arguments as in Conv2D.

    Each part takes its share of the groups, at every size and on every backend. Its dense kernel is
    zero between channels of different groups. The result equals Conv2D's up to rounding.

    TensorFlow's own CPU kernel has no gradient of a grouped convolution unless oneDNN replaces it,
    so Keras compiles each one with XLA. A gradient then takes seconds a layer on a CPU, and so does
    JAX's gradient with respect to the kernel. The zeros cost little while groups are narrow.
    """

    PARTS = 8

    def convolution_op(self, inputs, kernel):
        kernel = ops.convert_to_tensor(kernel)
        return convolved_in_parts(inputs, kernel, self.groups, super().convolution_op, self.PARTS)


def convolved_in_parts(inputs, kernel, groups, convolve, most=8):
    """A convolution in groups as a few dense ones.

    Args:
      inputs: (B, H, W, channels) tensor.
      kernel: (height, width, channels // groups, filters) tensor.
      groups: number of groups.
      convolve: function of inputs and a dense kernel.
      most: number of parts at most.
    Returns:
      (B, h, w, filters) tensor.
    """
    parts = math.gcd(groups, most)
    together = groups // parts
    height, width, depth, filters = kernel.shape
    spread = (height * width, 1, depth * parts, together, filters // groups)
    same_group = ops.reshape(ops.eye(together, dtype=kernel.dtype), (together, 1, together, 1))
    kernel = ops.reshape(
        ops.reshape(kernel, spread) * same_group, (height, width, together * depth, filters)
    )
    shares = zip(ops.split(inputs, parts, axis=-1), ops.split(kernel, parts, axis=-1), strict=True)
    return ops.concatenate([convolve(x, k) for x, k in shares], axis=-1)
