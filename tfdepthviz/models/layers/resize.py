"""Layers that enlarge maps: bilinear resize with aligned corners, and interleaving."""

import keras
import numpy as np
from keras import ops


def interpolation_matrix(out_size, in_size):
    """Weights of one-dimensional linear interpolation with aligned corners.

    The end samples of input and output coincide: out[i] = in(i * (in_size - 1) / (out_size - 1)).

    Args:
      out_size, in_size: numbers of samples, at least 1.
    Returns:
      (out_size, in_size) float64; every row adds up to 1.
    """
    positions = np.linspace(0.0, in_size - 1, out_size)
    distance = np.abs(positions[:, None] - np.arange(in_size)[None, :])
    return np.maximum(0.0, 1.0 - distance)


def aligned_resize(x, size):
    """Bilinear resize whose corner pixels stay where they are.

    `keras.ops.image.resize` places samples at pixel centres and has no such mode; the published
    depth networks were trained with aligned corners and give other depth maps without.

    Args:
      x: (B, h, w, C) tensor of any floating type, with known h and w.
      size: (H, W) of the result.
    Returns:
      (B, H, W, C) in the type of x.
    Raises:
      ValueError: h or w is unknown.
    Source: PyTorch's `interpolate(mode="bilinear", align_corners=True)`. Differs: nothing.
    """
    if x.shape[1] is None or x.shape[2] is None:
        raise ValueError(f"aligned_resize needs a known height and width. Received: {x.shape}")
    _, height, width, _ = x.shape
    return resized_by(
        x,
        interpolation_matrix(size[0], height) if height != size[0] else None,
        interpolation_matrix(size[1], width) if width != size[1] else None,
    )


def resized_by(x, rows, columns):
    """A map whose rows and columns are weighted sums of those of x.

    Args:
      x: (B, h, w, C) tensor of any floating type, with known h and w.
      rows: (H, h) array of weights; None: the rows stay.
      columns: (W, w) array of weights; None: the columns stay.
    Returns:
      (B, H, W, C) in the type of x.
    """
    _, height, width, channels = x.shape
    # As products with a small matrix on the left, which need no transposition of the big map.
    if rows is not None:
        x = ops.matmul(
            ops.convert_to_tensor(rows, dtype=x.dtype),
            ops.reshape(x, (-1, height, width * channels)),
        )
        height = len(rows)
        x = ops.reshape(x, (-1, height, width, channels))
    if columns is not None:
        x = ops.matmul(
            ops.convert_to_tensor(columns, dtype=x.dtype), ops.reshape(x, (-1, width, channels))
        )
        x = ops.reshape(x, (-1, height, len(columns), channels))
    return x


@keras.saving.register_keras_serializable(package="tfdepthviz")
class AlignedResize(keras.layers.Layer):
    """`aligned_resize` to a fixed size as a layer.

    Args:
      size: (height, width) of the output in pixels.
    """

    def __init__(self, size, **kwargs):
        super().__init__(**kwargs)
        self.size = tuple(int(n) for n in size)

    def call(self, x):
        return aligned_resize(x, self.size)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], *self.size, input_shape[3])

    def get_config(self):
        return {**super().get_config(), "size": self.size}


@keras.saving.register_keras_serializable(package="tfdepthviz")
class Interleave(keras.layers.Layer):
    """Four maps of one shape into one of twice the height and width.

    out[2i, 2j], out[2i+1, 2j], out[2i, 2j+1], out[2i+1, 2j+1] = a[i, j], b[i, j], c[i, j], d[i, j]
    """

    def call(self, phases):
        a, b, c, d = phases
        even_columns, odd_columns = ops.stack([a, b], axis=2), ops.stack([c, d], axis=2)
        x = ops.stack([even_columns, odd_columns], axis=4)
        return ops.reshape(x, (-1, *self.compute_output_shape([a.shape])[1:]))

    def compute_output_shape(self, input_shapes):
        batch, height, width, channels = input_shapes[0]
        return (batch, 2 * height, 2 * width, channels)
