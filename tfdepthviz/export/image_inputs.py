"""Inputs of signatures: checked, and brought to the size that the networks take.

Images are cut to the largest centred window of the networks' aspect ratio. Checks are operations of
the graph, so that every server refuses what a model cannot take, in one readable line.
"""

import functools

import tensorflow as tf

from tfdepthviz.data.transforms import normalise
from tfdepthviz.export import image_files
from tfdepthviz.utils.graphs import compiled


def prepared(image, size):
    """(B, h, w, 3) RGB in [0, 1] -> (B, H, W, 3) normalised, and the share that it covers."""
    image = tf.ensure_shape(image, (None, None, None, 3))  # names input and shapes if they differ
    with tf.control_dependencies([assert_some(image, "image"), _assert_unit_range(image)]):
        shape = tf.shape(image)
        top, left, height, width = image_files.centre_window(shape[1], shape[2], size)
        window = image[:, top : top + height, left : left + width]
        parts = tf.repeat(_parts(height, width, shape[1], shape[2])[tf.newaxis], shape[0], axis=0)
        return normalise(resize(window, size)), covered(parts)


def checked(image_bytes):
    """(B,) files -> the same, for what has to wait until they are checked."""
    checks = [assert_some(image_bytes, "image_bytes"), image_files.assert_images(image_bytes)]
    with tf.control_dependencies(checks):
        return tf.identity(image_bytes)


def decoded(image_bytes, size):
    """(B,) checked files -> (B, H, W, 3) normalised, and the parts of their sides that it covers.

    Returns:
      the images, and (B, 2) float64: the window's parts of each upright image's height and width.
    """
    return _decoding(tuple(size))(image_bytes)


def covered(parts):
    """(B, 2) parts of the sides -> (B,) float32, the part of the area."""
    return tf.cast(parts[:, 0] * parts[:, 1], tf.float32)


def resize(image, size, method="bilinear"):
    return tf.image.resize(image, size, method, antialias=True)


def region_weights(region, parts, size):
    """Weights over whole images, at the resolution of N's output, within what N sees.

    Args:
      region: (B, a, b) float32 over the upright images, whatever a and b.
      parts: (B, 2) float64, see `decoded`.
      size: (h, w).
    Returns:
      (B, h, w, 1) float32: the mean weight over the area of each pixel, the largest being 1.
    """
    shape = tf.shape(region)
    rows = _overlaps(parts[:, 0], size[0], shape[1])
    columns = _overlaps(parts[:, 1], size[1], shape[2])
    weights = tf.matmul(tf.matmul(rows, tf.cast(region, tf.float64)), columns, transpose_b=True)
    largest, whole = (
        tf.reduce_max(tf.cast(some, tf.float64), axis=(1, 2), keepdims=True)
        for some in (weights, region)
    )
    seen = tf.debugging.Assert(
        tf.reduce_all(largest > 1e-6 * whole),
        ["region must hold a weight above 0 in the part of each image that the network sees"],
    )
    with tf.control_dependencies([seen]):
        return tf.cast(weights / largest, tf.float32)[..., tf.newaxis]


def _overlaps(part, count, cells):
    """(B, count, cells): the part of each pixel of a centred window that lies in each cell.

    The window is `part` of a side that `cells` cells share, and is itself cut into `count` pixels.
    """
    part = part[:, tf.newaxis, tf.newaxis]
    ends = tf.cast(tf.range(count + 1), tf.float64)[:, tf.newaxis] / count
    ends = ((1 - part) / 2 + part * ends) * tf.cast(cells, tf.float64)
    cell = tf.cast(tf.range(cells), tf.float64)
    overlap = tf.minimum(ends[:, 1:], cell + 1) - tf.maximum(ends[:, :-1], cell)
    return tf.maximum(overlap, 0) / (ends[:, 1:] - ends[:, :-1])


def _parts(height, width, whole_height, whole_width):
    return tf.stack([height / whole_height, width / whole_width])  # float64, each exact at 1


def assert_some(batch, name):
    return tf.debugging.Assert(
        tf.shape(batch)[0] > 0, [f"{name} must hold at least one item. Received: none"]
    )


def _assert_unit_range(image):
    """Fails on 0..255, on -1..1 and on NaN; accepts the overshoot of a client's bicubic resize."""
    ends = (tf.reduce_min(image), tf.reduce_max(image))
    low, high = (tf.strings.as_string(end, precision=2) for end in ends)
    text = "image must be RGB in [0, 1]; bytes are divided by 255. Received: values from"
    received = tf.strings.join([text, low, "to", high], separator=" ")
    return tf.debugging.Assert(tf.reduce_all(tf.abs(image - 0.5) < 1.0), [received])


def assert_thresholds(image_bytes, threshold):
    expected = "threshold must be one number from 0 to 1 for each image. Received:"
    return _assert_one_each(image_bytes, threshold, threshold >= 0.0, expected)


def assert_shares(image_bytes, share):
    expected = "share must be one number above 0 and up to 1 for each image. Received:"
    return _assert_one_each(image_bytes, share, share > 0.0, expected)


def assert_regions(image_bytes, region):
    """Fails unless there is a map of finite weights of at least 0 for each image."""
    shape = tf.shape(region)
    one_each = tf.equal(shape[0], tf.shape(image_bytes)[0]) & tf.reduce_all(shape > 0)
    in_range = tf.reduce_all((region >= 0.0) & (region < float("inf")))
    return tf.debugging.Assert(
        tf.logical_and(one_each, in_range),
        ["region must be one map of finite weights of at least 0 for each image"],
    )


def _assert_one_each(image_bytes, numbers, above_lowest, expected):
    """Fails unless there is one number for each image, each above the lowest and at most 1."""
    in_range = tf.logical_and(above_lowest, numbers <= 1.0)
    one_each = tf.equal(tf.shape(numbers)[0], tf.shape(image_bytes)[0])
    return tf.debugging.Assert(
        tf.logical_and(one_each, tf.reduce_all(in_range)),
        [expected, tf.strings.as_string(numbers)],
    )


@functools.cache
def _decoding(size):
    """The graph of `decoded`, traced once for all signatures, as it is the largest part of most."""

    def decode(contents):
        stored, turned = image_files.decode(contents), image_files.orientation(contents)
        # Resized as it is stored, and turned when it is small.
        transposed = image_files.is_transposed(turned)
        size_stored = tf.where(transposed, size[::-1], size)
        shape = tf.shape(stored)
        top, left, height, width = image_files.centre_window(shape[0], shape[1], size_stored)
        window = stored[top : top + height, left : left + width]
        image = image_files.upright(resize(window, size_stored), turned)
        parts = _parts(height, width, shape[0], shape[1])
        parts = tf.where(transposed, parts[::-1], parts)
        return tf.ensure_shape(image, (*size, 3)) / 255.0, parts

    def decode_all(image_bytes):
        specs = tf.TensorSpec((*size, 3), tf.float32), tf.TensorSpec((2,), tf.float64)
        image, parts = tf.map_fn(decode, image_bytes, fn_output_signature=specs)
        return normalise(image), parts

    return compiled(
        decode_all, input_signature=[tf.TensorSpec((None,), tf.string)], autograph=False
    )
