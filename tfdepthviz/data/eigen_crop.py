"""The Eigen crop: the part of an NYU frame that is rated since Eigen et al. 2014.

Near the border of a Kinect frame depth is missing, or was filled in from far away. Most published
figures therefore count rows 45 to 470 and columns 41 to 600 of 480x640 only.
"""

import contextlib
import re

import tensorflow as tf

from tfdepthviz.utils.errors import InputError

HEIGHT, WIDTH = 480, 640
ROWS, COLUMNS = (45, 471), (41, 601)
OTHER_GEOMETRY = "the Eigen crop is no part of a frame of"


def eigen_crop(example):
    """Marks depth outside of the crop as missing, so that it is not rated.

    In a depth map of another resolution a pixel counts if its middle lies inside the crop.

    The networks see only a part of the frame: after `transforms.cover` and `transforms.crop` an
    input of 228x304 shows rows 12 to 467 and columns 16 to 623 of 480x640, and any other input of
    3:4 the same to a pixel. Rows 468 to 470 of the crop are therefore never rated: 0.7 % of it. An
    input of another aspect shows less in one direction.

    Args:
      example: raw example, depth (h, w, 1) metres with w / h = 4 / 3.
    Returns:
      the example, depth 0 outside.
    Raises:
      tf.errors.InvalidArgumentError: the frame has another aspect; see `refusals`.
    Source: Eigen et al. 2014. Differs: nothing.
    """
    height, width = tf.unstack(tf.shape(example["depth"])[:2])
    # Rounding to whole pixels may change the aspect by this much.
    is_scaled_copy = tf.abs(width * HEIGHT - height * WIDTH) < WIDTH
    tf.debugging.Assert(is_scaled_copy, [OTHER_GEOMETRY, height, width])
    inside = _inside(height, HEIGHT, ROWS)[:, tf.newaxis] & _inside(width, WIDTH, COLUMNS)
    depth = tf.where(inside[..., tf.newaxis], example["depth"], 0.0)
    return {**example, "depth": depth}


@contextlib.contextmanager
def refusals(name="the Eigen crop"):
    """Turns the failure of `eigen_crop` on a frame of another aspect into an InputError.

    Args:
      name: what the message calls the crop.
    """
    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        size = re.search(rf"{OTHER_GEOMETRY}\W+(\d+)\W+(\d+)", error.message)
        if size is None:
            raise
        raise InputError(
            f"{name}: expected depth maps of {HEIGHT}x{WIDTH} as NYU has them, or their "
            f"scaled copies; received {size[1]}x{size[2]}"
        ) from error


def _inside(length: tf.Tensor, full_length: int, interval: tuple[int, int]) -> tf.Tensor:
    """(length,) bool: the middles of which pixels lie within an interval of the full length."""
    twice_middle = (2 * tf.range(length) + 1) * full_length
    return (twice_middle >= 2 * interval[0] * length) & (twice_middle < 2 * interval[1] * length)
