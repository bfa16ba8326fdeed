"""Regions: places of a picture as weights of its pixels, for questions about the depth there.

Each function returns (H, W) float32, 1 inside of the region and 0 outside. Any other (h, w) array
of weights of at least 0 is a region, too, whatever its size: it covers the whole image. Rows count
from the top and columns from the left; x is a column, y a row.

    place = regions.point((480, 640), x=120, y=80, radius=12)
    wall = regions.depth_range(depth, 4.0, 5.5)
    chair = regions.label(labels, 7)
    both = np.maximum(place, regions.box((480, 640), 300, 200, 340, 260))
"""

import math

import numpy as np
from PIL import Image, ImageDraw

from tfdepthviz.utils.errors import InputError


def point(size, x, y, radius):
    """The pixels whose centres lie at most `radius` pixels from the pixel (x, y).

    Args:
      size: (H, W) of the picture.
      x, y: column and row of the pixel, from 0.
      radius: in pixels, at least 0; 0 is the pixel alone.
    Raises:
      InputError: the pixel is not in the picture, or a negative radius.
    """
    if not (math.isfinite(radius) and radius >= 0):
        raise InputError(f"radius must be at least 0. Received: {radius}")
    _check_inside(size, [(x, y)])
    # A place between pixels is that of the pixel that it lies in.
    x, y = math.floor(x), math.floor(y)
    rows, columns = np.ogrid[: size[0], : size[1]]
    return ((rows - y) ** 2 + (columns - x) ** 2 <= radius**2).astype("float32")


def box(size, left, top, right, bottom):
    """The pixels of the columns left to right - 1 and the rows top to bottom - 1.

    Args:
      size: (H, W) of the picture.
      left, top, right, bottom: edges in pixels; right and bottom up to W and H.
    Raises:
      InputError: the box is empty or reaches out of the picture.
    """
    height, width = size
    if not (0 <= left < right <= width and 0 <= top < bottom <= height):
        raise InputError(
            f"box must be left, top, right, bottom with 0 <= left < right <= {width} and "
            f"0 <= top < bottom <= {height}. Received: {left:g}, {top:g}, {right:g}, {bottom:g}"
        )
    rows, columns = np.ogrid[:height, :width]
    inside = (columns >= math.floor(left)) & (columns < right)
    return (inside & (rows >= math.floor(top)) & (rows < bottom)).astype("float32")


def polygon(size, corners):
    """The pixels inside of a polygon, its outline included.

    Args:
      size: (H, W) of the picture.
      corners: at least three (x, y).
    Raises:
      InputError: fewer corners, or one that is not in the picture.
    """
    corners = [tuple(corner) for corner in corners]
    if len(corners) < 3:
        raise InputError(f"polygon must have at least 3 corners x,y. Received: {len(corners)}")
    _check_inside(size, corners)
    picture = Image.new("L", size[::-1])
    ImageDraw.Draw(picture).polygon(corners, fill=1, outline=1)
    return np.asarray(picture, "float32")


def depth_range(depth, near, far):
    """The pixels whose depth lies from `near` to `far`.

    Args:
      depth: (h, w) or (h, w, 1) float, such as N(I), in the unit of near and far; 0, NaN or
        infinite = missing.
      near, far: ends of the range, both included.
    Raises:
      InputError: near is above far, or no pixel lies there.
    """
    depth = np.asarray(depth, "float64").reshape(np.shape(depth)[:2])
    if not near <= far:
        raise InputError(f"depth range must be near, far with near <= far. Received: {near}, {far}")
    known = depth[np.isfinite(depth) & (depth != 0)]
    with np.errstate(invalid="ignore"):
        inside = np.isfinite(depth) & (depth != 0) & (depth >= near) & (depth <= far)
    if not inside.any():
        ends = f"{known.min():.3g} to {known.max():.3g}" if known.size else "nowhere known"
        raise InputError(
            f"depth range {near:g}, {far:g} holds no pixel; the depth is {ends} in this picture"
        )
    return inside.astype("float32")


def label(labels, value):
    """The pixels of one label.

    Args:
      labels: (H, W) int, a label map.
      value: the label.
    Raises:
      InputError: not a map, or no pixel has the label.
    """
    labels = np.asarray(labels)
    if labels.ndim != 2:
        raise InputError(f"labels must be (H, W). Received: shape {labels.shape}")
    if not (labels == value).any():
        some = ", ".join(map(str, np.unique(labels)[:20].tolist()))
        raise InputError(f"no pixel has the label {value!r}; the map holds {some}")
    return (labels == value).astype("float32")


def resized(region, size):
    """A region at another resolution: the mean weight over each pixel's area, the largest being 1.

    Args:
      region: (h, w) or (h, w, 1) float, at least 0.
      size: (H, W) of the result.
    Returns:
      (H, W) float32.
    Raises:
      InputError: not such weights, or all are 0.
    """
    region = np.asarray(region, "float32")
    region = region[..., 0] if region.ndim == 3 and region.shape[-1] == 1 else region
    if region.ndim != 2 or not region.size:
        raise InputError(f"region must be (h, w) weights. Received: shape {region.shape}")
    if not (np.isfinite(region).all() and (region >= 0).all()):
        raise InputError("region must hold finite weights of at least 0")
    if not region.any():
        raise InputError("region must hold a pixel of a weight above 0. Received: zeros")
    weights = Image.fromarray(region / region.max())
    weights = np.asarray(weights.resize(size[::-1], Image.Resampling.BOX))
    # Rounding may leave tiny weights below 0.
    weights = np.maximum(weights, 0)
    return (weights / weights.max()).astype("float32")


def distance(region, size):
    """Distance of each pixel's centre from the region's nearest pixel, in pixels.

    Args:
      region: (h, w) float; its pixels are those of a weight of at least half the largest.
      size: (H, W) of the result.
    Returns:
      (H, W) float32, 0 inside of the region.
    """
    weights = resized(region, size)
    inside = weights >= 0.5
    rows, columns = (np.arange(n, dtype="float64") for n in size)
    # First along each column, then along rows: the exact Euclidean distance.
    along = np.where(inside, 0.0, np.inf)
    for number in range(1, size[0]):
        along[number] = np.minimum(along[number], along[number - 1] + 1)
    for number in reversed(range(size[0] - 1)):
        along[number] = np.minimum(along[number], along[number + 1] + 1)
    squares = (columns[:, None] - columns[None]) ** 2
    nearest = [np.min(squares + along[int(row)] ** 2, axis=1) for row in rows]
    return np.sqrt(nearest).astype("float32")


def _check_inside(size, places):
    height, width = size
    for x, y in places:
        if not (0 <= x < width and 0 <= y < height):
            raise InputError(
                f"{x:g},{y:g} lies outside of the picture: x must be from 0 to {width - 1} "
                f"and y from 0 to {height - 1}"
            )
