"""Frames at several shares: the pixels that a ranking and edges keep, and N's depth from them."""

import numpy as np
from keras import ops

from tfdepthviz import masks, metrics
from tfdepthviz.data import transforms
from tfdepthviz.evaluation.controls import sobel_edges
from tfdepthviz.models.scores import scores_net
from tfdepthviz.reports import sweep_figures


def draw_frames(target, mask_net, image, shares):
    """A picture of each frame, see `sweep_figures.frame_at_shares`.

    Args:
      target: N, a DepthTarget.
      mask_net: G, whose scores rank the pixels.
      image: (B, H, W, 3) float32, normalised.
      shares: of the pixels to keep.
    Returns:
      list of B pictures, (height, width, 3) uint8 RGB.
    """
    y_full = target.net(image, training=False)
    ranking = scores_net(mask_net)(image, training=False)
    scores = {"binary_mask": ranking, "sobel": sobel_edges(image)}
    kept = {
        method: {share: _kept(target, image, y_full, score, share) for share in shares}
        for method, score in scores.items()
    }
    rgb = np.clip(np.asarray(transforms.denormalise(image)), 0, 1)
    depth = np.asarray(target.drawable(y_full, y_full)[0])
    return [
        sweep_figures.frame_at_shares(
            rgb[i],
            depth[i],
            {
                method: {share: tuple(part[i] for part in parts) for share, parts in of.items()}
                for method, of in kept.items()
            },
            target.unit,
        )
        for i in range(len(rgb))
    ]


def _kept(target, image, y_full, scores, share):
    """Masks, drawable depth and distances from N(I) of a batch, as arrays of NumPy."""
    mask = masks.top_share_mask(scores, share)
    y = target.net(target.shown(image, mask), training=False)
    distance = ops.sqrt(metrics.fidelity_mse(*target.comparable(y_full, y)))
    parts = (mask, target.drawable(y_full, y)[1], distance)
    return tuple(ops.convert_to_numpy(part) for part in parts)
