"""Figure 4 of the paper: masks and depth maps for several lambdas, and the curves of Table 1."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from tfdepthviz.evaluation import sweep as sweeps
from tfdepthviz.metrics import alignment
from tfdepthviz.reports import colours, grids
from tfdepthviz.reports.rendering import DPI, rendered

# column -> (label, colour, marker), in the order of the legend
LINES = {
    "mask": ("M, the mask", "#1f77b4", "o"),
    "binary_mask": ("M', binarised", "#d95f02", "s"),
    "sobel": ("as many edge pixels", "#7a7a7a", "^"),
    "random": ("as many random pixels", "#b0a030", "v"),
}
SYMBOLS = {"sparsity_weight": "λ", "target_sparseness": "target share"}


def curves(sweep):
    """Accuracy and fidelity against the share of pixels kept, with the published points.

    Three plots: RMSE against ground truth; the same divided by N's RMSE on whole images, which
    makes different N comparable; and fidelity. Without ground truth only the last.

    Args:
      sweep: sweeps.Sweep.
    Returns:
      (height, width, 3) uint8 RGB.
    """
    plots = 3 if sweep.has_truth else 1
    figure = Figure(
        figsize=(12.7, 4.4) if sweep.has_truth else (5.6, 5.2),
        dpi=DPI,
        layout="constrained",
    )
    axes = figure.subplots(1, plots, squeeze=False)[0]
    if sweep.has_truth:
        for ax, relative in zip(axes, (False, True), strict=False):
            _plot(ax, sweep, "rmse", relative)
            _plot_published(ax, relative)
            _annotate(ax, sweep, "rmse_binary_mask", relative)
        axes[0].set_title("RMSE against ground truth, m", fontsize=10)
        axes[1].set_title("the same / RMSE on whole images", fontsize=10)
    _plot(axes[-1], sweep, "fidelity_rmse", relative=False)
    _annotate(axes[-1], sweep, "fidelity_rmse_binary_mask", relative=False)
    unit = alignment.unit(sweep.depth_kind)
    axes[-1].set_title(f"fidelity: RMSE against N(I), {unit}", fontsize=10)
    for ax in axes:
        ax.set_xlabel("pixels kept (sparseness of M')", fontsize=9)
        ax.set_xlim(-0.02, 1.04)
        ax.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        ax.tick_params(labelsize=8)
        ax.grid(alpha=0.25)
        ax.spines[["top", "right"]].set_visible(False)
    figure.legend(
        *axes[0].get_legend_handles_labels(),
        loc="outside lower center",
        ncols=3 if sweep.has_truth else 2,
        frameon=False,
        fontsize=9,
    )
    return rendered(figure)


def frame(sweep, image, masks, depth, masked_depths):
    """One frame of Figure 4: masks above, depth below, one column for each value of the parameter.

    Args:
      sweep: sweeps.Sweep, which names the columns.
      image: (H, W, 3) uint8, or float RGB in [0, 1], not normalised.
      masks: one (H, W, 1) float in [0, 1] for each value.
      depth: (h, w, 1) float, N(I), from `alignment.drawable`.
      masked_depths: the same, N(I*M) for each value.
    Returns:
      (height, width, 3) uint8 RGB. All depth maps share one scale.
    """
    scale = colours.depth_range(depth, *masked_depths)
    unit = alignment.unit(sweep.depth_kind)
    titles = ["image, N(I)"]
    for row, mask in zip(sweep.rows[1:], masks, strict=True):
        value = f"{SYMBOLS[sweep.parameter]} = {sweeps.value_text(row[sweep.parameter])}"
        titles.append(f"{value}\nM' keeps {np.mean(mask > sweep.threshold):.1%} here")
    rows = [
        [colours.rgb(image), *(colours.grey(mask) for mask in masks)],
        [colours.colourise_depth(d, *scale) for d in (depth, *masked_depths)],
    ]
    labels = ["mask M", f"N(I*M), bright {scale[0]:.1f}\nto dark {scale[1]:.1f} {unit}"]
    return grids.grid(rows, titles, labels)


def _plot(ax, sweep, figure, relative):
    rows = sorted(sweep.rows, key=lambda row: row["sparseness"])
    for name, (label, colour, marker) in LINES.items():
        points = [(row["sparseness"], row[f"{figure}_{name}"]) for row in rows]
        points = np.array([point for point in points if np.isfinite(point[1])])
        if name == "binary_mask":
            label += f" (numbers: {SYMBOLS[sweep.parameter]})"
        control = name in ("sobel", "random")
        style = {"lw": 1.0, "ls": ":", "ms": 4} if control else {"lw": 1.8, "ms": 5}
        divisor = sweep.rows[0]["rmse_mask"] if relative else 1.0
        ax.plot(
            points[:, 0], points[:, 1] / divisor, color=colour, marker=marker, label=label, **style
        )


def _plot_published(ax, relative):
    points = np.array([values for value, values in sweeps.PUBLISHED.items() if value is not None])
    whole = sweeps.PUBLISHED[None]
    for column, name in enumerate(("mask", "binary_mask")):
        label, colour, marker = LINES[name]
        divisor = whole[column] if relative else 1.0
        ax.plot(
            [*points[::-1, 2], whole[2]],
            np.array([*points[::-1, column], whole[column]]) / divisor,
            color=colour,
            marker=marker,
            mfc="white",
            ls="--",
            lw=1.0,
            ms=5,
            alpha=0.7,
            label=f"paper: {label.split(',')[0]} (hu_resnet50, λ = 6 to 1)",
        )


def _annotate(ax, sweep, column, relative):
    divisor = sweep.rows[0]["rmse_mask"] if relative else 1.0
    for row in sweep.rows[1:]:
        ax.annotate(
            sweeps.value_text(row[sweep.parameter]),
            (row["sparseness"], row[column] / divisor),
            xytext=(4, 5),
            textcoords="offset points",
            fontsize=8,
            color=LINES["binary_mask"][1],
        )
