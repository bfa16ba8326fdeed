"""Curves over the share of pixels shown: areas, least shares and bootstrap intervals, in NumPy.

A curve is a set's RMSE at each share: the root of the mean over images of their squared errors. The
errors are (N, ...) with N images first. With counts (R, N), each of R rows says how often every
image counts, and results have R first: one statistic per bootstrap sample.
"""

import numpy as np


def set_rmse(squares, counts=None):
    """Root of the mean over images of each image's mean squared error.

    Args:
      squares: (N, ...) mean squared error of each image; NaN = the image is not rated.
      counts: (R, N), how often each image counts; None: once each.
    Returns:
      (...), or (R, ...) with counts; NaN where no image counts.
    Source: the rule behind table 1 of Hu et al. 2019 (ICCV).
    """
    squares = np.asarray(squares, "float64")
    weights = np.ones((1, len(squares))) if counts is None else np.asarray(counts, "float64")
    rated = np.isfinite(squares)
    total = np.tensordot(weights, np.where(rated, squares, 0), axes=1)
    number = np.tensordot(weights, rated.astype("float64"), axes=1)
    rmse = np.sqrt(np.divide(total, number, out=np.full_like(total, np.nan), where=number > 0))
    return rmse[0] if counts is None else rmse


def insertion_area(shares, fidelity, nothing):
    """Mean over k in [0, 1] of F(k) / F(0), F(k) the fidelity with the top share k shown.

    F is linear between the shares, with F(0) = nothing and F(1) = 0. Small is good: a few pixels
    bring N close to N(I). A straight line from F(0) to 0 has area 0.5.

    Args:
      shares: (K,) rising, in (0, 1).
      fidelity: (..., K), F(k), any unit.
      nothing: (...), F(0), the distance with nothing shown.
    Returns:
      (...) float; NaN where F(0) is 0.
    Source: the insertion game of Petsiuk et al. 2018 (RISE). Differs: a distance instead of a class
      probability, normalised by F(0).
    Example:
      insertion_area((0.25, 0.5), [1.0, 0.5], nothing=2.0)  # 0.34375
    """
    return _area(shares, fidelity, nothing, starts_at=nothing, ends_at=np.zeros_like(nothing))


def deletion_area(shares, fidelity, nothing):
    """Mean over k in [0, 1] of D(k) / F(0), D(k) the fidelity with the top share k removed.

    D is linear between the shares, with D(0) = 0 and D(1) = F(0). Large is good: without these
    pixels N soon fails. It can exceed 1 where N is further off than with nothing shown.

    Args, Returns, Source: as for `insertion_area`.
    """
    return _area(shares, fidelity, nothing, starts_at=np.zeros_like(nothing), ends_at=nothing)


def sparsity_at_tolerance(shares, fidelity, nothing, tolerance):
    """The least share k with F(k) <= tolerance, F linear between the shares.

    Args:
      shares, fidelity, nothing: as for `insertion_area`.
      tolerance: (...), in the unit of fidelity.
    Returns:
      (...) float in [0, 1]; NaN where the tolerance is NaN.
    """
    k = np.concatenate([[0.0], np.asarray(shares, "float64"), [1.0]])
    nothing, tolerance = np.asarray(nothing, "float64"), np.asarray(tolerance, "float64")
    f = _with_ends(fidelity, nothing, np.zeros_like(nothing))
    reached = f <= tolerance[..., None]
    # The first share that reaches the tolerance; the crossing lies between it and the one before.
    after = np.argmax(reached, axis=-1)
    before = np.maximum(after - 1, 0)
    high = np.take_along_axis(f, before[..., None], axis=-1)[..., 0]
    low = np.take_along_axis(f, after[..., None], axis=-1)[..., 0]
    drop = np.where(high > low, high - low, 1.0)
    part = np.where(after > 0, (high - tolerance) / drop, 0.0)
    least = k[before] + part * (k[after] - k[before])
    return np.where(reached.any(axis=-1), least, np.nan)


def bootstrap_counts(images, resamples=1000, seed=0):
    """How often each image is drawn in bootstrap samples of `images` images, with replacement.

    Args:
      images: number of images, N.
      resamples: number of samples, R.
      seed: int of at least 0.
    Returns:
      (R, N) int64, each row adding up to N.
    Source: Efron and Tibshirani 1993, chapter 6.
    """
    return np.random.default_rng(seed).multinomial(images, np.full(images, 1 / images), resamples)


def interval(values, level=0.95):
    """The middle `level` of bootstrap values: percentiles (1 - level) / 2 and (1 + level) / 2.

    Args:
      values: (R, ...) a statistic of R bootstrap samples; NaN does not count.
      level: float in (0, 1).
    Returns:
      (low, high), each (...); NaN where no value counts.
    Source: Efron and Tibshirani 1993, chapter 13 (the percentile interval).
    """
    values = np.asarray(values, "float64")
    known = np.isfinite(values).any(axis=0)
    ends = [(1 - level) / 2, (1 + level) / 2]
    low, high = np.nanquantile(np.where(known, values, 0.0), ends, axis=0)
    return np.where(known, low, np.nan), np.where(known, high, np.nan)


def _area(shares, fidelity, nothing, starts_at, ends_at):
    k = np.concatenate([[0.0], np.asarray(shares, "float64"), [1.0]])
    f = _with_ends(fidelity, starts_at, ends_at)
    area = ((f[..., 1:] + f[..., :-1]) / 2 * np.diff(k)).sum(axis=-1)
    nothing = np.asarray(nothing, "float64")
    return np.divide(area, nothing, out=np.full(area.shape, np.nan), where=nothing > 0)


def _with_ends(fidelity, starts_at, ends_at):
    ends = [np.asarray(end, "float64")[..., None] for end in (starts_at, ends_at)]
    return np.concatenate([ends[0], np.asarray(fidelity, "float64"), ends[1]], axis=-1)
