"""Grid systems: sparse linear systems with an unknown for each pixel, solved exactly.

The graph of such a matrix is the image's grid, so a good order of elimination is known in advance:
nested dissection of the grid (George 1973). With it SciPy's SuperLU needs no other library.
"""

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

# Blocks of the grid up to this many pixels wide are not dissected further.
LEAF_PIXELS = 8
# Relative. Elimination without pivoting leaves 1e-15; more than this means that it failed.
RESIDUAL_TOLERANCE = 1e-10
# From a pixel to its eight neighbours.
STEPS = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1) if down or right]


def elimination_order(height, width):
    """Indices of all pixels in the order of nested dissection, (H * W,) int32.

    A line of pixels cuts the grid in two halves that no window joins; it comes after both.
    """
    pixels = np.arange(height * width, dtype="int32").reshape(height, width)
    return np.concatenate(_dissected(pixels))


def solve(matrix, constants):
    """Solves a sparse linear system, eliminating unknowns in order; checks the residual.

    Args:
      matrix: (n, n) scipy.sparse.csc_array.
      constants: (n,) float64, or (n, k) for k systems of one matrix.
    Returns:
      float64 of the shape of `constants`.
    """
    # The matrix is diagonally dominant, so pivoting gains nothing.
    options = {"permc_spec": "NATURAL", "diag_pivot_thresh": 0.0, "panel_size": 4}
    try:
        solution = splu(matrix, **options, options={"SymmetricMode": True}).solve(constants)
        residual = np.linalg.norm(matrix @ solution - constants) / np.linalg.norm(constants)
    except RuntimeError:  # SuperLU: the factor is exactly singular
        residual = np.inf
    # With pivoting: slower, but for any matrix. The comparison is false for a residual of NaN, too.
    return solution if residual < RESIDUAL_TOLERANCE else splu(matrix).solve(constants)


def filled(image, kept, *, direct, diagonal):
    """Fills pixels such that each is a weighted mean of its eight neighbours.

    Args:
      image: (H, W, C) float.
      kept: (H, W) bool; these pixels stay as they are.
      direct, diagonal: weights of the neighbours; at the border those that exist share the weight.
    Returns:
      (H, W, C) of the image's dtype; pixels are 0 where none is kept.
    Source: Rong et al. 2022 (ROAD), without its noise.
    """
    image = image * kept[..., None]
    if kept.all() or not image.any():
        return image
    height, width, channels = image.shape
    order = elimination_order(height, width)
    pixels = order[~kept.ravel()[order]]
    number = np.full((height + 2, width + 2), -1)
    rows, columns = pixels // width + 1, pixels % width + 1
    number[rows, columns] = np.arange(len(pixels))
    inside, known = (np.pad(array, ((1, 1), (1, 1))) for array in (np.ones_like(kept), kept))
    padded = np.pad(image.astype("float64"), ((1, 1), (1, 1), (0, 0)))
    total, constants = np.zeros(len(pixels)), np.zeros((len(pixels), channels))
    entries = []
    for down, right in STEPS:
        at = rows + down, columns + right
        weight = inside[at] * (diagonal if down and right else direct)
        total += weight
        constants += weight[:, None] * padded[at]
        unknown = inside[at] & ~known[at]
        entries.append((np.flatnonzero(unknown), number[at][unknown], -weight[unknown]))
    entries.append((np.arange(len(pixels)), np.arange(len(pixels)), total))
    row, column, value = (np.concatenate(part) for part in zip(*entries, strict=True))
    matrix = sparse.csc_array((value, (row, column)), shape=(len(pixels),) * 2)
    image.reshape(-1, channels)[pixels] = solve(matrix, constants)
    return image


def _dissected(pixels):
    if max(pixels.shape) <= LEAF_PIXELS:
        return [pixels.ravel()]
    if pixels.shape[0] > pixels.shape[1]:
        pixels = pixels.T
    middle = pixels.shape[1] // 2
    halves = pixels[:, :middle], pixels[:, middle + 1 :]
    return [*_dissected(halves[0]), *_dissected(halves[1]), pixels[:, middle]]
