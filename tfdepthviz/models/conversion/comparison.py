"""Comparison of a converted network with the original one, on made-up images."""

import dataclasses

import numpy as np

from tfdepthviz.utils.constants import IMAGENET_MEAN, IMAGENET_STD
from tfdepthviz.utils.errors import InputError

# Largest difference of a depth, in standard deviations of the depth.
DEPTH_TOLERANCE = 1e-4
# Largest difference of an image's gradient, as a share of the largest gradient.
GRADIENT_TOLERANCE = 1e-3
# Number of images. Their median counts for the gradient: a ReLU whose input is zero up to rounding
# changes the gradient of a small network by percents, in PyTorch against itself as well.
IMAGES = 5
# Directions in which a gradient without an original is measured, and the length of a step.
DIRECTIONS, STEP = 8, 1e-5


@dataclasses.dataclass(frozen=True)
class Original:
    """What the original network answers.

    Attributes:
      depth: (B, h, w) array.
      gradient: (B, H, W, 3) array, of `weighted` depth with respect to the image; None: unknown.
    """

    depth: np.ndarray
    gradient: np.ndarray | None = None


@dataclasses.dataclass(frozen=True)
class Differences:
    """Differences between a converted network and the original.

    Attributes:
      depth: largest one, in standard deviations of the original's depth.
      gradient: largest one of an image, as a share of the largest gradient; median of all images.
      how: what the gradient's difference is a share of, in words.
    """

    depth: float
    gradient: float
    how: str

    def __str__(self):
        return (
            f"largest difference of the depth {self.depth:.1e} of its standard deviation, of the "
            f"gradient {self.gradient:.1e} of {self.how}"
        )

    def check(self, name):
        """Raises InputError unless both are small enough."""
        if self.depth <= DEPTH_TOLERANCE and self.gradient <= GRADIENT_TOLERANCE:
            return
        raise InputError(
            f"{name}: the converted network answers otherwise than the original: {self}; expected "
            f"at most {DEPTH_TOLERANCE} and {GRADIENT_TOLERANCE}. Nothing was kept. Give the "
            "network as TensorFlow code, FILE.py:NAME"
        )


def made_up_images(size, mean, std):
    """Images of soft blotches and noise (IMAGES, H, W, 3), of a normalisation.

    Args:
      size: (H, W).
      mean, std: of RGB from 0 to 1, (3,).
    """
    random = np.random.default_rng(0)
    coarse = random.random((IMAGES, *(-(-n // 16) for n in size), 3))
    images = coarse.repeat(16, axis=1).repeat(16, axis=2)[:, : size[0], : size[1]]
    images = 0.8 * images + 0.2 * random.random(images.shape)
    return ((images - mean) / std).astype("float32")


def imagenet_images(size):
    """`made_up_images` of ImageNet's normalisation."""
    return made_up_images(size, np.array(IMAGENET_MEAN), np.array(IMAGENET_STD))


def weights_of(depth):
    """Random weights like a depth; the gradient of the weighted sum sees every pixel."""
    return np.random.default_rng(1).normal(size=depth.shape).astype("float32")


def differences(network, images, original, in_float64=None):
    """Compares depth and gradient.

    Args:
      network: function, (B, H, W, 3) tensor -> (B, h, w, 1) tensor.
      images: (B, H, W, 3) array.
      original: Original.
      in_float64: without an original gradient: the same network in float64, whose differences
        between close images take its place.
    Returns:
      Differences.
    """
    import tensorflow as tf

    weights = weights_of(original.depth)

    # As it is trained on: in a graph.
    @tf.function(autograph=False)
    def depth_and_gradient(image):
        with tf.GradientTape() as tape:
            tape.watch(image)
            depth = network(image)[..., 0]
            total = tf.reduce_sum(depth * weights)
        return depth, tape.gradient(total, image)

    depth, gradient = depth_and_gradient(tf.constant(images))
    if depth.shape != original.depth.shape:
        raise InputError(f"its depth is {depth.shape}, the original's {original.depth.shape}")
    if gradient is None:
        raise InputError("it has no gradient with respect to the image")
    apart = np.abs(depth.numpy() - original.depth).max() / max(original.depth.std(), 1e-30)
    gradient = gradient.numpy().astype("float64")
    if original.gradient is not None:
        largest = np.abs(original.gradient).max(axis=(1, 2, 3)) + 1e-30
        off = np.abs(gradient - original.gradient).max(axis=(1, 2, 3)) / largest
        return Differences(float(apart), float(np.median(off)), "the largest of PyTorch's autograd")
    off = _off_by_steps(in_float64, images.astype("float64"), gradient, weights)
    how = f"its length, by steps in {DIRECTIONS} directions in float64"
    return Differences(float(apart), off, how)


def _off_by_steps(network, images, gradient, weights):
    """Error of a gradient as a share of its length, estimated from random directions."""
    import tensorflow as tf

    totals = tf.function(
        lambda x: tf.reduce_sum(network(x)[..., 0] * weights, axis=(1, 2)), autograph=False
    )
    random = np.random.default_rng(2)
    errors = []
    for _ in range(DIRECTIONS):
        step = random.normal(size=images.shape)
        slopes = (totals(images + STEP * step) - totals(images - STEP * step)).numpy() / (2 * STEP)
        errors.append((gradient * step).sum(axis=(1, 2, 3)) - slopes)
    lengths = np.sqrt(np.square(gradient).sum(axis=(1, 2, 3))) + 1e-30
    return float(np.median(np.sqrt(np.mean(np.square(errors), axis=0)) / lengths))
