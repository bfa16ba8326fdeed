"""Controls of a mask: other scores of how much each pixel matters.

A control gives scores (B, H, W, 1) float32, high = kept first. Its top share is compared with an
equal share of a mask. Masks that equation (3) finds for each image alone are a control, too: no
rule need serve all images. The mean map (`mean_maps.mean_map`) is one without any pixel.
"""

import functools

import numpy as np
import tensorflow as tf

from tfdepthviz import masks
from tfdepthviz.data import transforms
from tfdepthviz.evaluation import gradients
from tfdepthviz.evaluation.gradients import SAMPLES, STEPS
from tfdepthviz.utils.errors import InputError

RANDOM_SEEDS = (0, 1, 2)
# Sides of random blocks, pixels.
SMALLEST_SIDE, LARGEST_SIDE = 16, 64
# Controls that an image and N suffice for.
SCORED = (
    *("random", "random_blocks", "sobel", "blurred_edges", "blurred_edges_9", "centre"),
    *("gradient", "smoothgrad", "integrated_gradients"),
)
# Controls that need neither gradients nor another network.
CHEAP = SCORED[:6]
# The control that is fitted to each image alone, through N: no rule for all images can reach it.
FITTED = "optimised"
# All controls in the order of tables.
CONTROLS = (*CHEAP, "untrained", "mean_map", *SCORED[6:], FITTED)


def control_scores(
    depth_net, names=SCORED, *, random_seeds=RANDOM_SEEDS, samples=SAMPLES, steps=STEPS
):
    """The controls of one depth network by name.

    Args:
      depth_net: N, normalised image (B, H, W, 3) -> (B, h, w, 1).
      names: some of SCORED.
      random_seeds: ints; "random/SEED" and "random_blocks/SEED" for each.
      samples: of `gradients.smoothgrad`.
      steps: of `gradients.integrated_gradients`.
    Returns:
      dict of name -> function of (image, first) -> scores: a normalised image batch, and the place
      of its first image in its set, on which the random ones depend.
    Raises:
      InputError: another name.
    """
    gradient = gradients.mean_depth_gradient(depth_net)
    functions = {
        "sobel": lambda image, first: sobel_edges(image).numpy(),
        "blurred_edges": lambda image, first: blurred_edges(image).numpy(),
        "blurred_edges_9": lambda image, first: blurred_edges(image, 9).numpy(),
        "centre": lambda image, first: centre(image.shape),
        "gradient": lambda image, first: gradients.gradient_magnitude(gradient, image),
        "smoothgrad": lambda image, first: gradients.smoothgrad(
            gradient, image, samples, first=first
        ),
        "integrated_gradients": lambda image, first: gradients.integrated_gradients(
            gradient, image, steps
        ),
    }
    drawn = {"random": random_pixels, "random_blocks": random_blocks}
    scores = {}
    for name in names:
        if name not in SCORED:
            raise InputError(f"names must be some of {', '.join(SCORED)}. Received: {name!r}")
        if name in drawn:
            for seed in random_seeds:
                scores[f"{name}/{seed}"] = functools.partial(_drawn, drawn[name], seed)
        else:
            scores[name] = functions[name]
    return scores


def gradient_passes(names=SCORED, samples=SAMPLES, steps=STEPS):
    """Number of gradients of N that `control_scores` takes for each image."""
    taken = {"gradient": 1, "smoothgrad": samples, "integrated_gradients": steps}
    return sum(taken.get(name, 0) for name in names)


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


def random_blocks(shape, seed, first=0):
    """Minus the number of the first of many random square blocks that covers a pixel.

    The top share is as many whole blocks as fit, and the upper rows of the next. Sides are drawn
    evenly from 16 to 64 pixels, or to half of the image's shorter side. Places are drawn evenly
    from all that show a pixel of the block, so that every pixel is equally likely to be covered.

    Args:
      shape: (B, H, W, ...).
      seed, first: as for `random_pixels`.
    Returns:
      (B, H, W, 1) float32 of whole numbers, 0 in the first block.
    """
    batch, height, width = shape[:3]
    draws = [_blocks(height, width, (seed, first + image)) for image in range(batch)]
    return np.stack(draws)[..., None].astype("float32")


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


def _drawn(draw, seed, image, first):
    return draw(image.shape, seed, first)


def _blocks(height, width, seed):
    """(H, W) int: minus the number of the first block that covers each pixel."""
    largest = max(1, min(LARGEST_SIDE, height // 2, width // 2))
    smallest = min(SMALLEST_SIDE, largest)
    rng = np.random.default_rng(seed)
    scores = np.ones((height, width), "int32")
    number, bare = 0, height * width
    while bare:
        side = int(rng.integers(smallest, largest + 1))
        top, left = (int(rng.integers(1 - side, size)) for size in (height, width))
        block = scores[max(top, 0) : top + side, max(left, 0) : left + side]
        uncovered = block > 0
        block[uncovered] = -number
        number, bare = number + 1, bare - np.count_nonzero(uncovered)
    return scores
