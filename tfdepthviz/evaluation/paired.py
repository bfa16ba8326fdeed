"""Paired differences of an evaluation: the binarised mask against each control, with intervals."""

import numpy as np

from tfdepthviz.evaluation.evaluate import CONTROL_ROWS
from tfdepthviz.metrics import curves

# A verdict on fewer images is not to be trusted: their bootstrap intervals are too narrow.
ENOUGH_IMAGES = 20


def too_few(images):
    """The sentence that stands for a verdict on fewer images than it takes; "" if they suffice."""
    if images >= ENOUGH_IMAGES:
        return ""
    count = "1 image is" if images == 1 else f"{images} images are"
    return f"{count} too few for certainty; take at least {ENOUGH_IMAGES}."


def differences(result, *, resamples=1000, seed=0, level=0.95):
    """fidelity_rmse of M' minus that of each control, and its bootstrap interval over the images.

    Both are measured on the same images, and each bootstrap sample takes the same images of both.
    An interval below 0 says that M' would be ahead on other images of the same kind, too.

    Args:
      result: evaluation.Evaluation.
      resamples: number of bootstrap samples.
      seed: of their drawing.
      level: of the intervals, in (0, 1).
    Returns:
      dict of control -> {"value", "low", "high"}, in `alignment.unit`, in the order of the rows;
      {} where N was rated alone.
    """
    rows = [row["row"] for row in result.rows]
    if "binary_mask" not in rows:
        return {}
    squares = {row: [] for row in rows}
    for record in result.per_image:
        squares[record["row"]].append(record["fidelity_rmse"] ** 2)
    counts = curves.bootstrap_counts(result.images, resamples, seed)
    counts = np.concatenate([np.ones((1, result.images), "int64"), counts])
    errors = {row: curves.set_rmse(values, counts) for row, values in squares.items()}
    intervals = {}
    for row in filter(CONTROL_ROWS.__contains__, rows):
        value, *sampled = errors["binary_mask"] - errors[row]
        low, high = curves.interval(np.array(sampled), level)
        intervals[row] = {"value": float(value), "low": float(low), "high": float(high)}
    return intervals


def best_control(result):
    """The control whose pixels bring N closest to N(I); None where N was rated alone.

    Args:
      result: evaluation.Evaluation.
    """
    rows = {row["row"]: row["fidelity_rmse"] for row in result.rows}
    controls = [row for row in rows if row in CONTROL_ROWS]
    return min(controls, key=rows.get) if controls else None
