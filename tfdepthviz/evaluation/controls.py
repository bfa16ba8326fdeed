"""Controls of a mask: other scores of how much each pixel matters.

A control gives scores (B, H, W, 1) float32, high = kept first. Its top share is compared with an
equal share of a mask. Three controls take gradients. The distance of N from N(I) has no gradient at
the whole image, so they explain another number: the mean of N's output over its pixels. Masks that
equation (3) finds for each image alone are a control, too: no rule need serve all images.

The gradients are written out here, because PAIR's `saliency` (last release 2024) takes images one
by one and requires scikit-image, and `xplique` excludes TensorFlow 2.21.
"""

import functools

import numpy as np
import tensorflow as tf

from tfdepthviz import masks
from tfdepthviz.data import transforms

RANDOM_SEEDS = (0, 1, 2)
# Gradients of an image that `smoothgrad` and `integrated_gradients` average.
SAMPLES, STEPS = 16, 32


def control_scores(depth_net, *, random_seeds=RANDOM_SEEDS, samples=SAMPLES, steps=STEPS):
    """The controls of one depth network by name.

    Args:
      depth_net: N, normalised image (B, H, W, 3) -> (B, h, w, 1).
      random_seeds: ints; "random/SEED" for each.
      samples: of `smoothgrad`.
      steps: of `integrated_gradients`.
    Returns:
      dict of name -> function of (image, first) -> scores: a normalised image batch, and the place
      of its first image in its set, on which the random ones depend.
    """
    gradient = mean_depth_gradient(depth_net)
    return {
        **{f"random/{seed}": functools.partial(_random, seed) for seed in random_seeds},
        "sobel": lambda image, first: sobel_edges(image).numpy(),
        "blurred_edges": lambda image, first: blurred_edges(image).numpy(),
        "centre": lambda image, first: centre(image.shape),
        "gradient": lambda image, first: gradient_magnitude(gradient, image),
        "smoothgrad": lambda image, first: smoothgrad(gradient, image, samples, first=first),
        "integrated_gradients": lambda image, first: integrated_gradients(gradient, image, steps),
    }


def gradient_passes(samples=SAMPLES, steps=STEPS):
    """Number of gradients of N that `control_scores` takes for each image."""
    return 1 + samples + steps


def random_pixels(shape, seed, first=0):
    """Uniform in [0, 1), drawn anew for each image; their top share is `masks.random_mask`'s.

    Args:
      shape: (B, H, W, ...).
      seed: int of at least 0.
      first: place of the batch's first image in its set. With it, an image's pixels do not depend
        on how the set is cut into batches.
    Returns:
      (B, H, W, 1) float32.
    """
    batch, height, width = shape[:3]
    draws = [
        np.random.default_rng((seed, first + image)).random((height, width, 1))
        for image in range(batch)
    ]
    return np.stack(draws).astype("float32")


def sobel_edges(image):
    """Strength of the image's edges, `masks.edge_strength`.

    Args:
      image: (B, H, W, 3) float32, normalised.
    Returns:
      (B, H, W, 1) float32.
    """
    return masks.edge_strength(transforms.denormalise(image))


def blurred_edges(image, width=5):
    """Mean strength of the edges around each pixel: edges together with their neighbours.

    A stronger control than bare edges on the embedded N, to which single pixels say little.

    Args:
      image: (B, H, W, 3) float32, normalised.
      width: pixels of the square window.
    Returns:
      (B, H, W, 1) float32.
    """
    return tf.nn.avg_pool2d(sobel_edges(image), width, 1, "SAME")


def optimised(optimizer, image, first=0):
    """Logits of masks that equation (3) finds for each of these images alone.

    Args:
      optimizer: `mask_optimizer.MaskOptimizer`; of several restarts the best counts.
      image: (B, H, W, 3) float32, normalised.
      first: place of the batch's first image in its set, on which the search's start depends.
    Returns:
      (B, H, W, 1) float32.
    """
    result = optimizer(image, first=first)
    return result.best_of(result.logits)


def centre(shape):
    """Minus the distance from the centre: -sqrt(((r - r0) / H)^2 + ((c - c0) / W)^2).

    The same for every image: the best guess without looking at it.

    Args:
      shape: (B, H, W, ...).
    Returns:
      (B, H, W, 1) float32, 0 at the centre.
    Source: the centre bias of saliency, Judd et al. 2009. Differs: fits the image's proportions.
    """
    batch, height, width = shape[:3]
    rows = (np.arange(height) - (height - 1) / 2) / height
    columns = (np.arange(width) - (width - 1) / 2) / width
    scores = -np.hypot(rows[:, None], columns[None])[None, ..., None]
    return np.repeat(scores.astype("float32"), batch, axis=0)


def mean_depth_gradient(depth_net):
    """The gradient of N's mean output with respect to the image, compiled.

    Args:
      depth_net: N, normalised image (B, H, W, 3) -> (B, h, w, 1), in any unit.
    Returns:
      function: (B, H, W, 3) float32 -> the same shape; d mean_b / d image_b, mean_b over the output
      pixels of image b.
    """

    @tf.function(reduce_retracing=True)
    def gradient(image):
        with tf.GradientTape() as tape:
            tape.watch(image)
            # A sum over the batch: no image's mean depends on another image.
            total = tf.reduce_sum(tf.reduce_mean(depth_net(image, training=False), axis=(1, 2, 3)))
        return tape.gradient(total, image)

    return gradient


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
      seed, first: as for `random_pixels`.
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


def _random(seed, image, first):
    return random_pixels(image.shape, seed, first)
