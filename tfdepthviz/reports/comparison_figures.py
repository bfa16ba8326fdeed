"""Figures of a comparison: curves with confidence bands, depth thirds, areas, kept pixels."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from tfdepthviz.evaluation.bands import BANDS
from tfdepthviz.reports import colours, grids
from tfdepthviz.reports.rendering import DPI, rendered

# Masks have thick lines, controls thin ones with dashes and markers, so colour alone decides
# nothing. Both palettes are Paul Tol's for colour-blind readers, vibrant and muted. If there are
# more masks than colours, the further ones are dashed.
MASK_COLOURS = ("#000000", "#0077bb", "#ee7733", "#009988", "#cc3311", "#ee3377")
DASHES = ("-", "--", "-.", ":", (0, (6, 2, 1, 2, 1, 2)), (0, (1, 3)), (0, (9, 3)))
CONTROL_COLOURS = (
    *("#999933", "#117733", "#44aa99", "#88ccee", "#cc6677", "#882255", "#332288", "#aa4499"),
    *("#ddcc77", "#661100"),
)
NAMES = {
    "random": "random pixels",
    "random_blocks": "random blocks",
    "sobel": "Sobel edges",
    "blurred_edges": "edges blurred 5x5",
    "blurred_edges_9": "edges blurred 9x9",
    "centre": "centre first",
    "untrained": "G before training",
    "swapped": "another image's mask",
    "mean_map": "mean map, no pixels",
    "gradient": "|gradient|",
    "smoothgrad": "SmoothGrad",
    "integrated_gradients": "integrated gradients",
    "optimised": "equation (3)",
}
MARKERS = "os*^DvPX"


def name(method):
    """The title of a method in figures and tables."""
    if method.startswith("untrained_"):
        return f"{NAMES['untrained']} of {method.removeprefix('untrained_')}"
    return NAMES.get(method, method)


def pictures(summary):
    """All figures of a comparison.

    Args:
      summary: result of `evaluation.summary.summarise`.
    Returns:
      dict of name -> (height, width, 3) uint8 RGB: fidelity, bands and areas; deletion if it was
      measured; with ground truth also accuracy and accuracy_bands.
    """
    drawn = {"fidelity": curve(summary), "bands": bands(summary), "areas": areas(summary)}
    if "delete" in summary["views"]:
        drawn["deletion"] = curve(summary, view="delete")
    if summary["images_with_truth"]:
        drawn["accuracy"] = curve(summary, "rmse")
        drawn["accuracy_bands"] = bands(summary, "rmse")
    return drawn


def curve(summary, figure="fidelity_rmse", view="insert"):
    """One figure against the share of pixels, for every mask and control, with confidence bands.

    In the view "insert" each mask has two more markers at the share of pixels above the threshold:
    its binarised form (filled) and its soft form (hollow). The mean map is a level line.

    Args:
      summary: result of `evaluation.summary.summarise`.
      figure: one of `evaluation.summary.ROOTS`.
      view: "insert" or "delete".
    Returns:
      (height, width, 3) uint8 RGB.
    """
    page = Figure(figsize=(9.6, 5.4), dpi=DPI, layout="constrained")
    ax = page.subplots()
    _curves(ax, summary, figure, view, bands=True)
    if view == "insert":
        _own_points(ax, summary, figure)
    ax.set_ylim(bottom=0)
    truth = figure.startswith("rmse")
    if truth and summary["rmse"]["value"] is not None:
        ax.axhline(summary["rmse"]["value"], color="#000000", lw=0.8, ls=(0, (2, 2)))
        ax.annotate(
            "whole image",
            (1, summary["rmse"]["value"]),
            xytext=(0, -4),
            textcoords="offset points",
            ha="right",
            va="top",
            fontsize=9,
        )
    against = "ground truth, m" if truth else f"N(I), {summary['unit']}"
    ax.set_ylabel(f"RMSE against {against}")
    ax.set_xlabel("share of the pixels " + ("shown" if view == "insert" else "removed"))
    page.legend(loc="outside right upper", frameon=False, fontsize=9)
    return rendered(page)


def bands(summary, figure="fidelity_rmse"):
    """The curves of `curve` for the near, middle and far third of the pixels, on one scale."""
    page = Figure(figsize=(11, 4.4), dpi=DPI, layout="constrained")
    axes = page.subplots(1, len(BANDS), sharey=True)
    for ax, band in zip(axes, BANDS, strict=True):
        _curves(ax, summary, f"{figure}_{band}", "insert", bands=False)
        ax.set_title(f"{band} third of the pixels", fontsize=11)
        ax.set_xlabel("share of the pixels shown")
    axes[0].set_ylim(bottom=0)
    against = "ground truth, m" if figure.startswith("rmse") else f"N(I), {summary['unit']}"
    axes[0].set_ylabel(f"RMSE against {against}")
    page.legend(
        *axes[0].get_legend_handles_labels(),
        loc="outside lower center",
        ncols=4,
        frameon=False,
        fontsize=9,
    )
    return rendered(page)


def areas(summary):
    """Insertion and deletion areas as bars with confidence intervals, best first."""
    titles = {
        "insertion_area": "insertion area: small is good",
        "deletion_area": "deletion area: large is good",
    }
    bars = {key: _bars(summary, key) for key in titles}
    bars = {key: of_key for key, of_key in bars.items() if of_key}
    height = 1.2 + 0.34 * max(map(len, bars.values()))
    page = Figure(figsize=(5.25 * len(bars), height), dpi=DPI, layout="constrained")
    axes = page.subplots(1, len(bars), squeeze=False)[0]
    for ax, (key, of_key) in zip(axes, bars.items(), strict=True):
        value, low, high = np.array([ends for _, ends in of_key], "float64").T
        bar_colours = [
            _style(summary, m)["color"] if m in summary["masks"] else "#bbbbbb" for m, _ in of_key
        ]
        # A percentile interval need not contain the value of the set itself.
        reach = np.maximum([value - low, high - value], 0)
        ax.barh(range(len(of_key)), value, xerr=reach, color=bar_colours, height=0.7, capsize=3)
        for place, (at, end) in enumerate(zip(value, high, strict=True)):
            ax.text(max(at, end) + 0.01 * high.max(), place, f"{at:.3f}", va="center", fontsize=9)
        ax.set_yticks(range(len(of_key)), [name(m) for m, _ in of_key], fontsize=9)
        ax.set_xlim(0, 1.15 * high.max())
        ax.set_title(titles[key], fontsize=11)
        ax.spines[["top", "right"]].set_visible(False)
    return rendered(page)


def kept_pixels(rgb, kept, depths, share, unit="m"):
    """One frame: the pixels that each method keeps at one share, and N's depth from them.

    Args:
      rgb: (H, W, 3) float RGB in [0, 1].
      kept: dict of method -> (H, W, 1) float, 0 or 1.
      depths: dict of "" and every method -> (h, w, 1) float: N(I), and N from the kept pixels;
        all in `unit`, see `alignment.drawable`.
      share: share of the pixels that are kept.
      unit: unit of the depths.
    Returns:
      (height, width, 3) uint8 RGB: a column for the image and for each method; removed pixels are
      grey in the upper row, depths share one scale in the lower.
    """
    full = np.round(255 * np.clip(rgb, 0, 1)).astype("uint8")
    removed = np.array(colours.MISSING_COLOUR, "uint8")
    scale = colours.depth_range(depths[""])
    shown = [full, *(np.where(mask > 0, full, removed) for mask in kept.values())]
    drawn = [colours.colourise_depth(depths[method], *scale) for method in ("", *kept)]
    titles = ["the image, and N(I)", *(name(method) for method in kept)]
    labels = [
        f"top {share:.0%} of the pixels",
        f"depth, {scale[0]:.1f} to {scale[1]:.1f} {unit}",
    ]
    # More columns would be too narrow on a page.
    columns = 4
    gap = [None] * (-len(shown) % columns)
    shown, drawn, titles = shown + gap, drawn + gap, titles + [""] * len(gap)
    return np.concatenate(
        [
            grids.grid(
                [shown[start : start + columns], drawn[start : start + columns]],
                titles[start : start + columns],
                labels,
                width=250,
            )
            for start in range(0, len(shown), columns)
        ]
    )


def _bars(summary, key):
    """(method, (value, low, high)) of each method that has this area, the best last."""
    areas_of = {m: tuple(row[key].values()) for m, row in summary["methods"].items()}
    known = [(m, ends) for m, ends in areas_of.items() if ends[0] is not None]
    # barh draws the first bar lowest.
    return sorted(known, key=lambda bar: bar[1][0], reverse=key == "insertion_area")


def _curves(ax, summary, figure, view, bands):
    for method in summary["methods"]:
        rows = [r for r in summary["curves"] if (r["method"], r["view"]) == (method, view)]
        share = [row["share"] for row in rows]
        ends = [[row[figure][end] for row in rows] for end in ("value", "low", "high")]
        value, low, high = np.array(ends, "float64")
        style = _style(summary, method)
        if method in summary["predictions"]:
            style["marker"] = None
        ax.plot(share, value, label=name(method), **style)
        if bands:
            alpha = 0.2 if method in summary["masks"] else 0.1
            ax.fill_between(share, low, high, color=style["color"], alpha=alpha, lw=0)
    ax.set_xlim(0, 1)
    ax.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    ax.grid(alpha=0.25)
    ax.spines[["top", "right"]].set_visible(False)


def _own_points(ax, summary, figure):
    for mask, row in summary["masks"].items():
        style = {"color": _style(summary, mask)["color"], "marker": "D", "ls": "none", "ms": 7}
        short = "fidelity" if figure.startswith("fidelity") else "rmse"
        if row[f"{short}_mask"]["value"] is None:
            continue
        x = row["sparseness"]["value"]
        label = f"{mask}: {{}}, at its own share"
        ax.plot(x, row[f"{short}_binary_mask"]["value"], label=label.format("M'"), **style)
        ax.plot(x, row[f"{short}_mask"]["value"], mfc="white", label=label.format("M"), **style)


def _style(summary, method):
    masks = list(summary["masks"])
    if method in masks:
        place = masks.index(method)
        rounds, colour = divmod(place, len(MASK_COLOURS))
        return {"color": MASK_COLOURS[colour], "ls": DASHES[rounds % len(DASHES)], "lw": 2.4}
    controls = [m for m in summary["methods"] if m not in masks]
    place = controls.index(method)
    return {
        "color": CONTROL_COLOURS[place % len(CONTROL_COLOURS)],
        "ls": DASHES[place % len(DASHES)],
        "marker": MARKERS[place % len(MARKERS)],
        "ms": 4,
        "lw": 1.3,
    }
