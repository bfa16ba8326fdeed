"""Pictures of the findings: lines with intervals, and frames."""

import numpy as np
from findings_works import pixels
from matplotlib.figure import Figure

from tfdepthviz.data.transforms import denormalise
from tfdepthviz.reports import colours, grids
from tfdepthviz.reports.rendering import DPI, rendered

STYLES = {
    "G": {"color": "#000000", "lw": 2.4},
    "G before training": {"color": "#0077bb", "ls": "--", "marker": "o"},
    "Sobel edges": {"color": "#ee7733", "ls": "-.", "marker": "s"},
    "edges blurred 5x5": {"color": "#009988", "ls": ":", "marker": "^"},
}
# Kept by both, by G alone, by edges alone, by neither.
PARTS = {"both": (60, 60, 60), "G": (0, 119, 187), "edges": (238, 119, 51), "": (235, 235, 235)}
BORDER = (170, 130, 90)


def lines(figures, names, ticks, x_label, y_label):
    """Figures named "NAME/PLACE" as a line for each name, with bands."""
    page = Figure(figsize=(7.6, 3.8), dpi=DPI, layout="constrained")
    ax = page.subplots()
    for key, label in names.items():
        numbers = [f for name, f in figures.items() if name.rpartition("/")[0] == key]
        value, low, high = np.array([[n["value"], n["low"], n["high"]] for n in numbers]).T
        style = STYLES[label]
        ax.plot(value, label=label, ms=4, **style)
        ax.fill_between(range(len(value)), low, high, color=style["color"], alpha=0.15, lw=0)
    ax.set_xticks(range(len(ticks)), ticks)
    ax.set_xlabel(x_label)
    ax.set_ylabel(y_label)
    ax.grid(alpha=0.25)
    ax.spines[["top", "right"]].set_visible(False)
    page.legend(loc="outside right upper", frameon=False, fontsize=9)
    return rendered(page)


def frames(subject, scores, places, point=None):
    """Frames with the pixels that G and as many edges keep, and the segments by size."""
    rgb = np.clip(denormalise(subject.images[places]).numpy(), 0, 1)
    mask, edges = (subject.top(scores[n])[places, ..., 0] > 0 for n in ("G", "Sobel edges"))
    rows = []
    for image, g, e in zip(rgb, mask, edges, strict=True):
        parts = [(g & e, "both"), (g & ~e, "G"), (~g & e, "edges"), (~g & ~e, "")]
        drawn = sum(where[..., None] * np.array(PARTS[name]) for where, name in parts)
        bins = pixels.sizes(pixels.segments(image))
        segments = colours.grey(1 - (bins + 1) / len(pixels.SIZES))
        segments[bins < 0] = BORDER
        row = [colours.rgb(image), drawn.astype("uint8"), segments]
        rows.append([_crossed(picture, point) for picture in row])
    titles = [
        "image",
        "kept by both (black), G (blue), edges (orange)",
        "segments: small = light, borders brown",
    ]
    return grids.grid(rows, titles, width=320)


def mean_masks(subject, scores, point):
    """Share of the frames in which each pixel is kept, with a cross at the vanishing point."""
    means = [subject.top(scores[name]).mean(axis=0)[..., 0] for name in scores]
    return grids.grid([[_crossed(colours.grey(m), point) for m in means]], list(scores), width=320)


def _crossed(picture, point):
    if point is None:
        return picture
    picture = picture.copy()
    row, column = (int(part * n) for part, n in zip(point, picture.shape[:2], strict=True))
    picture[row, max(column - 5, 0) : column + 6] = (255, 0, 0)
    picture[max(row - 5, 0) : row + 6, column] = (255, 0, 0)
    return picture
