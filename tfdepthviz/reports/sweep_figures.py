"""Figures 4 and 5 of the paper: the curves of Table 1, and frames at each lambda or share."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from tfdepthviz.evaluation import sweep as sweeps
from tfdepthviz.metrics import alignment
from tfdepthviz.reports import colours, comparison_figures, grids
from tfdepthviz.reports.rendering import DPI, rendered

# method -> (label, colour, marker), in the order of the legend
LINES = {
    "mask": ("M, the mask", "#1f77b4", "o"),
    "binary_mask": ("M', binarised", "#d95f02", "s"),
    "sobel": ("as many edge pixels", "#7a7a7a", "^"),
    "random": ("as many random pixels", "#b0a030", "v"),
}
# Further controls take these in turn.
OTHERS = ("#332288", "#117733", "#882255", "#44aa99", "#aa4499", "#88ccee", "#999933")
MARKERS = "DPX*<>d"
SYMBOLS = {"sparsity_weight": "λ", "share": "share"}
RANKED = "M', the top share of the ranking"


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
        figsize=(12.7, 4.8) if sweep.has_truth else (5.6, 5.2),
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
    kept = "sparseness of M'" if sweep.parameter == "sparsity_weight" else "share"
    for ax in axes:
        _share_axis(ax, f"pixels kept ({kept})")
    figure.legend(
        *axes[0].get_legend_handles_labels(),
        loc="outside lower center",
        ncols=3 if sweep.has_truth else 2,
        frameon=False,
        fontsize=9,
    )
    return rendered(figure)


def against_edges(summary, ranking):
    """Figure 5 of the paper: the top share of a ranking against as many edge pixels.

    Args:
      summary: result of `evaluation.summary.summarise`, with the control "sobel".
      ranking: name of the ranking in it.
    Returns:
      (height, width, 3) uint8 RGB: RMSE against ground truth, where there is some, and fidelity;
      bands are the intervals of the summary.
    """
    roots = {"fidelity_rmse": f"fidelity: RMSE against N(I), {summary['unit']}"}
    if summary["images_with_truth"]:
        roots = {"rmse": "RMSE against ground truth, m", **roots}
    figure = Figure(figsize=(5.6 * len(roots), 4.6), dpi=DPI, layout="constrained")
    axes = figure.subplots(1, len(roots), squeeze=False)[0]
    labels = {ranking: RANKED, "sobel": LINES["sobel"][0]}
    for ax, (root, title) in zip(axes, roots.items(), strict=True):
        for method, name in ((ranking, "binary_mask"), ("sobel", "sobel")):
            _, colour, marker = LINES[name]
            points = [
                point
                for point in summary["curves"]
                if (point["method"], point["view"]) == (method, "insert") and point["share"] > 0
            ]
            share = [point["share"] for point in points]
            value, low, high = (
                np.array([point[root][part] for point in points], "float64")
                for part in ("value", "low", "high")
            )
            ax.plot(share, value, color=colour, marker=marker, ms=5, label=labels[method])
            ax.fill_between(share, low, high, color=colour, alpha=0.15, lw=0)
        ax.set_title(title, fontsize=10)
        ax.set_ylim(bottom=0)
        _share_axis(ax, "pixels kept")
    figure.legend(
        *axes[0].get_legend_handles_labels(),
        loc="outside lower center",
        ncols=2,
        frameon=False,
        fontsize=9,
    )
    return rendered(figure)


def frame(sweep, image, masks, depth, masked_depths):
    """One frame of Figure 4: masks above, depth below, one column for each lambda.

    Args:
      sweep: sweeps.Sweep over lambda, which names the columns.
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
        value = f"{SYMBOLS[sweep.parameter]} = {sweeps.value_text(sweep, row)}"
        titles.append(f"{value}\nM' keeps {np.mean(mask > sweep.threshold):.1%} here")
    rows = [
        [colours.rgb(image), *(colours.grey(mask) for mask in masks)],
        [colours.colourise_depth(d, *scale) for d in (depth, *masked_depths)],
    ]
    labels = ["mask M", f"N(I*M), bright {scale[0]:.1f}\nto dark {scale[1]:.1f} {unit}"]
    return grids.grid(rows, titles, labels)


