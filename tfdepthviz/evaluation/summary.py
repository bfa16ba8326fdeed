"""Summary of a comparison: curves, areas and gaps of the set, with bootstrap intervals."""

import math

import numpy as np

from tfdepthviz.evaluation.controls import FITTED
from tfdepthviz.evaluation.measurement import CURVES, FIGURES
from tfdepthviz.metrics import alignment, curves

# A share of the pixels is enough if F(k) is at most this part of N's own error against truth.
TOLERANCE = 0.05
# The curves' figures, each the root of one of FIGURES.
ROOTS = tuple(figure.replace("mse", "rmse") for figure in FIGURES)
# Figures of a curve as a whole.
AREAS = ("insertion_area", "deletion_area", "sparsity_at_tolerance")
# The parts of a figure.
PARTS = ("value", "low", "high")


def summarise(comparison, *, resamples=1000, seed=0, level=0.95):
    """Set-level figures of a comparison.

    A method that was drawn with several seeds ("random/0", "random/1", ...) becomes one: its
    squared errors are averaged over the seeds, image by image. Each interval is the percentile
    interval of `resamples` bootstrap samples of the images. All figures share these samples, which
    makes differences paired.

    Args:
      comparison: comparison.Comparison.
      resamples: number of bootstrap samples.
      seed: of their drawing.
      level: of the intervals, in (0, 1).
    Returns:
      dict as JSON holds it; every figure is {"value", "low", "high"}, null where there is none.
        images, images_with_truth, places, depth_kind, unit, removal, threshold, shares, resamples,
        seed, level; rmse: of N(I) against truth; nothing: F(0); tolerance: 5 % of rmse.
        methods: name -> insertion_area, deletion_area, sparsity_at_tolerance (`curves`); the last
          is null where N's output is not in metres, as its error against truth then is in another
          unit than F. Those of a prediction, such as the mean map, are null but for the first.
        predictions: the methods that show N no pixel; their curves are level.
        views: the curves that were measured, "insert" and perhaps "delete".
        masks: name -> sparseness, entropy (bits a pixel), fidelity_mask, fidelity_binary_mask,
          binarisation_gap (the second minus the first), rmse_mask, rmse_binary_mask, rmse_ratio
          (rmse_binary_mask / rmse).
        curves: list of {"method", "view", "share"} and for each of ROOTS a figure; shares from 0 to
          1, as F(0) and F(1) are measured, too.
        against: mask -> control -> list of figures: F of the mask minus F of the control at each of
          the shares; below 0 the mask is closer to N(I).
        ratios: the same for F of the mask over F of the control.
        best_control: at each of the shares the control with the least F, equation (3) apart, since
          it is fitted to each image alone; [] without controls.
    """
    samples = _Samples(comparison, resamples, seed, level)
    controls = [method for method in samples.methods if method not in comparison.mask_shares]
    return {
        "images": len(comparison.images),
        "images_with_truth": _images_with_truth(comparison),
        "places": [int(place) for place in comparison.images],
        "depth_kind": comparison.depth_kind,
        "unit": alignment.unit(comparison.depth_kind),
        "removal": comparison.removal,
        "threshold": comparison.threshold,
        "shares": list(comparison.shares),
        "resamples": resamples,
        "seed": seed,
        "level": level,
        "rmse": samples.figure(samples.whole_rmse),
        "nothing": samples.figure(samples.nothing),
        "tolerance": samples.figure(TOLERANCE * samples.whole_rmse),
        "methods": {method: _areas(samples, method) for method in samples.methods},
        "masks": {mask: _mask_figures(samples, mask) for mask in comparison.mask_shares},
        "curves": [
            point
            for method in samples.methods
            for view in samples.views
            for point in _curve(samples, method, view)
        ],
        "predictions": samples.predictions,
        "views": samples.views,
        "against": {
            mask: {control: _compared(samples, np.subtract, mask, control) for control in controls}
            for mask in comparison.mask_shares
        },
        "ratios": {
            mask: {control: _compared(samples, _ratio, mask, control) for control in controls}
            for mask in comparison.mask_shares
        },
        "best_control": _best_control(samples, controls),
    }


def figure_at(summary, method, share, root="fidelity_rmse", view="insert"):
    """One figure of a curve: {"value", "low", "high"}.

    Args:
      summary: the dict of `summarise`.
      method: name of a mask or a control.
      share: one of the summary's shares, or 0 or 1.
      root: one of ROOTS.
      view: "insert" or "delete".
    Raises:
      KeyError: the summary has no such point.
    """
    for point in summary["curves"]:
        same = (point["method"], point["view"]) == (method, view)
        if same and math.isclose(point["share"], share):
            return point[root]
    raise KeyError((method, view, share))


