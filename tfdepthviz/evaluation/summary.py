"""What a comparison comes to: curves, areas and gaps of the set, with bootstrap confidence."""

import csv
import io
import json
import math

import numpy as np

from tfdepthviz.evaluation.comparison import FIGURES
from tfdepthviz.metrics import alignment, curves
from tfdepthviz.utils.files import write_whole

# F(k) may be so large a part of N's own error against ground truth.
TOLERANCE = 0.05
ROOTS = tuple(figure.replace("mse", "rmse") for figure in FIGURES)
CURVE_COLUMNS = (
    *("method", "view", "share"),
    *(f"{root}{end}" for root in ROOTS for end in ("", "_low", "_high")),
)


def summarise(comparison, *, resamples=1000, seed=0, level=0.95):
    """Set-level figures of a comparison.

    A method that was drawn with several seeds ("random/0", "random/1", ...) becomes one: its
    squared errors are averaged over the seeds, image by image. Each interval is the percentile
    interval of `resamples` bootstrap samples of the images, the same samples for everything, so
    that differences are paired.

    Args:
      comparison: comparison.Comparison.
      resamples: bootstrap samples; seed: of their drawing; level: of the intervals.
    Returns:
      dict as JSON holds it; every figure is {"value", "low", "high"}, null where there is none.
        images, images_with_truth, places, depth_kind, unit, threshold, shares, resamples, seed,
        level; rmse: of N(I) against truth; nothing: F(0); tolerance: 5 % of rmse.
        methods: name -> insertion_area, deletion_area, sparsity_at_tolerance (`curves`); the last
          is null where N's output is not in metres, as its error against truth then is in another
          unit than F.
        masks: name -> sparseness, entropy (bits a pixel), fidelity_mask, fidelity_binary_mask,
          binarisation_gap (the second minus the first), rmse_mask, rmse_binary_mask, rmse_ratio
          (rmse_binary_mask / rmse).
        curves: list of {"method", "view", "share"} and for each of ROOTS a figure; shares from 0 to
          1, as F(0) and F(1) are measured, too.
        against: mask -> control -> list of figures: F of the mask minus F of the control at each of
          the shares; below 0 the mask is closer to N(I).
    """
    squares = _over_seeds(comparison.squares)
    counts = curves.bootstrap_counts(len(comparison.images), resamples, seed)
    # Row 0 is the set itself, the others its bootstrap samples.
    counts = np.concatenate([np.ones((1, counts.shape[1]), "int64"), counts])
    rms = {key: curves.set_rmse(values, counts) for key, values in squares.items()}

    def figure(values):
        low, high = curves.interval(values[1:], level)
        return {n: _null(v) for n, v in zip(_ENDS, (values[0], low, high), strict=True)}

    whole = rms["", "image"][:, 0, FIGURES.index("mse")]
    nothing = rms["", "nothing"][:, 0, 0]
    shares = comparison.shares
    methods = [method for method, view in rms if view == "insert"]
    found = {
        "images": len(comparison.images),
        "images_with_truth": int(np.isfinite(squares["", "image"][:, 0, 4]).sum()),
        "places": [int(place) for place in comparison.images],
        "depth_kind": comparison.depth_kind,
        "unit": alignment.unit(comparison.depth_kind),
        "threshold": comparison.threshold,
        "shares": list(shares),
        **{"resamples": resamples, "seed": seed, "level": level},
        "rmse": figure(whole),
        "nothing": figure(nothing),
        "tolerance": figure(TOLERANCE * whole),
        "methods": {},
        "masks": {},
        "curves": [],
        "against": {},
    }
    for method in methods:
        inserted, deleted = (rms[method, view][..., 0] for view in ("insert", "delete"))
        least = curves.sparsity_at_tolerance(shares, inserted, nothing, TOLERANCE * whole)
        if comparison.depth_kind != "metric":
            # F is in standard deviations, N's error in metres.
            least = np.full_like(least, np.nan)
        found["methods"][method] = {
            "insertion_area": figure(curves.insertion_area(shares, inserted, nothing)),
            "deletion_area": figure(curves.deletion_area(shares, deleted, nothing)),
            "sparsity_at_tolerance": figure(least),
        }
        for view in ("insert", "delete"):
            found["curves"] += _curve(method, view, shares, rms, figure)
    for mask, kept in comparison.kept.items():
        soft, binary = (rms[mask, view][:, 0] for view in ("mask", "binary_mask"))
        mean = {
            n: counts @ v / counts.sum(1) for n, v in (("k", kept), ("e", comparison.entropy[mask]))
        }
        found["masks"][mask] = {
            "sparseness": figure(mean["k"]),
            "entropy": figure(mean["e"]),
            "fidelity_mask": figure(soft[:, 0]),
            "fidelity_binary_mask": figure(binary[:, 0]),
            "binarisation_gap": figure(binary[:, 0] - soft[:, 0]),
            "rmse_mask": figure(soft[:, 4]),
            "rmse_binary_mask": figure(binary[:, 4]),
            "rmse_ratio": figure(binary[:, 4] / whole),
        }
        found["against"][mask] = {
            other: [
                figure((rms[mask, "insert"] - rms[other, "insert"])[:, k, 0])
                for k in range(len(shares))
            ]
            for other in methods
            if other not in comparison.kept
        }
    return found


def write_summary(found, folder):
    """Writes curves.csv and summary.json.

    Args:
      found: what `summarise` gives.
      folder: pathlib.Path, made if it is not there; files of these names are replaced.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(CURVE_COLUMNS)
    for row in found["curves"]:
        figures = [row[root][end] for root in ROOTS for end in _ENDS]
        texts = ["" if n is None else f"{n:.6g}" for n in (row["share"], *figures)]
        writer.writerow([row["method"], row["view"], *texts])
    write_whole(folder / "curves.csv", stream.getvalue())
    summary = {name: value for name, value in found.items() if name != "curves"}
    write_whole(folder / "summary.json", json.dumps(summary, indent=2, allow_nan=False) + "\n")


def figure_at(found, method, share, root="fidelity_rmse", view="insert"):
    """One figure of a curve: {"value", "low", "high"}."""
    for row in found["curves"]:
        if (row["method"], row["view"]) == (method, view) and math.isclose(row["share"], share):
            return row[root]
    raise KeyError((method, view, share))


_ENDS = ("value", "low", "high")


def _over_seeds(squares):
    """Squared errors by method, several seeds of one averaged."""
    groups = {}
    for (method, view), values in squares.items():
        groups.setdefault((method.partition("/")[0], view), []).append(values)
    return {key: np.mean(values, axis=0) for key, values in groups.items()}


def _curve(method, view, shares, rms, figure):
    ends = [rms["", "nothing"][:, 0], rms["", "image"][:, 0]]
    ends = ends if view == "insert" else ends[::-1]
    values = [ends[0], *np.moveaxis(rms[method, view], 1, 0), ends[1]]
    for share, at in zip((0.0, *shares, 1.0), values, strict=True):
        figures = {root: figure(at[:, i]) for i, root in enumerate(ROOTS)}
        yield {"method": method, "view": view, "share": share, **figures}


def _null(value):
    return float(value) if np.isfinite(value) else None
