"""Properties of pixels that a mask may depend on: rank, distance, segment, vanishing point."""

import numpy as np
from scipy import ndimage

DISTANCES = 10
# Sizes of segments as shares of the image: the ends of the bins.
SIZES = (0.0005, 0.003, 0.01, 0.03, 0.1, 1.0)
# Rings around the vanishing point, in widths of the image: their outer radii.
RINGS = (0.04, 0.08, 0.12, 0.16, 0.24, 0.32, 0.5)
# Deviation of the blur before colours are compared, pixels.
SMOOTH = 1.5


def ranks(scores):
    """(N, H, W) in [0, 1]: the place of each pixel in its image's order; 1 is the highest score.

    Args:
      scores: (N, H, W, 1).
    """
    flat = scores.reshape(len(scores), -1)
    order = np.argsort(flat, axis=1, kind="stable")
    places = np.empty(flat.shape)
    np.put_along_axis(places, order, np.linspace(0, 1, flat.shape[1])[None], axis=1)
    return places.reshape(scores.shape[:3])


def distances(depth, size):
    """(N, H, W) int: the tenth of its image's pixels by depth; 0 is the nearest.

    Args:
      depth: (N, h, w, 1).
      size: (H, W); the nearest pixel of the depth map counts.
    """
    tenths = np.minimum((ranks(depth) * DISTANCES).astype(int), DISTANCES - 1)
    rows, columns = (np.arange(n) * m // n for n, m in zip(size, depth.shape[1:3], strict=True))
    return tenths[:, rows[:, None], columns[None]]


def segments(rgb):
    """(H, W) int: regions of even colour; 0 where the colour changes more than at most pixels.

    Args:
      rgb: (H, W, 3) in [0, 1].
    """
    smooth = ndimage.gaussian_filter(rgb, (SMOOTH, SMOOTH, 0))
    change = sum(np.hypot(*np.gradient(smooth[..., band])) ** 2 for band in range(3))
    return ndimage.label(change <= np.median(change))[0]


def sizes(labels):
    """(H, W) int: the bin of SIZES of the segment that a pixel belongs to; -1 for none.

    Args:
      labels: (H, W) int, 0 for no segment.
    """
    shares = np.bincount(labels.ravel()) / labels.size
    bins = np.searchsorted(SIZES, shares) - 1
    bins[0] = -1
    return bins[labels]


def rings(size, point):
    """(H, W) int: the ring of RINGS around a point; len(RINGS) beyond all.

    Args:
      size: (H, W).
      point: (row, column) as fractions of the image.
    """
    rows = (np.arange(size[0]) + 0.5 - point[0] * size[0])[:, None]
    columns = (np.arange(size[1]) + 0.5 - point[1] * size[1])[None]
    return np.searchsorted(RINGS, np.hypot(rows, columns) / size[1])
