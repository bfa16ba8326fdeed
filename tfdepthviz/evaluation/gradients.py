"""Gradient controls: pixels scored by gradients of N.

The distance of N from N(I) has no gradient at the whole image, so they explain another number: the
mean of N's output over its pixels. The gradients are written out here, because PAIR's `saliency`
(last release 2024) takes images one by one and requires scikit-image, and `xplique` excludes
TensorFlow 2.21.
"""

import numpy as np
import tensorflow as tf

from tfdepthviz.utils.graphs import compiled

# Gradients of an image that `smoothgrad` and `integrated_gradients` average.
SAMPLES, STEPS = 16, 32


def mean_depth_gradient(depth_net):
    """The gradient of N's mean output with respect to the image, compiled.

    Args:
      depth_net: N, normalised image (B, H, W, 3) -> (B, h, w, 1), in any unit.
    Returns:
      function: (B, H, W, 3) float32 -> the same shape; d mean_b / d image_b, mean_b over the output
      pixels of image b.
    """

    def gradient(image):
        with tf.GradientTape() as tape:
            tape.watch(image)
            # A sum over the batch: no image's mean depends on another image.
            total = tf.reduce_sum(tf.reduce_mean(depth_net(image, training=False), axis=(1, 2, 3)))
        return tape.gradient(total, image)

    return compiled(gradient)


def gradient_magnitude(gradient, image):
    """sum over channels of |gradient|.

    Args:
      gradient: as `mean_depth_gradient` gives it.
      image: (B, H, W, 3) float32, normalised.
    Returns:
      (B, H, W, 1) float32.
    Source: Simonyan et al. 2014, section 3. Differs: the sum over channels, not the largest.
    """
    return np.abs(gradient(tf.convert_to_tensor(image)).numpy()).sum(axis=-1, keepdims=True)


def smoothgrad(gradient, image, samples=SAMPLES, noise=0.15, seed=0, first=0):
    """sum over channels of |mean over noisy copies of the gradient|.

    Args:
      gradient, image: as for `gradient_magnitude`.
      samples: noisy copies of each image.
      noise: standard deviation of the noise as a share of the image's range, max - min.
      seed, first: as for `controls.random_pixels`.
    Returns:
      (B, H, W, 1) float32.
    Source: Smilkov et al. 2017, section 3; their noise is 10 % to 20 % of the range.
    """
    image = np.asarray(image)
    spread = noise * (image.max(axis=(1, 2, 3)) - image.min(axis=(1, 2, 3)))
    rngs = [np.random.default_rng((seed, first + place)) for place in range(len(image))]
    total = np.zeros_like(image)
    for _ in range(samples):
        noisy = [
            x + s * rng.standard_normal(x.shape, "float32")
            for x, s, rng in zip(image, spread, rngs, strict=True)
        ]
        total += gradient(tf.constant(np.stack(noisy))).numpy()
    return np.abs(total / samples).sum(axis=-1, keepdims=True)


def integrated_gradients(gradient, image, steps=STEPS):
    """|sum over channels of image * mean of the gradient on the path from nothing to the image|.

    The path is a * image for a from 0 to 1, taken at the middles of `steps` equal pieces. It starts
    at the mean colour, which is 0 in the normalised image. The channels' signed parts are added
    before the absolute value, because a mask removes them together.

    Args:
      gradient, image: as for `gradient_magnitude`.
      steps: pieces of the path.
    Returns:
      (B, H, W, 1) float32. Without the absolute value they add up to N's mean output for the image
      minus that for nothing, up to the error of the sum.
    Source: Sundararajan et al. 2017, equation 3.
    """
    image = np.asarray(image)
    total = np.zeros_like(image)
    for step in range(steps):
        total += gradient(tf.constant(np.float32((step + 0.5) / steps) * image)).numpy()
    return np.abs((image * total / steps).sum(axis=-1, keepdims=True))
