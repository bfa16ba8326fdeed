"""Colours: depth maps, differences and grey levels as RGB pictures."""

import matplotlib
import numpy as np

from tfdepthviz.utils.errors import InputError

DEPTH_COLOURS = "viridis_r"
DIFFERENCE_COLOURS = "RdBu"
# A grey that neither colour scale holds.
MISSING_COLOUR = (150, 150, 150)


def colourise_depth(depth, vmin=None, vmax=None):
    """Depth in colours, near bright and far dark; missing depth is grey.

    Args:
      depth: (H, W) or (H, W, 1) float, metres; 0, NaN or infinite = missing.
      vmin, vmax: metres at the ends of the colour scale; depths beyond take the end's colour. By
        default the 1st and 99th percentile of the depths that are there.
    Returns:
      (H, W, 3) uint8 RGB.
    Raises:
      InputError: not one depth map.
    """
    depth = one_map(depth, "depth")
    there = np.isfinite(depth) & (depth != 0)
    low, high = depth_range(depth)
    vmin, vmax = low if vmin is None else vmin, high if vmax is None else vmax
    position = (np.where(there, depth, vmin) - vmin) / max(vmax - vmin, 1e-6)
    return _colours(position, there, DEPTH_COLOURS)


def colourise_difference(difference, limit=None):
    """A difference of depth maps: red nearer, white equal, blue farther; missing is grey.

    Args:
      difference: (H, W) or (H, W, 1) float, metres; NaN or infinite = missing.
      limit: metres at both ends of the scale, by default the 99th percentile of |difference|.
    Returns:
      (H, W, 3) uint8 RGB.
    Raises:
      InputError: not one map.
    """
    difference = one_map(difference, "difference")
    there = np.isfinite(difference)
    limit = difference_limit(difference) if limit is None else limit
    position = np.where(there, difference, 0.0) / (2 * max(limit, 1e-6)) + 0.5
    return _colours(position, there, DIFFERENCE_COLOURS)


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
    """(vmin, vmax) in metres, the 1st and 99th percentile over all depths that are not missing."""
    values = np.concatenate([np.ravel(depth) for depth in depths]).astype("float64")
    values = values[np.isfinite(values) & (values != 0)]
    if not values.size:
        return 0.0, 1.0
    low, high = np.percentile(values, [1, 99])
    # A constant map still needs a scale to stand in.
    return (low, high) if high - low > 1e-3 else (low - 0.5, high + 0.5)


def difference_limit(difference):
    """The 99th percentile of |difference|, metres, at least a centimetre."""
    values = np.abs(difference[np.isfinite(difference)])
    return max(float(np.percentile(values, 99)), 0.01) if values.size else 0.01


def one_map(values, name):
    values = np.asarray(values, "float64")
    if values.ndim == 3 and values.shape[-1] == 1:
        values = values[..., 0]
    if values.ndim != 2:
        raise InputError(f"{name} must be (H, W) or (H, W, 1). Received: shape {values.shape}")
    return values


def _colours(position, there, name):
    table = matplotlib.colormaps[name]
    picture = table(np.clip(position, 0, 1), bytes=True)[..., :3]
    return np.where(there[..., None], picture, np.array(MISSING_COLOUR, "uint8"))
