"""Pure functions on one example, each usable eagerly and inside tf.data.

The order is the reference's: `cover` (resize to a little more than the input size), the random
views and colours of training, `crop` to the input size, `normalise`. For 480x640 frames and an
input of 228x304: resize to 240x320, augment, centre crop to 228x304.

Randomness is stateless: the same seed always gives the same example.
"""

import math

import tensorflow as tf

from tfdepthviz.utils.constants import IMAGENET_MEAN, IMAGENET_STD, LUMA_WEIGHTS

MARGIN = 240 / 228
# An image is resized to at most so many times the height and width that it must cover.
LONGEST = 4
PCA_VALUES = (0.2175, 0.0188, 0.0045)
PCA_VECTORS = (
    (-0.5675, 0.7192, 0.4009),
    (-0.5808, -0.0045, -0.8140),
    (-0.5836, -0.6948, 0.4203),
)


def margin_size(input_size: tuple[int, int]) -> tuple[int, int]:
    """(height, width) that training views are drawn from: 240x320 for an input of 228x304."""
    return round(input_size[0] * MARGIN), round(input_size[1] * MARGIN)


def cover(example, size: tuple[int, int]):
    """Resizes a raw example until it just covers `size`, and crops the centre.

    Args:
      example: raw example, image (H, W, 3) uint8 and depth (h, w, 1) metres of one field of view.
      size: (height, width) of the result.
    Returns:
      {"image": (*size, 3) uint8, "depth": (*size, 1) float32 metres}: image bilinear with
      antialiasing, depth nearest, because a mean of two surfaces is the depth of neither.
    """
    image, depth = _without_ends(example["image"], example["depth"], size)
    height, width = tf.shape(image)[0], tf.shape(image)[1]
    scale = tf.maximum(size[0] / height, size[1] / width)
    covered = (
        tf.maximum(size[0], tf.cast(tf.round(tf.cast(height, scale.dtype) * scale), tf.int32)),
        tf.maximum(size[1], tf.cast(tf.round(tf.cast(width, scale.dtype) * scale), tf.int32)),
    )
    image = tf.image.resize(image, covered, "bilinear", antialias=True)
    depth = tf.image.resize(depth, covered, "nearest")
    image = tf.cast(tf.clip_by_value(tf.round(image), 0, 255), tf.uint8)
    return {"image": _centre(image, size), "depth": _centre(depth, size)}


def crop(example, input_size: tuple[int, int], depth_size: tuple[int, int]):
    """Crops the centre to the input size; resizes depth to the output size by nearest.

    Args:
      example: image (H, W, 3) and depth (H, W, 1) of one size.
      input_size, depth_size: (height, width) of the network's input and output.
    Returns:
      {"image": (*input_size, 3), "depth": (*depth_size, 1)}.
    """
    depth = _centre(example["depth"], input_size)
    if tuple(depth_size) != tuple(input_size):
        depth = tf.image.resize(depth, depth_size, "nearest")
    return {"image": _centre(example["image"], input_size), "depth": depth}


def random_view(example, seed: tf.Tensor, max_degrees: float = 5.0, max_zoom: float = 1.0):
    """Mirrors, rotates and zooms image and depth alike.

    A zoom by s shows the view of a camera s times nearer, so depth is divided by s (Eigen et al.
    2014). The window of a zoomed view is placed at random inside the frame.

    Args:
      example: image (H, W, 3) float32 and depth (H, W, 1) metres, of one size.
      seed: (2,) int32.
      max_degrees: the rotation is uniform within plus and minus this.
      max_zoom: the zoom is uniform in [1, max_zoom].
    Returns:
      the same shapes; image bilinear, depth nearest; outside the frame both are 0 (missing).
    Source: the reference's RandomHorizontalFlip and RandomRotate(5). Differs: rotation
      interpolates the image bilinearly and depth by nearest (the reference: splines for both, which
      mix the depths of two surfaces).
    """
    draws = tf.random.stateless_uniform((5,), seed, -1.0, 1.0)
    size = tf.cast(tf.shape(example["depth"])[:2], tf.float32)
    angle = draws[0] * (max_degrees * math.pi / 180)
    zoom = 1.0 + (draws[1] + 1.0) / 2.0 * (max_zoom - 1.0)
    centre = (size - 1.0) / 2.0
    source_centre = centre + draws[2:4] * (size - size / zoom) / 2.0
    mirror = tf.where(draws[4] < 0, -1.0, 1.0)
    cos, sin = tf.cos(angle) / zoom, tf.sin(angle) / zoom
    # Output (x, y) takes the input at source_centre + R (x - centre_x, y - centre_y) / zoom.
    a, b, d, e = mirror * cos, -sin, mirror * sin, cos
    c = source_centre[1] - a * centre[1] - b * centre[0]
    f = source_centre[0] - d * centre[1] - e * centre[0]
    transform = tf.stack([a, b, c, d, e, f, 0.0, 0.0])[tf.newaxis]
    image = _project(example["image"], transform, "BILINEAR")
    depth = _project(example["depth"], transform, "NEAREST")
    return {"image": image, "depth": depth / zoom}


