"""The contract of one raw example, and the way from image files to examples.

A raw example is one frame as it lies on disk, before any resizing or augmentation:

    {"image": (H, W, 3) uint8 RGB, "depth": (h, w, 1) float32, metres}

Depth may have another resolution than the image, but shows the same field of view. Depth 0 means
missing; a frame without any ground truth has a depth map of zeros. Each data set module gives a
`tf.data.Dataset` of raw examples in file order, with a known cardinality.
"""

import os
from collections.abc import Mapping, Sequence

import tensorflow as tf
from PIL import Image

from tfdepthviz.errors import InputError

ASPECT_TOLERANCE = 0.02
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def from_files(
    image_paths: Sequence[str],
    depth_paths: Sequence[str] | None = None,
    metres_per_unit: Mapping[int, float] | None = None,
) -> tf.data.Dataset:
    """Raw examples from image files (JPEG or PNG) and depth files (grey PNG).

    Args:
      image_paths: paths of the images.
      depth_paths: paths of the depth maps, in the order of the images; None: no ground truth.
      metres_per_unit: metres of one step of the stored integers, for each bit depth that the data
        set may use: {16: 0.001}.
    Returns:
      data set of raw examples, cardinality len(image_paths).
    Raises:
      InputError: no files, or a file that does not exist.
    """
    if not len(image_paths):
        raise InputError("the data set lists no images")
    for path in [*image_paths, *(depth_paths or [])]:
        if not os.path.isfile(path):
            raise InputError(f"{path}: the data set names this file, but it does not exist")
    if depth_paths is None:
        files = tf.data.Dataset.from_tensor_slices(list(image_paths))
        return files.map(_read_without_depth, tf.data.AUTOTUNE)
    files = tf.data.Dataset.from_tensor_slices((list(image_paths), list(depth_paths)))
    return files.map(
        lambda image_path, depth_path: _same_view(
            read_image(image_path), read_depth(depth_path, metres_per_unit), depth_path
        ),
        tf.data.AUTOTUNE,
    )


def read_image(path: tf.Tensor) -> tf.Tensor:
    """(H, W, 3) uint8 RGB of one JPEG or PNG file."""
    image = tf.io.decode_image(tf.io.read_file(path), channels=3, expand_animations=False)
    return tf.ensure_shape(image, (None, None, 3))


def read_depth(path: tf.Tensor, metres_per_unit: Mapping[int, float]) -> tf.Tensor:
    """(h, w, 1) float32 depth in metres of one grey PNG file; 0 = missing."""
    contents = tf.io.read_file(path)
    # Bytes 24 and 25 of a PNG file are its bit depth and its colour type (0 = grey).
    # Zeros behind a shorter file: what substr says of it would hold its bytes, and be no UTF-8.
    header = tf.io.decode_raw(tf.strings.substr(contents + "\0" * 26, 24, 2), tf.uint8)
    bits, colour_type = tf.cast(header[0], tf.int32), header[1]
    accepted = tf.constant(list(metres_per_unit), tf.int32)
    tf.debugging.Assert(
        tf.reduce_any(bits == accepted) & (colour_type == 0), ["not a depth map:", path]
    )
    # TensorFlow widens 8 bits to 16 by repeating the byte: 255 becomes 65535.
    values = tf.cast(tf.io.decode_png(contents, channels=1, dtype=tf.uint16), tf.float32)
    values = tf.where(bits == 8, values / 257.0, values)
    scales = tf.constant(list(metres_per_unit.values()), tf.float32)
    return values * tf.reduce_sum(tf.where(bits == accepted, scales, 0.0))


def check_files(
    image_paths: Sequence[str],
    depth_paths: Sequence[str] | None = None,
    metres_per_unit: Mapping[int, float] | None = None,
) -> None:
    """Decodes every file, and names the first that cannot be used.

    It reads everything, so commands call it only after reading has failed somewhere.

    Raises:
      InputError: a file that is not an image, is cut off, is no grey PNG of an accepted bit
        depth, or whose depth has another field of view than its image.
    """
    for index, path in enumerate(image_paths):
        (width, height), _ = _decoded(path)
        try:
            read_image(path)
        except tf.errors.OpError as error:
            raise InputError(f"{path}: cannot be read as a JPEG or PNG image") from error
        if depth_paths is None:
            continue
        depth_path = depth_paths[index]
        (depth_width, depth_height), kind = _decoded(depth_path)
        with open(depth_path, "rb") as file:
            header = file.read(26)
        if not (
            header.startswith(PNG_SIGNATURE) and header[24] in metres_per_unit and not header[25]
        ):
            bits = " or ".join(str(bits) for bits in metres_per_unit)
            raise InputError(
                f"{depth_path}: a depth map must be a grey PNG of {bits} bits; received {kind}"
            )
        if abs(depth_width * height / (depth_height * width) - 1) > ASPECT_TOLERANCE:
            raise InputError(
                f"{depth_path}: depth must show what {path} shows; received depth of "
                f"{depth_height}x{depth_width} for an image of {height}x{width}"
            )


def _decoded(path: str) -> tuple[tuple[int, int], str]:
    """Size, and format and mode in words."""
    try:
        with Image.open(path) as image:
            image.load()
            return image.size, f"{image.format} of mode {image.mode}"
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(f"{path}: cannot be read as an image ({error})") from error


def _same_view(image: tf.Tensor, depth: tf.Tensor, depth_path: tf.Tensor) -> dict[str, tf.Tensor]:
    height, width = tf.unstack(tf.cast(tf.shape(image)[:2], tf.float32))
    depth_height, depth_width = tf.unstack(tf.cast(tf.shape(depth)[:2], tf.float32))
    stretch = depth_width * height / (depth_height * width)
    tf.debugging.Assert(
        tf.abs(stretch - 1.0) <= ASPECT_TOLERANCE, ["not the image's field of view:", depth_path]
    )
    return {"image": image, "depth": depth}


def _read_without_depth(path: tf.Tensor) -> dict[str, tf.Tensor]:
    image = read_image(path)
    return {"image": image, "depth": tf.zeros_like(image[:, :, :1], tf.float32)}
