"""Comparison strips: the pixels that each method keeps of a frame, and N's depth from them."""

import numpy as np

from tfdepthviz import masks
from tfdepthviz.evaluation.ranking import compiled
from tfdepthviz.reports import comparison_figures
from tfdepthviz.reports.strips import frame_maps


def draw_strips(target, image, firsts, scores, share):
    """A strip for each frame: the top share of the pixels by each score, and N's depth from it.

    Args:
      target: N, a DepthTarget.
      image: (B, H, W, 3) float, normalised.
      firsts: place of each frame among the compared frames.
      scores: name -> function of (image, first) -> (B, H, W, 1); of several draws ("NAME/0",
        "NAME/1", ...) the first is drawn.
      share: share of the pixels to keep, 0 to 1.
    Returns:
      list of (height, width, 3) uint8 RGB.
    """
    predict = compiled(target.net)
    pictures = []
    for place, first in enumerate(firsts):
        one = image[place : place + 1]
        y_full = predict(one)
        kept, depths = {}, {}
        for name, score in scores.items():
            method, _, draw = name.partition("/")
            if draw not in ("", "0"):
                continue
            mask = masks.top_share_mask(np.asarray(score(one, first)), share)
            maps = frame_maps(target, one, mask, y_full=y_full, predict=predict)
            rgb, kept[method], depths[""], depths[method] = (batch[0] for batch in maps)
        pictures.append(comparison_figures.kept_pixels(rgb, kept, depths, share, target.unit))
    return pictures
