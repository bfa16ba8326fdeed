"""Fidelity at shares: how far N moves from N(I) with the top pixels of G and of controls."""

import keras
import numpy as np

from tfdepthviz import masks, metrics
from tfdepthviz.evaluation import controls
from tfdepthviz.models.target import as_target
from tfdepthviz.training.ranking_trainer import RATED_SHARES
from tfdepthviz.utils.errors import InputError


def fidelity_at_shares(target, scores_net, batches, *, shares=RATED_SHARES, progress=None):
    """Measures G against controls with equal numbers of pixels.

    N runs 1 + 4 * len(shares) times on each image.

    Args:
      target: N, a DepthTarget; a keras.Model on its own counts as one in metres.
      scores_net: function of an image batch that gives G's scores, (B, H, W, 1).
      batches: iterable of {"image": (B, H, W, 3) normalised}.
      shares: shares of the pixels to keep.
      progress: wraps the iterable, for instance `tqdm.tqdm`.
    Returns:
      list of dicts that JSON can hold, one for each share: `share`; then RMSE from N(I) in
      `target.unit`, the root of the mean over images as in `evaluation`: `fidelity_rmse` with the
      pixels that G scores highest; `sobel`, `blurred_edges` and `random` with as many other pixels;
      and `mean_map`, the mean of N over these images, for which no pixel is shown.
    Raises:
      InputError: no image.
    """
    target = as_target(target)
    depths, squares = [], {}
    for batch in progress(batches) if progress else batches:
        image = batch["image"]
        full = target.net(image, training=False)
        scores = {
            "fidelity_rmse": scores_net(image, training=False),
            "sobel": controls.sobel_edges(image),
            "blurred_edges": controls.blurred_edges(image),
            "random": controls.random_pixels(image.shape, seed=0, first=sum(map(len, depths))),
        }
        depths.append(keras.ops.convert_to_numpy(full))
        for share in shares:
            for name, of_method in scores.items():
                mask = masks.top_share_mask(of_method, [share] * len(depths[-1]))
                y = target.net(masks.apply_mask(image, mask), training=False)
                squares.setdefault((share, name), []).append(_squares(target, full, y))
    if not depths:
        raise InputError("the data set to measure on holds no image")
    mean_map = np.mean(np.concatenate(depths), axis=0, keepdims=True)
    nothing = [_squares(target, full, np.broadcast_to(mean_map, full.shape)) for full in depths]
    return [
        {
            "share": share,
            **{name: _root(squares[share, name]) for name in scores},
            "mean_map": _root(nothing),
        }
        for share in shares
    ]


def _squares(target, full, y):
    """(B,) mean squared distance from N(I), in the square of the target's unit."""
    return keras.ops.convert_to_numpy(metrics.fidelity_mse(*target.comparable(full, y)))


def _root(parts):
    return float(np.concatenate(parts).astype("float64").mean() ** 0.5)
