"""Training curves: the logged values of a run over its epochs, from history.csv."""

import csv
import itertools
import math
import pathlib

from matplotlib.figure import Figure

from tfdepthviz.reports.rendering import DPI, rendered
from tfdepthviz.utils.errors import InputError

CURVE_COLOURS = {"training": "#1f77b4", "validation": "#d95f02"}
CURVE_TITLES = {
    "loss": "loss (minimised)",
    "loss/depth": "depth term",
    "loss/gradient": "gradient term",
    "loss/normal": "normal term",
    "loss/l1": "L1 term, m",
    "mask/mean": "mean grey level of the mask",
    "mask/sparseness": "share of pixels kept",
    "fidelity/rmse": "RMSE against N(I), m",
    **{f"fidelity/share_{p:02d}": f"RMSE against N(I) at {p} %, m" for p in (5, 10, 20, 36, 60)},
    "rmse": "RMSE against ground truth, m",
    "rel": "relative error",
}


def training_curves(history_csv):
    """Draws one small plot for each logged value, with training and validation.

    Args:
      history_csv: path of a file of keras.callbacks.CSVLogger: `epoch`, values, `val_` values. If
        a continued run has an epoch twice, the later line counts.
    Returns:
      (height, width, 3) uint8 RGB.
    Raises:
      InputError: no such file, or the file has no epoch.
    """
    epochs, history = _read_history(history_csv)
    # Errors where there is no ground truth are NaN throughout.
    known = {n: values for n, values in history.items() if not all(map(math.isnan, values))}
    history = known or history
    names = list(dict.fromkeys(name.removeprefix("val_") for name in history))
    columns = min(4, len(names))
    rows = math.ceil(len(names) / columns)
    figure, axes = _plots(rows, columns)
    style = {"marker": "o" if len(epochs) <= 20 else None, "ms": 3, "lw": 1.5}
    lines = {}
    for name, ax in itertools.zip_longest(names, axes):
        if name is None:
            ax.set_axis_off()
            continue
        for label, key in (("training", name), ("validation", f"val_{name}")):
            if key in history:
                colour = CURVE_COLOURS[label]
                (lines[label],) = ax.plot(epochs, history[key], color=colour, **style)
        ax.set_title(CURVE_TITLES.get(name, name), fontsize=10)
        ax.set_xlabel("epoch", fontsize=8)
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.tick_params(labelsize=8)
        ax.grid(alpha=0.25)
        ax.spines[["top", "right"]].set_visible(False)
    figure.legend(lines.values(), lines.keys(), loc="lower center", ncols=2, frameon=False)
    return rendered(figure)


def _plots(rows, columns):
    """A figure, and its axes from left to right and from top to bottom.

    The margins, in inches, are fixed: to fit them to the labels takes longer than to draw.
    """
    left, right, top, bottom, across, down = 0.55, 0.15, 0.35, 0.85, 0.55, 0.75
    width, height = 3.4 * columns, 2.5 * rows + 0.35
    figure = Figure(figsize=(width, height), dpi=DPI)
    axes = figure.subplots(
        rows,
        columns,
        squeeze=False,
        gridspec_kw={
            "left": left / width,
            "right": 1 - right / width,
            "bottom": bottom / height,
            "top": 1 - top / height,
            "wspace": across * columns / (width - left - right - across * (columns - 1)),
            "hspace": down * rows / (height - top - bottom - down * (rows - 1)),
        },
    )
    return figure, axes.ravel()


def _read_history(path):
    path = pathlib.Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such training history")
    with path.open(newline="", encoding="utf-8") as file:
        rows = {}
        for row in csv.DictReader(file):
            rows[_number(row.get("epoch"))] = row
    epochs = sorted(epoch for epoch in rows if not math.isnan(epoch))
    if not epochs:
        raise InputError(f"{path}: no epoch in it; a history has the columns epoch, loss, ...")
    names = [name for name in rows[epochs[0]] if name not in ("epoch", None)]
    return epochs, {n: [_number(rows[epoch].get(n)) for epoch in epochs] for n in names}


def _number(text):
    try:
        return float(text)
    except (TypeError, ValueError):
        return math.nan