def frame_at_shares(image, depth, kept, unit="m"):
    """One frame at several shares: the pixels of each method, and N's depth from them alone.

    Args:
      image: (H, W, 3) uint8, or float RGB in [0, 1], not normalised.
      depth: (h, w, 1) float, N(I), from `alignment.drawable`.
      kept: dict of method -> dict of share -> (mask (H, W, 1) of 0 and 1, depth (h, w, 1) from
        these pixels, distance from N(I) as a float); the same shares for each method.
      unit: unit of the depths, see `alignment.unit`.
    Returns:
      (height, width, 3) uint8 RGB: two rows for each method, one column for each share. Removed
      pixels are grey; all depth maps have the scale of N(I).
    """
    scale = colours.depth_range(depth)
    picture, removed = colours.rgb(image), np.array(colours.MISSING_COLOUR, "uint8")
    whole = colours.colourise_depth(depth, *scale)
    rows, labels, feet = [], [], []
    for number, (method, by_share) in enumerate(kept.items()):
        first = [picture, whole] if not number else [None, None]
        masks = [np.where(mask > 0, picture, removed) for mask, _, _ in by_share.values()]
        depths = [colours.colourise_depth(d, *scale) for _, d, _ in by_share.values()]
        rows += [[first[0], *masks], [first[1], *depths]]
        labels += [sweeps.method_text(method), f"depth from\n{sweeps.method_text(method)}"]
        distances = [f"{distance:.2f} {unit} from N(I)" for _, _, distance in by_share.values()]
        feet += [[""] * len(rows[-2]), ["", *distances]]
    shares = next(iter(kept.values()))
    titles = ["image and N(I)", *(f"{100 * share:g} % of the pixels" for share in shares)]
    return grids.grid(rows, titles, labels, feet=feet)


def _share_axis(ax, label):
    ax.set_xlabel(label, fontsize=9)
    ax.set_xlim(-0.02, 1.04)
    ax.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    ax.tick_params(labelsize=8)
    ax.grid(alpha=0.25)
    ax.spines[["top", "right"]].set_visible(False)


def _line(sweep, method):
    """Label, colour and marker of a method."""
    if method == "binary_mask" and sweep.parameter == "share":
        return (RANKED, *LINES[method][1:])
    if method in LINES:
        return LINES[method]
    place = [m for m in sweep.controls if m not in LINES].index(method)
    return comparison_figures.name(method), OTHERS[place % len(OTHERS)], MARKERS[place % 7]


def _plot(ax, sweep, figure, relative):
    rows = sorted(sweep.rows, key=lambda row: row["sparseness"])
    for name in sweep.methods:
        label, colour, marker = _line(sweep, name)
        points = [(row["sparseness"], row[f"{figure}_{name}"]) for row in rows]
        points = np.array([point for point in points if np.isfinite(point[1])])
        if name == "binary_mask" and sweep.parameter == "sparsity_weight":
            label += f" (numbers: {SYMBOLS[sweep.parameter]})"
        control = name in sweep.controls
        style = {"lw": 1.0, "ls": ":", "ms": 4} if control else {"lw": 1.8, "ms": 5}
        divisor = sweep.rows[0]["rmse_binary_mask"] if relative else 1.0
        if len(points):
            y = points[:, 1] / divisor
            ax.plot(points[:, 0], y, color=colour, marker=marker, label=label, **style)


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
    if sweep.parameter == "share":
        return  # the axis says it
    divisor = sweep.rows[0]["rmse_binary_mask"] if relative else 1.0
    for row in sweep.rows[1:]:
        ax.annotate(
            sweeps.value_text(sweep, row),
            (row["sparseness"], row[column] / divisor),
            xytext=(4, 5),
            textcoords="offset points",
            fontsize=8,
            color=LINES["binary_mask"][1],
        )
