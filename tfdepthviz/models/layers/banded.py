"""Banded products: with matrices whose entries lie near a diagonal, as in interpolation."""

import numpy as np
from keras import ops

# Rows that share one dense matrix. A row needs few columns: narrow bands save multiply-adds, wide
# bands make faster matrix products; see docs/speed.md.
WIDEST, NARROWEST = 32, 12


def banded_product(matrices, x):
    """Matrices times x, the results one below the other.

    Args:
      matrices: (parts, out, in) NumPy array; all read the same columns for the same rows.
      x: (B, ..., in, n) of any floating type, all but B known.
    Returns:
      (B, ..., parts * out, n).
    """
    parts, out, count = matrices.shape
    *lead, _, n = x.shape[1:]
    dense, columns = bands(matrices)
    if len(columns) == 1:
        matrix = ops.convert_to_tensor(matrices.reshape(-1, count), dtype=x.dtype)
        return ops.matmul(matrix, x)
    pieces = ops.reshape(ops.take(x, columns, axis=-2), (-1, *lead, 1, *columns.shape, n))
    x = ops.matmul(ops.convert_to_tensor(dense, dtype=x.dtype), pieces)
    x = ops.reshape(x, (-1, *lead, parts, dense.shape[1] * dense.shape[2], n))
    x = x if x.shape[-2] == out else x[..., :out, :]
    return ops.reshape(x, (-1, *lead, parts * out, n))


def multiply_adds(matrices):
    """Multiply-adds of `banded_product` with one column of x."""
    return bands(matrices)[0].size


def bands(matrices):
    """The matrices as dense pieces of their rows; the last piece is filled up with zeros.

    Args:
      matrices: (parts, out, in).
    Returns:
      dense: (parts, bands, rows, used), and
      columns: (bands, used) integers: column of the matrices for each column of a piece.
    """
    parts, out, count = matrices.shape
    rows = _rows_of_a_band(out)
    pieces = np.pad(matrices, ((0, 0), (0, -out % rows), (0, 0))).reshape(parts, -1, rows, count)
    used = [np.flatnonzero(pieces[:, i].any(axis=(0, 1))) for i in range(pieces.shape[1])]
    most = max(1, *map(len, used))
    # A piece that needs fewer columns has zeros in the rest.
    columns = np.stack([np.pad(numbers, (0, most - len(numbers))) for numbers in used])
    dense = np.zeros((*pieces.shape[:3], most), matrices.dtype)
    for i, numbers in enumerate(used):
        dense[:, i, :, : len(numbers)] = pieces[:, i][..., numbers]
    return dense, columns


def _rows_of_a_band(out):
    """Rows of a band: a divisor of `out` where there is one, so that no row is cut off."""
    divisors = [n for n in range(NARROWEST, WIDEST + 1) if out % n == 0]
    return min(out, max(divisors, default=WIDEST))
