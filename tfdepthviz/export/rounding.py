"""What half-size weights change, measured against the float32 networks on the same images."""

import keras
import numpy as np

from tfdepthviz import masks, metrics
from tfdepthviz.models.target import as_target
from tfdepthviz.utils.constants import THRESHOLD
from tfdepthviz.utils.errors import InputError


def rounding_loss(exact, rounded, batches, *, threshold=THRESHOLD):
    """Compares N and G with their rounded selves.

    Args:
      exact: (N, G): a DepthTarget, or a keras.Model in metres, and a function of an image batch.
      rounded: (N, G) as functions of an image batch, as `networks.store` gives them.
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
    target = as_target(exact[0])
    squares = {}

    def note(name, values):
        squares.setdefault(name, []).append(keras.ops.convert_to_numpy(values))

    for batch in batches:
        image = batch["image"]
        full, mask = [], []
        for place, (n, g) in enumerate(((target.net, exact[1]), rounded)):
            full.append(n(image, training=False))
            mask.append(g(image, training=False))
            for name, shown in (
                ("mask", mask[-1]),
                ("binary_mask", masks.binarise(mask[-1], threshold)),
            ):
                y = n(masks.apply_mask(image, shown), training=False)
                pair = target.comparable(full[-1], y)
                note((name, place), metrics.fidelity_mse(*pair))
        note("depth", metrics.fidelity_mse(*target.comparable(*full)))
        note("mask", metrics.fidelity_mse(*mask))
        binary = [masks.binarise(m, threshold) for m in mask]
        note("changed", metrics.fidelity_mse(*binary))
    if not squares:
        raise InputError("the data set to measure on holds no image")
    means = {k: float(np.concatenate(v).astype("float64").mean()) for k, v in squares.items()}
    return {
        "images": sum(map(len, squares["depth"])),
        "depth_rmse": means["depth"] ** 0.5,
        "mask_rmse": means["mask"] ** 0.5,
        # The square of a difference of zeros and ones is 1 where they differ.
        "binary_mask_changed": means["changed"],
        "fidelity_rmse": {
            name: [means[name, place] ** 0.5 for place in (0, 1)]
            for name in ("mask", "binary_mask")
        },
    }
