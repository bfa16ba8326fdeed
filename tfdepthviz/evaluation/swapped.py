"""Swapped masks: the ranking of another image as a control.

A mask that works as well on another image tells nothing about its own.
"""

import numpy as np


def swapped(ranking, batches):
    """Scores of the image half the set away, as a control.

    Neighbours would not do: in a video they are nearly equal.

    Args:
      ranking: function of (image, first) -> (B, H, W, 1), such as `ranking.ranking`.
      batches: iterable of {"image": (B, H, W, 3) normalised}, the whole set in its order. The
        scores of all images stay in memory.
    Returns:
      function of (image, first), as `comparison.compare` takes it.
    """
    scores = np.concatenate([np.asarray(ranking(batch["image"], 0)) for batch in batches])

    def scores_of(image, first):
        places = np.arange(first, first + len(image)) + len(scores) // 2
        return scores[places % len(scores)]

    return scores_of
