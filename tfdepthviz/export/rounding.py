"""Rounding loss: what half-size weights change, on the same images."""

import collections

import keras
import numpy as np

from tfdepthviz import masks, metrics
from tfdepthviz.models.target import as_target
from tfdepthviz.utils.constants import THRESHOLD
from tfdepthviz.utils.errors import InputError


def rounding_loss(target, mask_net, rounded, batches, *, threshold=THRESHOLD):
    """Compares N and G with their rounded selves.

    Args:
      target: N, a DepthTarget; a keras.Model on its own counts as one in metres.
      mask_net: G, function of an image batch.
      rounded: (N, G) with rounded weights, as `networks.store` gives them.
      batches: iterable of {"image": (B, H, W, 3) normalised}.
      threshold: M' = [M > threshold].
    Returns:
      dict that JSON can hold: `images`; `depth_rmse`, of rounded N(I) against N(I), in
      `alignment.unit`; `mask_rmse`; `binary_mask_changed`, the share of pixels on which M' and
      its rounded self differ; `fidelity_rmse`, {"mask": [exact, rounded], "binary_mask": ...}, each
      N against itself. Root of the mean over images, as in `evaluation`.
    Raises:
      InputError: no image.
    """
    target = as_target(target)
    squares = collections.defaultdict(list)
    for batch in batches:
        of_batch = _squares(target, mask_net, rounded, batch["image"], threshold)
        for name, values in of_batch.items():
            squares[name].append(keras.ops.convert_to_numpy(values))
    if not squares:
        raise InputError("the data set to measure on holds no image")
    means = {k: float(np.concatenate(v).astype("float64").mean()) for k, v in squares.items()}
    return {
        "images": sum(map(len, squares["depth"])),
        "depth_rmse": means["depth"] ** 0.5,
        "mask_rmse": means["mask"] ** 0.5,
        # The square of a difference of zeros and ones is 1 where they differ.
        "binary_mask_changed": means["binary_mask"],
        "fidelity_rmse": {
            name: [means[f"fidelity_{name}/{pair}"] ** 0.5 for pair in ("exact", "rounded")]
            for name in ("mask", "binary_mask")
        },
    }


def _squares(target, mask_net, rounded, image, threshold):
    """Mean squared differences of one batch by name, each (B,)."""
    squares = {}
    depths, grey, binary = [], [], []
    for pair, (n, g) in (("exact", (target.net, mask_net)), ("rounded", rounded)):
        depths.append(n(image, training=False))
        grey.append(g(image, training=False))
        binary.append(masks.binarise(grey[-1], threshold))
        for name, mask in (("mask", grey[-1]), ("binary_mask", binary[-1])):
            y = n(target.shown(image, mask), training=False)
            compared = target.comparable(depths[-1], y)
            squares[f"fidelity_{name}/{pair}"] = metrics.fidelity_mse(*compared)
    squares["depth"] = metrics.fidelity_mse(*target.comparable(*depths))
    squares["mask"] = metrics.fidelity_mse(*grey)
    squares["binary_mask"] = metrics.fidelity_mse(*binary)
    return squares