def random_colours(image: tf.Tensor, seed: tf.Tensor, strength: float = 0.4) -> tf.Tensor:
    """PCA lighting of 0.1, then brightness, contrast and saturation.

    Args:
      image: (H, W, 3) float32 RGB in [0, 1].
      seed: (2,) int32.
      strength: each jitter factor is uniform in [1 - strength, 1 + strength].
    Returns:
      (H, W, 3) float32, not clipped, as in the reference.
    Source: the reference's Lighting(0.1) and ColorJitter(0.4, 0.4, 0.4). Differs: the reference
      draws the order of the three jitters, which makes no difference without clipping.
    """
    lighting_seed, jitter_seed = tf.unstack(tf.random.split(seed, 2))
    weights = tf.random.stateless_normal((3,), lighting_seed, stddev=0.1) * tf.constant(PCA_VALUES)
    image = image + tf.linalg.matvec(tf.constant(PCA_VECTORS), weights)
    factors = tf.random.stateless_uniform((3,), jitter_seed, 1.0 - strength, 1.0 + strength)
    image = image * factors[0]
    image = _blend(image, tf.reduce_mean(_grey(image)), factors[1])
    return _blend(image, _grey(image), factors[2])


def normalise(image: tf.Tensor) -> tf.Tensor:
    """RGB in [0, 1] -> ImageNet mean 0 and standard deviation 1, channel by channel."""
    return (image - tf.constant(IMAGENET_MEAN)) / tf.constant(IMAGENET_STD)


def denormalise(image: tf.Tensor) -> tf.Tensor:
    """The inverse of `normalise`; the result is not clipped."""
    return image * tf.constant(IMAGENET_STD) + tf.constant(IMAGENET_MEAN)


def _without_ends(image, depth, size):
    """Image and depth without far ends that the crop would remove.

    Resized to cover 240x320 pixels, an image of 1x20000 would take 14 GB.
    """
    sides = tf.cast(tf.shape(image)[:2], tf.float64)
    covered = sides * tf.reduce_max(tf.constant(size, tf.float64) / sides)
    part = tf.minimum(LONGEST * tf.constant(size, tf.float64) / covered, 1.0)

    def middle(array):
        sides = tf.shape(array)[:2]
        kept = tf.cast(tf.math.ceil(tf.cast(sides, tf.float64) * part), tf.int32)
        kept += (sides - kept) % 2  # the middle stays where it is
        start = (sides - kept) // 2
        return array[start[0] : start[0] + kept[0], start[1] : start[1] + kept[1]]

    return middle(image), middle(depth)


def _centre(array: tf.Tensor, size: tuple[int, int]) -> tf.Tensor:
    top = (tf.shape(array)[0] - size[0]) // 2
    left = (tf.shape(array)[1] - size[1]) // 2
    array = array[top : top + size[0], left : left + size[1]]
    return tf.ensure_shape(array, (*size, array.shape[-1]))


def _project(array: tf.Tensor, transform: tf.Tensor, interpolation: str) -> tf.Tensor:
    projected = tf.raw_ops.ImageProjectiveTransformV3(
        images=array[tf.newaxis],
        transforms=transform,
        output_shape=tf.shape(array)[:2],
        fill_value=0.0,
        interpolation=interpolation,
        fill_mode="CONSTANT",
    )
    return tf.ensure_shape(projected[0], array.shape)


def _grey(image: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(image * tf.constant(LUMA_WEIGHTS), axis=-1, keepdims=True)


def _blend(image: tf.Tensor, other: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
    return factor * image + (1.0 - factor) * other