class _Samples:
    """RMS errors of the set, always in row 0, and of its R bootstrap samples, in the other rows.

    Attributes:
      comparison: comparison.Comparison.
      methods: names of masks and controls, several seeds of one being one.
      predictions: those of them that show N no pixel, such as the mean map.
      views: the curves that were measured.
      whole_rmse: (1 + R,) RMSE of N(I) against truth.
      nothing: (1 + R,) F(0), the distance from N(I) with nothing shown.
    """

    def __init__(self, comparison, resamples, seed, level):
        self.comparison, self._level = comparison, level
        counts = curves.bootstrap_counts(len(comparison.images), resamples, seed)
        self._counts = np.concatenate([np.ones((1, counts.shape[1]), "int64"), counts])
        self._rms = {
            key: curves.set_rmse(values, self._counts)
            for key, values in _over_seeds(comparison.squares).items()
        }
        measured = {view for _, view in self._rms}
        # Where a prediction stands alone, it is drawn as a curve of shown pixels.
        self.views = [view for view in CURVES if view in measured] or [CURVES[0]]
        shown = (self.views[0], "prediction")
        self.methods = [method for method, view in self._rms if view in shown]
        self.predictions = [method for method, view in self._rms if view == "prediction"]
        self.whole_rmse = self.errors("", "image", "rmse")[:, 0]
        self.nothing = self.errors("", "nothing")[:, 0]

    def errors(self, method, view, root="fidelity_rmse"):
        """(1 + R, K): one of ROOTS at each share of a view; a prediction's is the same at all."""
        if view in CURVES and (method, view) not in self._rms:
            one = self._rms[method, "prediction"][..., ROOTS.index(root)]
            return np.repeat(one, len(self.comparison.shares), axis=1)
        return self._rms[method, view][..., ROOTS.index(root)]

    def mean(self, values):
        """(1 + R,): the mean over the images of (N,) values."""
        return self._counts @ values / self._counts.sum(1)

    def figure(self, values):
        """The figure of a statistic (1 + R,): {"value", "low", "high"}, None where it is NaN."""
        low, high = curves.interval(values[1:], self._level)
        numbers = zip(PARTS, (values[0], low, high), strict=True)
        return {part: float(n) if np.isfinite(n) else None for part, n in numbers}


def _images_with_truth(comparison):
    return int(np.isfinite(comparison.squared_errors("", "image", "mse")).sum())


def _over_seeds(squares):
    """Squared errors by (method, view), those of several seeds averaged."""
    groups = {}
    for (method, view), values in squares.items():
        groups.setdefault((method.partition("/")[0], view), []).append(values)
    return {key: np.mean(values, axis=0) for key, values in groups.items()}


def _areas(samples, method):
    """The figures of a curve as a whole: one of summary["methods"]."""
    shares, nothing = samples.comparison.shares, samples.nothing
    # Null unless they are measured below.
    areas = dict.fromkeys(AREAS, samples.figure(np.full_like(nothing, np.nan)))
    if method in samples.predictions:
        level = samples.errors(method, "insert")[:, 0]
        return areas | {"insertion_area": samples.figure(_ratio(level, nothing))}
    if "insert" in samples.views:
        inserted = samples.errors(method, "insert")
        area = curves.insertion_area(shares, inserted, nothing)
        areas["insertion_area"] = samples.figure(area)
        # Otherwise F is in standard deviations, N's error in metres.
        if samples.comparison.depth_kind == "metric":
            tolerance = TOLERANCE * samples.whole_rmse
            least = curves.sparsity_at_tolerance(shares, inserted, nothing, tolerance)
            areas["sparsity_at_tolerance"] = samples.figure(least)
    if "delete" in samples.views:
        area = curves.deletion_area(shares, samples.errors(method, "delete"), nothing)
        areas["deletion_area"] = samples.figure(area)
    return areas


def _mask_figures(samples, mask):
    """The figures of a mask at its own share: one of summary["masks"]."""

    def errors(view, root):
        return samples.errors(mask, view, root)[:, 0]

    fidelity, rmse = errors("mask", "fidelity_rmse"), errors("mask", "rmse")
    binary_fidelity = errors("binary_mask", "fidelity_rmse")
    binary_rmse = errors("binary_mask", "rmse")
    statistics = {
        "sparseness": samples.mean(samples.comparison.mask_shares[mask]),
        "entropy": samples.mean(samples.comparison.entropy[mask]),
        "fidelity_mask": fidelity,
        "fidelity_binary_mask": binary_fidelity,
        "binarisation_gap": binary_fidelity - fidelity,
        "rmse_mask": rmse,
        "rmse_binary_mask": binary_rmse,
        "rmse_ratio": binary_rmse / samples.whole_rmse,
    }
    return {name: samples.figure(values) for name, values in statistics.items()}


def _curve(samples, method, view):
    """The points of a curve, shares rising from 0 to 1: some of summary["curves"]."""
    # With no pixel shown, or none removed, all methods are the same, but for a prediction.
    start, end = ("nothing", "image") if view == "insert" else ("image", "nothing")
    keys = [("", start), (method, view), ("", end)]
    if method in samples.predictions:
        keys[0] = keys[2] = (method, "prediction")
    figures = {}
    for root in ROOTS:
        errors = [samples.errors(*key, root) for key in keys]
        figures[root] = [samples.figure(at) for at in np.concatenate(errors, axis=1).T]
    for place, share in enumerate((0.0, *samples.comparison.shares, 1.0)):
        at_share = {root: figures[root][place] for root in ROOTS}
        yield {"method": method, "view": view, "share": share, **at_share}


def _compared(samples, operation, mask, control):
    """F of the mask and F of the control in one number at each share, as figures."""
    if "insert" not in samples.views:
        return []
    numbers = operation(samples.errors(mask, "insert"), samples.errors(control, "insert"))
    return [samples.figure(at) for at in numbers.T]


def _ratio(first, second):
    return np.divide(first, second, out=np.full(first.shape, np.nan), where=second > 0)


def _best_control(samples, controls):
    """The control of least F at each share."""
    controls = [control for control in controls if control != FITTED]
    if not controls or "insert" not in samples.views:
        return []
    errors = [samples.errors(control, "insert")[0] for control in controls]
    return [controls[place] for place in np.argmin(errors, axis=0)]
