"""Optimised masks of equation (3), rated and drawn next to masks of mask generators."""

import functools

import tensorflow as tf

from tfdepthviz.reports.optimization_report import SEARCHED
from tfdepthviz.reports.strips import draw_strip, frame_maps
from tfdepthviz.training.mask_rating import rate


def with_masks(batches, mask):
    """Batches that bring the mask of each image along.

    Args:
      batches: batches with `image`, in order.
      mask: (N, H, W, 1) float32, the masks of all images.
    Yields:
      each batch with `mask`, (B, H, W, 1).
    """
    done = 0
    for batch in batches:
        count = len(batch["image"])
        yield {**batch, "mask": tf.constant(mask[done : done + count])}
        done += count


def rate_and_draw(batches, arrays, target, generators, goal, threshold, strips):
    """Rates all masks and draws the first frames.

    Args:
      batches: batches with `image`, in order.
      arrays: of the search, first axis N: frame, mask and figures of the search.
      target: N, a DepthTarget.
      generators: name -> mask generator G, to rate and draw next to the optimised masks.
      goal: Objective that the masks were optimised for.
      threshold: M' = M > threshold.
      strips: number of frames to draw.
    Returns:
      rows of masks.csv, a dict for each image and mask; and (rgb, {name: mask}, strip) of each
      frame that is drawn.
    """
    predict = functools.partial(target.net, training=False)
    rows, pictures = [], []
    for batch in with_masks(batches, arrays["mask"]):
        image, first = batch["image"], len(rows) // (1 + len(generators))
        shown = {SEARCHED: batch["mask"]}
        shown |= {name: g(image, training=False) for name, g in generators.items()}
        rated = {
            name: rate(target, image, mask, goal, threshold=threshold)
            for name, mask in shown.items()
        }
        maps = frame_maps(target, image, shown[SEARCHED], predict=predict)
        for i, frame in enumerate(zip(*maps, strict=True)):
            rows += _rows(arrays, first + i, {k: _of_image(v, i) for k, v in rated.items()})
            if len(pictures) < strips:
                strip = draw_strip(*frame, threshold=threshold, columns=3, unit=target.unit)
                grey = {name: mask[i].numpy() for name, mask in shown.items()}
                pictures.append((frame[0], grey, strip))
    return rows, pictures


def _of_image(values, image):
    return {name: float(value[image]) for name, value in values.items()}


def _rows(arrays, image, rated):
    """Rows of one image: name of a mask -> its figures; those of the search for its mask alone."""
    search = _figures_of_search(arrays, image)
    frame = int(arrays["frame"][image])
    return [
        {"frame": frame, "mask": name, **values}
        | (search if name == SEARCHED else dict.fromkeys(search))
        for name, values in rated.items()
    ]


def _figures_of_search(arrays, image):
    best = arrays["restart_losses"][image].argmin()
    return {
        "steps": int(arrays["restart_steps"][image, best]),
        "loss_spread": float(arrays["restart_losses"][image].std()),
        **{k: float(arrays[k][image]) for k in ("seconds", "mean_spread", "iou", "iou_by_chance")},
    }
