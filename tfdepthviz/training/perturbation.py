"""Perturbation: smooth noise on the scores while a ranking is trained.

Without it G learns to write depth into the grey levels and gentle borders of the relaxed mask,
which the binary mask does not have (docs/results.md). With it the borders lie elsewhere in every
step, so a score is worth what its pixels are worth, and more pixels lie at a border and learn.
"""

import tensorflow as tf

from tfdepthviz.masks import standardised

# Pixels between two values of the noise that are drawn independently.
GRAIN = 4


def smooth_noise(count, size, seed):
    """Noise for `count` images: normal numbers on a grid of GRAIN pixels, resized smoothly.

    Args:
      count: () int.
      size: (H, W).
      seed: (2,) int; the same seed gives the same noise.
    Returns:
      (count, H, W, 1) float32, mean 0, deviation about 0.8.
    """
    grid = [-(-side // GRAIN) for side in size]
    noise = tf.random.stateless_normal([count, *grid, 1], seed)
    return tf.image.resize(noise, size, "bicubic")


def perturbed(scores, noise, deviation):
    """Scores of mean 0 and deviation 1 in each image, plus the noise times `deviation`.

    Args:
      scores: (B, H, W, 1) float.
      noise: (B, H, W, 1) float32.
      deviation: () float, 0 or more.
    Returns:
      (B, H, W, 1) float32.
    """
    return standardised(tf.cast(scores, tf.float32)) + deviation * noise
