"""Colours: depth maps, differences and grey levels as RGB pictures."""

import matplotlib
import numpy as np

from tfdepthviz.utils.errors import InputError

DEPTH_COLOURS = "viridis_r"
DIFFERENCE_COLOURS = "RdBu"
# A grey that is in neither colour scale.
MISSING_COLOUR = (150, 150, 150)


def colourise_depth(depth, vmin=None, vmax=None):
    """Depth in colours, near bright and far dark; missing depth is grey.

    Args:
      depth: (H, W) or (H, W, 1) float in any unit; 0, NaN or infinite = missing.
      vmin, vmax: depths at the ends of the colour scale, which depths beyond them take as well. By
        default the 1st and 99th percentile of the depths that are not missing.
    Returns:
      (H, W, 3) uint8 RGB.
    Raises:
      InputError: not a single depth map.
    """
    depth = one_map(depth, "depth")
    known = np.isfinite(depth) & (depth != 0)
    low, high = depth_range(depth)
    vmin, vmax = low if vmin is None else vmin, high if vmax is None else vmax
    position = (np.where(known, depth, vmin) - vmin) / max(vmax - vmin, 1e-6)
    return _colours(position, known, DEPTH_COLOURS)


def colourise_difference(difference, limit=None):
    """A difference of depth maps: red nearer, white equal, blue farther; missing is grey.

    Args:
      difference: (H, W) or (H, W, 1) float in any unit; NaN or infinite = missing.
      limit: size of the difference at both ends of the scale, by default the 99th percentile.
    Returns:
      (H, W, 3) uint8 RGB.
    Raises:
      InputError: not a single map.
    """
    difference = one_map(difference, "difference")
    known = np.isfinite(difference)
    limit = difference_limit(difference) if limit is None else limit
    position = np.where(known, difference, 0.0) / (2 * max(limit, 1e-6)) + 0.5
    return _colours(position, known, DIFFERENCE_COLOURS)


def grey(values):
    """Grey levels in [0, 1], (H, W) or (H, W, 1) float, as (H, W, 3) uint8: 1 is white."""
    values = one_map(values, "grey levels")
    levels = np.round(np.clip(np.nan_to_num(values), 0, 1) * 255).astype("uint8")
    return np.repeat(levels[..., None], 3, axis=-1)


def rgb(image):
    """(H, W, 3) uint8 as it is, or float RGB in [0, 1] as uint8."""
    image = np.asarray(image)
    if image.ndim != 3 or image.shape[-1] != 3:
        raise InputError(f"image must be (H, W, 3). Received: shape {image.shape}")
    if image.dtype == np.uint8:
        return image
    return np.round(np.clip(np.nan_to_num(image.astype("float64")), 0, 1) * 255).astype("uint8")


def depth_range(*depths):
    """(vmin, vmax): the 1st and 99th percentile over all depths that are not missing."""
    values = np.concatenate([np.ravel(depth) for depth in depths]).astype("float64")
    values = values[np.isfinite(values) & (values != 0)]
    if not values.size:
        return 0.0, 1.0
    low, high = np.percentile(values, [1, 99])
    # A constant map still needs a range.
    return (low, high) if high - low > 1e-3 else (low - 0.5, high + 0.5)


def difference_limit(difference):
    """The 99th percentile of |difference|, at least 0.01 (a centimetre)."""
    values = np.abs(difference[np.isfinite(difference)])
    return max(float(np.percentile(values, 99)), 0.01) if values.size else 0.01


def one_map(values, name):
    """(H, W) or (H, W, 1) numbers as (H, W) float64; `name` is for the message of InputError."""
    values = np.asarray(values, "float64")
    if values.ndim == 3 and values.shape[-1] == 1:
        values = values[..., 0]
    if values.ndim != 2:
        raise InputError(f"{name} must be (H, W) or (H, W, 1). Received: shape {values.shape}")
    return values


def _colours(position, known, name):
    table = matplotlib.colormaps[name]
    picture = table(np.clip(position, 0, 1), bytes=True)[..., :3]
    return np.where(known[..., None], picture, np.array(MISSING_COLOUR, "uint8"))
