"""Readers: networks that predict N(I) from the shape of a mask, without N.

A reader has two layers. The first is fixed: the mask at half its size, and 32 random convolutions,
averaged in 8x10 cells. The second is fitted by kernel ridge regression, a linear kernel or a
Gaussian one, chosen with its ridge by cross-validation. So it needs no training to tune, and a few
hundred masks suffice.
"""

import dataclasses

import numpy as np
import tensorflow as tf

CELLS = (8, 10)
FOLDS = 5
RIDGES = (1e-3, 1e-2, 1e-1, 1.0, 10.0)
FILTERS, WIDTH = 32, 5


@dataclasses.dataclass(frozen=True)
class Prediction:
    """Depths in cells of N images, predicted, and their errors.

    Attributes:
      errors: (N, C) squared errors of each cell.
      totals: (N, C) squared errors of the mean of the images learnt from.
      nats: (N,) negative logarithm of a Gaussian's density at the depth, mean over the cells; the
        deviation of each cell is that of cross-validation.
    """

    errors: np.ndarray
    totals: np.ndarray
    nats: np.ndarray


def depth_cells(target, depth):
    """(N, h, w, 1) outputs of N -> (N, 80) means in 8x10 cells; standardised if without a unit."""
    depth = np.asarray(depth, "float32")
    if target.depth_kind != "metric":
        depth = depth - depth.mean(axis=(1, 2, 3), keepdims=True)
        depth = depth / np.maximum(depth.std(axis=(1, 2, 3), keepdims=True), 1e-12)
    return _in_cells(depth)


def shape_features(mask):
    """(N, H, W, 1) binary masks -> two blocks of features, (N, F) each."""
    kernels = np.random.default_rng(0).standard_normal((WIDTH, WIDTH, 1, FILTERS))
    half, textures = [], []
    for part in np.array_split(mask, -(-len(mask) // 16)):
        part = tf.convert_to_tensor(part, tf.float32)
        half.append(tf.nn.avg_pool2d(part, 2, 2, "SAME").numpy().reshape(len(part), -1))
        maps = tf.nn.conv2d(part - 0.5, kernels.astype("float32") / WIDTH, 2, "SAME")
        textures.append(_in_cells(tf.nn.relu(maps).numpy()))
    return [np.concatenate(half), np.concatenate(textures)]


def colour_features(image, mask):
    """(N, 240): the mean colour of the kept pixels of each cell, 0 where none is kept."""
    kept, colours = _in_cells(mask), _in_cells(image * mask)
    count = np.repeat(kept[..., None], image.shape[-1], axis=-1).reshape(len(kept), -1)
    return [np.divide(colours, count, out=np.zeros_like(colours), where=count > 0)]


def predicted(features, cells, tested=None):
    """Predicts the cells of images from features of others.

    Args:
      features: list of (N, F) blocks, which weigh alike.
      cells: (N, C).
      tested: (N,) bool, the images to predict, from all others. None: all, in 5 folds of images
        that follow each other, so that neighbouring frames of a video lie in one fold.
    Returns:
      Prediction, of the tested images.
    """
    distances = _distances(features)
    if tested is not None:
        return _fitted(distances, cells, np.flatnonzero(~tested), np.flatnonzero(tested))
    folds = np.array_split(np.arange(len(cells)), min(FOLDS, len(cells)))
    parts = [
        _fitted(distances, cells, np.setdiff1d(np.arange(len(cells)), fold), fold) for fold in folds
    ]
    return Prediction(
        *(np.concatenate([getattr(p, f.name) for p in parts]) for f in dataclasses.fields(parts[0]))
    )


def _fitted(distances, cells, known, tested):
    best = None
    for gaussian in (False, True):
        kernel = _kernel(distances, known, gaussian)
        for ridge in RIDGES:
            residuals = _cross_validated(kernel, cells, known, ridge)
            error = float((residuals**2).mean())
            if best is None or error < best[0]:
                best = error, kernel, ridge, residuals
    _, kernel, ridge, residuals = best
    mean = cells[known].mean(axis=0)
    errors = cells[tested] - _ridge(kernel, cells, known, tested, ridge)
    # A cell that never changes has no density; it then costs the same with every reader.
    variance = (residuals**2).mean(axis=0) + 1e-6 * (1 + cells[known].var())
    nats = 0.5 * (np.log(2 * np.pi * variance) + errors**2 / variance).mean(axis=1)
    return Prediction(errors**2, (cells[tested] - mean) ** 2, nats)


def _cross_validated(kernel, cells, known, ridge):
    """(K, C) residuals of the known images, each predicted from other folds."""
    folds = np.array_split(known, min(FOLDS, len(known)))
    residuals = []
    for fold in folds:
        others = np.setdiff1d(known, fold)
        residuals.append(cells[fold] - _ridge(kernel, cells, others, fold, ridge))
    return np.concatenate(residuals)


def _ridge(kernel, cells, known, tested, ridge):
    mean = cells[known].mean(axis=0)
    matrix = kernel[np.ix_(known, known)] + ridge * np.eye(len(known))
    weights = np.linalg.solve(matrix, cells[known] - mean)
    return mean + kernel[np.ix_(tested, known)] @ weights


def _distances(features):
    """(N, N) squared distances, the sum over blocks of each divided by its mean."""
    total = 0.0
    for block in features:
        block = block.astype("float64") - block.mean(axis=0)
        gram = block @ block.T
        squares = np.diag(gram)
        distances = np.maximum(squares[:, None] + squares[None] - 2 * gram, 0)
        total = total + distances / max(distances.mean(), 1e-12)
    return total / len(features)


def _kernel(distances, known, gaussian):
    """(N, N): a Gaussian of the distances, or the products of what is centred on known images."""
    if gaussian:
        return np.exp(-distances)
    to_known = distances[:, known].mean(axis=1)
    overall = distances[np.ix_(known, known)].mean()
    return -0.5 * (distances - to_known[:, None] - to_known[None] + overall)


def _in_cells(maps):
    """(N, H, W, C) -> (N, 80 C): means in 8x10 cells."""
    parts = np.array_split(maps, -(-len(maps) // 64))
    cells = [tf.image.resize(part, CELLS, "area").numpy().reshape(len(part), -1) for part in parts]
    return np.concatenate(cells)
