"""Filling of sparse depth by colorization (Levin et al. 2004), as in the NYU Depth toolbox.

Depth spreads from measured pixels to their neighbours, the more so the more alike their grey levels
are: every pixel's depth is a mean of its neighbours' depths, weighted by likeness. This is one
sparse linear system per image, with one unknown per pixel, and it is solved exactly.

`utils.grid_systems` solves it. benchmarks/depth_completion.py compares that with SuperLU's own
orderings, MKL's PARDISO, and Krylov methods with multigrid or an incomplete factorisation. None of
them was faster; nor were float32 factors with iterative refinement.
"""

import numpy as np
from scipy import sparse

from tfdepthviz.utils.constants import GREY_WEIGHTS
from tfdepthviz.utils.errors import InputError
from tfdepthviz.utils.grid_systems import elimination_order, solve

KNOWN_PIXELS = ("blend", "keep")
# The nine pixels of a window in raster order; this one is the pixel itself.
CENTRE = 4


def complete(image, depth, *, known_pixels="blend", saturation=None):
    """Dense depth from sparse depth and the image.

    Solves x_r - sum_s w_rs x_s + k_r x_r = k_r d_r over all pixels r, with w of `affinities` and
    k = 1 where depth d was measured and 0 elsewhere. x lies between the least and the greatest
    measured depth. The result depends on the arguments alone, to the last bit.

    Args:
      image: (H, W, 3) uint8 RGB.
      depth: (H, W) or (H, W, 1) float, metres; 0 = missing.
      known_pixels: "blend" pulls a measured pixel halfway to what its neighbours say, as the
        toolbox does; "keep" leaves measured pixels as they are and solves for the others.
      saturation: metres that the sensor gives for anything farther, which count as missing; the
        toolbox takes 10 for NYU. None: only 0 is missing.
    Returns:
      float32 of the shape of `depth`, metres, nothing missing.
    Raises:
      InputError: shapes or types differ from the above, or nothing was measured.
    Source: NYU Depth toolbox, fill_depth_colorization with alpha = 1. Differs: "keep" is ours;
      depth is not divided by its maximum, which changes nothing in a linear system.
    """
    if known_pixels not in KNOWN_PIXELS:
        raise InputError(
            f"known_pixels must be one of {', '.join(KNOWN_PIXELS)}. Received: {known_pixels!r}"
        )
    grey = _grey(image)
    metres = _metres(depth, grey.shape)
    known = metres != 0
    if saturation is not None:
        # A file's integers times a float32 unit miss the round number by a rounding.
        known &= ~np.isclose(metres, saturation, rtol=1e-6, atol=0)
    if not known.any():
        raise InputError("there is no measured depth to complete from: every pixel is missing")
    unknown = np.ones_like(known) if known_pixels == "blend" else ~known
    if unknown.any():
        pixels = elimination_order(*grey.shape)
        pixels = pixels[unknown.ravel()[pixels]]
        matrix, constants = equations(affinities(grey), metres * known, known, pixels)
        metres.ravel()[pixels] = solve(matrix, constants)
    return metres.reshape(np.shape(depth)).astype("float32")


def affinities(grey):
    """How much each pixel's depth follows each of its neighbours'.

    w_rs = exp(-(g_s - g_r)^2 / c_r), normalised over the neighbours s of r in its 3x3 window,
    which the border clips; c_r = max(0.6 var_r, -min_s (g_s - g_r)^2 / ln 0.01, 2e-6), var_r the
    population variance of g over the window, r included.

    Args:
      grey: (H, W) float64 in [0, 1], at least two pixels.
    Returns:
      (H, W, 9) float64, the window in raster order; 0 for r itself and beyond the border.
    Source: as `complete`. Differs: nothing.
    """
    inside = _windows(np.ones(grey.shape, bool))
    difference = np.where(inside, _windows(grey) - grey[..., None], 0.0)
    squared = difference**2
    count = inside.sum(-1)
    variance = squared.sum(-1) / count - (difference.sum(-1) / count) ** 2
    inside[..., CENTRE] = False
    least = np.where(inside, squared, np.inf).min(-1)
    # Even the neighbour that is most alike gets a weight of at least 0.01.
    spread = np.maximum(np.maximum(0.6 * variance, -least / np.log(0.01)), 2e-6)
    weights = np.where(inside, np.exp(-squared / spread[..., None]), 0.0)
    return weights / weights.sum(-1, keepdims=True)


def equations(weights, depth, known, pixels):
    """The linear system of `complete`.

    Args:
      weights: (H, W, 9) of `affinities`.
      depth: (H, W) float64, metres, 0 where it is not known.
      known: (H, W) bool.
      pixels: (n,) indices of the pixels to solve for, in the order of the equations. The depth of
        all others is taken as it is and moves to the constants.
    Returns:
      (n, n) scipy.sparse.csc_array, and (n,) constants in metres.
    """
    height, width, _ = weights.shape
    depth, known = depth.ravel(), known.ravel()
    steps = np.add.outer((-width, 0, width), (-1, 0, 1)).ravel().astype("int32")
    # Beyond the border, where the coefficient is 0, any index will do.
    neighbours = np.clip(pixels[:, None] + steps, 0, height * width - 1)
    coefficients = -weights.reshape(-1, 9)[pixels]
    coefficients[:, CENTRE] = 1.0 + known[pixels]
    column = np.full(height * width, -1, "int32")
    column[pixels] = np.arange(len(pixels), dtype="int32")
    columns = column[neighbours]
    constants = (depth * known)[pixels]
    constants -= (coefficients * np.where(columns < 0, depth[neighbours], 0.0)).sum(1)
    stored = (coefficients != 0) & (columns >= 0)
    ends = np.concatenate(([0], np.cumsum(stored.sum(1)))).astype("int32")
    rows = (coefficients[stored], columns[stored], ends)
    matrix = sparse.csr_array(rows, shape=(len(pixels), len(pixels)))
    return matrix.tocsc(), constants


def _windows(values):
    """(H, W) -> (H, W, 9): the 3x3 window of each pixel in raster order, 0 beyond the border."""
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(values, 1), (3, 3))
    return windows.reshape(*values.shape, 9)


def _grey(image):
    image = np.asarray(image)
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[-1] != 3:
        raise InputError(
            f"image must be (H, W, 3) uint8. Received: shape {image.shape} of {image.dtype}"
        )
    if image.size < 6:
        raise InputError(f"image must have two pixels or more. Received: shape {image.shape}")
    return image @ np.array(GREY_WEIGHTS) / 255.0


def _metres(depth, size):
    """(H, W) float64, a copy."""
    metres = np.array(depth, "float64")
    if metres.shape not in (size, (*size, 1)):
        raise InputError(f"depth must have the image's size {size}. Received: {metres.shape}")
    if not (np.isfinite(metres).all() and (metres >= 0).all()):
        raise InputError("depth must be finite and not negative, 0 where it is missing")
    return metres.reshape(size)
