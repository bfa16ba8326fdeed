"""Raw examples: their form, and how image and depth files are read into it.

A raw example is one frame as stored on disk, before any resizing or augmentation:

    {"image": (H, W, 3) uint8 RGB, "depth": (h, w, 1) float32, metres}

Depth may have another resolution than the image, but shows the same field of view. Depth 0 means
missing; a frame without ground truth has a depth map of zeros. Each data set gives a
`tf.data.Dataset` of raw examples in file order, with a known cardinality.
"""

from collections.abc import Mapping

import tensorflow as tf

from tfdepthviz.data import image_files
from tfdepthviz.data.image_sizes import MOST_PIXELS


def read_image(path: tf.Tensor, paired: bool = False) -> tf.Tensor:
    """Reads one image file in a graph, upright, as (H, W, 3) uint8 RGB.

    Args:
      path: () string.
      paired: whether it belongs to a depth map, see `image_files.read_paired`.
    """
    read = image_files.read_paired if paired else image_files.read
    image = tf.numpy_function(read, [path], tf.uint8, stateful=False)
    return tf.ensure_shape(image, (None, None, 3))


def read_depth(
    path: tf.Tensor, metres_per_unit: Mapping[int, float], missing: int | None = None
) -> tf.Tensor:
    """Reads one grey PNG file as depth.

    Args:
      path: () string.
      metres_per_unit: metres of one step of the stored integers, for each accepted bit depth.
      missing: stored integer that stands for missing depth, as well as 0.
    Returns:
      (h, w, 1) float32, metres; 0 = missing.
    """
    contents = tf.io.read_file(path)
    head = _head(contents)
    # Bytes 24 and 25 of a PNG file are its bit depth and its colour type (0 = grey).
    header = tf.io.decode_raw(tf.strings.substr(head, 24, 2), tf.uint8)
    bits, colour_type = tf.cast(header[0], tf.int32), header[1]
    accepted = tf.constant(list(metres_per_unit), tf.int32)
    is_depth = tf.debugging.Assert(
        tf.reduce_any(bits == accepted) & (colour_type == 0), ["not a depth map:", path]
    )
    with tf.control_dependencies([is_depth, _assert_size(_png_sides(head), path)]):
        # TensorFlow widens 8 bits to 16 by repeating the byte: 255 becomes 65535.
        values = tf.cast(tf.io.decode_png(contents, channels=1, dtype=tf.uint16), tf.float32)
    values = tf.where(bits == 8, values / 257.0, values)
    if missing is not None:
        values = tf.where(values == missing, 0.0, values)
    scales = tf.constant(list(metres_per_unit.values()), tf.float32)
    return values * tf.reduce_sum(tf.where(bits == accepted, scales, 0.0))


def without_far_depth(example: dict, max_depth: float) -> dict:
    """The example, depth beyond `max_depth` metres counting as missing."""
    depth = example["depth"]
    return {**example, "depth": tf.where(depth > max_depth, 0.0, depth)}


def _head(contents):
    # Padded with zeros: the error of substr on a shorter file would quote bytes that are no UTF-8.
    return tf.strings.substr(contents, 0, 26) + "\0" * 26


def _png_sides(head):
    """Width and height that a PNG file states; negative where they exceed 2^31."""
    return tf.io.decode_raw(tf.strings.substr(head, 16, 8), tf.int32, little_endian=False)


def _assert_size(sides, path):
    """Asserts a size that fits: a decoder would allocate the gigabytes that a file states."""
    sides = tf.cast(sides, tf.int64)
    fits = tf.reduce_all(sides > 0) & (tf.reduce_prod(sides) <= MOST_PIXELS)
    return tf.debugging.Assert(fits, ["too many pixels, or none:", path])
