"""Mask search: masks by equation (3) for all images, stored batch by batch."""

import time

import numpy as np

from tfdepthviz.training.mask_rating import disagreement
from trainers.engine.progress import bar


def search_all(store, batches, places, optimizer, threshold):
    """Searches a mask for each image; batches that are stored already are read.

    Args:
      store: BatchStore.
      batches: batches of images, in order.
      places: numbers of the images in their data set.
      optimizer: MaskOptimizer.
      threshold: M' = M > threshold.
    Returns:
      dict of arrays of all images, first axis N: logits, mask, restarts, frame and figures of the
      search.
    """
    parts, done = [], 0
    steps_of_image = optimizer.search.restarts * optimizer.search.steps
    total = len(places) * steps_of_image
    with bar(total=total, desc="optimising", unit="step") as steps:

        def read(arrays):
            steps.update(len(arrays["frame"]) * steps_of_image)

        for number, batch in enumerate(batches):
            image, first = batch["image"], done
            done += len(image)
            frames = np.array(places[first:done])

            def search(image=image, first=first, frames=frames):
                return {**_searched(optimizer, image, first, threshold, steps), "frame": frames}

            parts.append(store(number, search, read))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _searched(optimizer, image, first, threshold, steps):
    """Arrays of one batch, first axis B."""
    started = time.monotonic()
    result = optimizer(image, first=first, step=steps.update)
    seconds = (time.monotonic() - started) / len(image)
    return {
        "logits": result.best_of(result.logits),
        "mask": result.best_of(result.masks),
        "restarts": np.round(255 * result.masks.swapaxes(0, 1)).astype("uint8"),
        "restart_losses": result.loss.T,
        "restart_steps": result.steps.T,
        "seconds": np.full(len(image), seconds),
        **disagreement(result, threshold),
    }
