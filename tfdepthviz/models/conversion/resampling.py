"""Resampling: matrices that resize one axis of a map, for every mode of ONNX's Resize."""

import numpy as np

from tfdepthviz.utils.errors import InputError


def matrices(wanted, size, mode, coordinates="half_pixel", factors=None, **how):
    """The matrices of height and width: resized = rows @ map @ columns.T.

    Args:
      wanted: (H, W) of the result.
      size: (h, w) of the map.
      mode: "nearest", "linear" or "cubic".
      coordinates: ONNX's coordinate_transformation_mode.
      factors: of enlarging; None: wanted / size.
      how: further arguments of `matrix`.
    Returns:
      two arrays, (H, h) and (W, w), float64.
    """
    factors = factors or [n / m for n, m in zip(wanted, size, strict=True)]
    return [
        matrix(n, m, mode, coordinates, factor, **how)
        for n, m, factor in zip(wanted, size, factors, strict=True)
    ]


def matrix(
    wanted, size, mode, coordinates, factor, *,
    antialias=0, cubic_coeff_a=-0.75, exclude_outside=0, nearest_mode="round_prefer_floor",
):  # fmt: skip
    """Weights (wanted, size) of the samples of one axis; every row adds up to 1.

    Args:
      wanted, size: numbers of samples after and before.
      mode, coordinates, antialias, cubic_coeff_a, exclude_outside, nearest_mode: ONNX's Resize.
      factor: of enlarging.
    Raises:
      InputError: a mode that is not known.
    """
    places = _places(np.arange(wanted), wanted, size, coordinates, factor)
    if mode == "nearest":
        return np.eye(size)[np.clip(_rounded(places, nearest_mode), 0, size - 1)]
    # A filter as wide as the samples that shrink into one.
    stretch = max(1.0, 1 / factor) if antialias else 1.0
    reach = int(np.ceil((1 if mode == "linear" else 2) * stretch))
    if mode == "linear":
        weigh = lambda distance: np.maximum(0, 1 - np.abs(distance))  # noqa: E731
    elif mode == "cubic":
        weigh = lambda distance: _cubic(np.abs(distance), cubic_coeff_a)  # noqa: E731
    else:
        raise InputError(f"Resize with mode {mode!r}: expected nearest, linear or cubic")
    taps = np.floor(places).astype(int)[:, None] + np.arange(-reach, reach + 1)[None]
    weights = weigh((taps - places[:, None]) / stretch)
    if exclude_outside or antialias:
        weights = weights * ((taps >= 0) & (taps < size))
    weights /= weights.sum(1, keepdims=True)
    result = np.zeros((wanted, size))
    np.add.at(result, (np.arange(wanted)[:, None], np.clip(taps, 0, size - 1)), weights)
    return result


def _places(index, wanted, size, coordinates, factor):
    """Where the samples of the result lie among those of the map."""
    if coordinates == "align_corners":
        return index * ((size - 1) / (wanted - 1)) if wanted > 1 else index * 0.0
    if coordinates == "asymmetric":
        return index / factor
    if coordinates == "pytorch_half_pixel" and wanted == 1:
        return index * 0.0
    if coordinates in ("half_pixel", "pytorch_half_pixel"):
        return (index + 0.5) / factor - 0.5
    if coordinates == "half_pixel_symmetric":
        centre = size / 2 * (1 - wanted / (factor * size))
        return centre + (index + 0.5) / factor - 0.5
    raise InputError(f"Resize with coordinate_transformation_mode {coordinates!r}")


def _rounded(places, mode):
    ways = {
        "floor": np.floor,
        "ceil": np.ceil,
        "round_prefer_floor": lambda x: np.ceil(x - 0.5),
        "round_prefer_ceil": lambda x: np.floor(x + 0.5),
    }
    # Places that are whole numbers up to rounding errors count as whole.
    whole = np.round(places)
    places = np.where(np.abs(places - whole) < 1e-6, whole, places)
    return ways[mode](places).astype(int)


def _cubic(distance, a):
    near = ((a + 2) * distance - (a + 3)) * distance**2 + 1
    far = a * (((distance - 5) * distance + 8) * distance - 4)
    return np.where(distance <= 1, near, np.where(distance < 2, far, 0.0))
