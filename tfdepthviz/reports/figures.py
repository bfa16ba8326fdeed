"""Arrays to pictures: depth maps, differences, the strip of one frame, training curves."""

import csv
import io
import itertools
import math
import pathlib

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from tfdepthviz.utils.errors import InputError
from tfdepthviz.utils.files import write_whole

DEPTH_COLOURS = "viridis_r"
DIFFERENCE_COLOURS = "RdBu"
# A grey that neither colour scale holds.
MISSING_COLOUR = (150, 150, 150)

PANEL_PIXELS = 320 * 240
DPI = 100
TITLE, FOOT, GAP, EDGE = 26, 46, 14, 12

CURVE_COLOURS = {"training": "#1f77b4", "validation": "#d95f02"}
CURVE_TITLES = {
    "loss": "loss (what is minimised)",
    "loss/depth": "depth term",
    "loss/gradient": "gradient term",
    "loss/normal": "normal term",
    "loss/l1": "L1 term, m",
    "mask/mean": "mean grey level of the mask",
    "mask/sparseness": "share of pixels kept",
    "fidelity/rmse": "RMSE against N(I), m",
    "rmse": "RMSE against ground truth, m",
    "rel": "relative error",
}


def colourise_depth(depth, vmin=None, vmax=None):
    """Depth in colours, near bright and far dark; missing depth is grey.

    Args:
      depth: (H, W) or (H, W, 1) float, metres; 0, NaN or infinite = missing.
      vmin, vmax: metres at the ends of the colour scale; depths beyond take the end's colour. By
        default the 1st and 99th percentile of the depths that are there.
    Returns:
      (H, W, 3) uint8 RGB.
    Raises:
      InputError: not one depth map.
    """
    depth = _one_map(depth, "depth")
    there = np.isfinite(depth) & (depth != 0)
    low, high = depth_range(depth)
    vmin, vmax = low if vmin is None else vmin, high if vmax is None else vmax
    position = (np.where(there, depth, vmin) - vmin) / max(vmax - vmin, 1e-6)
    return _colours(position, there, DEPTH_COLOURS)


def colourise_difference(difference, limit=None):
    """A difference of depth maps: red nearer, white equal, blue farther; missing is grey.

    Args:
      difference: (H, W) or (H, W, 1) float, metres; NaN or infinite = missing.
      limit: metres at both ends of the scale, by default the 99th percentile of |difference|.
    Returns:
      (H, W, 3) uint8 RGB.
    Raises:
      InputError: not one map.
    """
    difference = _one_map(difference, "difference")
    there = np.isfinite(difference)
    limit = difference_limit(difference) if limit is None else limit
    position = np.where(there, difference, 0.0) / (2 * max(limit, 1e-6)) + 0.5
    return _colours(position, there, DIFFERENCE_COLOURS)


def grey(values):
    """Grey levels in [0, 1], (H, W) or (H, W, 1) float, as (H, W, 3) uint8: 1 is white."""
    values = _one_map(values, "grey levels")
    levels = np.round(np.clip(np.nan_to_num(values), 0, 1) * 255).astype("uint8")
    return np.repeat(levels[..., None], 3, axis=-1)


def depth_range(*depths):
    """(vmin, vmax) in metres, the 1st and 99th percentile over all depths that are not missing."""
    values = np.concatenate([np.ravel(depth) for depth in depths]).astype("float64")
    values = values[np.isfinite(values) & (values != 0)]
    if not values.size:
        return 0.0, 1.0
    low, high = np.percentile(values, [1, 99])
    # A constant map still needs a scale to stand in.
    return (low, high) if high - low > 1e-3 else (low - 0.5, high + 0.5)


def difference_limit(difference):
    """The 99th percentile of |difference|, metres, at least a centimetre."""
    values = np.abs(difference[np.isfinite(difference)])
    return max(float(np.percentile(values, 99)), 0.01) if values.size else 0.01


def strip(image, mask, depth, depth_masked, threshold=0.025, columns=6, unit="m"):
    """One frame's answer in six labelled panels: what is kept, and what N makes of it.

    Image, mask M, binarised mask M', N(I), N(I*M), and N(I*M) - N(I). Both depth maps share one
    scale.

    Args:
      image: (H, W, 3) uint8, or float RGB in [0, 1], not normalised.
      mask: (H, W) or (H, W, 1) float in [0, 1].
      depth: (h, w) or (h, w, 1) float, N(I), in `unit`; 0, NaN or infinite = missing.
      depth_masked: the same, N(I*M).
      threshold: the grey level up to which M' removes a pixel.
      columns: 6 for one row; 3 or 2 for a narrow page.
      unit: of the depth maps, see `depth_kinds.drawable`.
    Returns:
      (height, width, 3) uint8 RGB.
    Raises:
      InputError: a picture has another shape.
    """
    image = rgb(image)
    mask = _one_map(mask, "mask")
    depth, depth_masked = _one_map(depth, "depth"), _one_map(depth_masked, "depth_masked")
    if depth.shape != depth_masked.shape:
        raise InputError(
            f"depth and depth_masked must have one size. "
            f"Received: {depth.shape} and {depth_masked.shape}"
        )
    binary = mask > threshold
    missing = (depth == 0) | (depth_masked == 0)
    difference = np.where(missing, np.nan, depth_masked - depth)
    scale = depth_range(depth, depth_masked)
    limit = difference_limit(difference)
    depth_scale = (DEPTH_COLOURS, *scale, f"depth, {unit}")
    panels = [
        ("image I", image, None),
        ("mask M", grey(mask), ("gray", 0, 1, "grey level: 0 removed, 1 kept")),
        (f"M' = M > {threshold:g}", grey(binary), f"{binary.mean():.1%} of the pixels kept"),
        ("depth from the image, N(I)", colourise_depth(depth, *scale), depth_scale),
        ("depth from I * M, N(I * M)", colourise_depth(depth_masked, *scale), depth_scale),
        (
            "difference, N(I * M) - N(I)",
            colourise_difference(difference, limit),
            (DIFFERENCE_COLOURS, -limit, limit, f"red nearer, blue farther, {unit}"),
        ),
    ]
    return _panels(panels, image.shape[:2], columns)


def training_curves(history_csv):
    """One small plot for each logged value, training beside validation.

    Args:
      history_csv: path of the file of keras.callbacks.CSVLogger: `epoch`, values, `val_` values.
        Where a run was continued and an epoch stands twice, the later line counts.
    Returns:
      (height, width, 3) uint8 RGB.
    Raises:
      InputError: no such file, or no epoch in it.
    """
    epochs, history = _read_history(history_csv)
    names = list(dict.fromkeys(name.removeprefix("val_") for name in history))
    columns = min(4, len(names))
    rows = math.ceil(len(names) / columns)
    figure = Figure(figsize=(3.4 * columns, 2.5 * rows + 0.35), dpi=DPI, layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
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
    figure.legend(lines.values(), lines.keys(), loc="outside lower center", ncols=2, frameon=False)
    return drawn(figure)


def png(picture):
    """(H, W, 3) uint8 RGB -> the bytes of a PNG file."""
    stream = io.BytesIO()
    Image.fromarray(rgb(picture)).save(stream, format="PNG", optimize=True)
    return stream.getvalue()


def save_png(path, picture):
    """Writes (H, W, 3) uint8 RGB as a PNG file, beside and renamed."""
    write_whole(path, png(picture))


def _panels(panels, size, columns):
    """Titles, pictures and colour scales in a grid, placed to the pixel."""
    width = round(math.sqrt(PANEL_PIXELS * size[1] / size[0]))
    height = round(width * size[0] / size[1])
    rows = math.ceil(len(panels) / columns)
    total_width = 2 * EDGE + columns * width + (columns - 1) * GAP
    cell = TITLE + height + FOOT
    total_height = rows * cell + (rows - 1) * GAP
    figure = Figure(figsize=(total_width / DPI, total_height / DPI), dpi=DPI, facecolor="white")

    def place(x, y, w, h):
        return figure.add_axes(
            (x / total_width, 1 - (y + h) / total_height, w / total_width, h / total_height)
        )

    for number, (title, picture, foot) in enumerate(panels):
        x = EDGE + (number % columns) * (width + GAP)
        y = (number // columns) * (cell + GAP) + TITLE
        ax = place(x, y, width, height)
        # Image and depth map show one field of view, whatever their resolutions are.
        ax.imshow(picture, aspect="auto", interpolation="auto")
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set(color="#999999", linewidth=0.6)
        ax.set_title(title, fontsize=10, pad=5)
        if isinstance(foot, str):
            figure.text(
                (x + width / 2) / total_width,
                1 - (y + height + 18) / total_height,
                foot,
                fontsize=9,
                ha="center",
                va="center",
            )
        elif foot:
            _scale(place(x, y + height + 6, width, 9), *foot)
    return drawn(figure)


def _scale(ax, colours, low, high, label):
    ax.imshow(np.linspace(0, 1, 256)[None], cmap=colours, aspect="auto", extent=(low, high, 0, 1))
    ax.set(yticks=[], xticks=np.linspace(low, high, 3))
    ax.set_xticklabels(
        [f"{tick:.2g}" if abs(tick) < 10 else f"{tick:.0f}" for tick in ax.get_xticks()]
    )
    ax.tick_params(labelsize=8, length=2, pad=2)
    for text, side in zip(ax.get_xticklabels(), ("left", "center", "right"), strict=True):
        text.set_horizontalalignment(side)
    ax.set_xlabel(label, fontsize=8, labelpad=0)
    ax.spines[:].set(color="#999999", linewidth=0.6)


def drawn(figure):
    """What a matplotlib Figure shows, (height, width, 3) uint8 RGB."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.array(canvas.buffer_rgba())[..., :3]


def _colours(position, there, name):
    table = matplotlib.colormaps[name]
    picture = table(np.clip(position, 0, 1), bytes=True)[..., :3]
    return np.where(there[..., None], picture, np.array(MISSING_COLOUR, "uint8"))


def rgb(image):
    """(H, W, 3) uint8 as it is, or float RGB in [0, 1] as uint8."""
    image = np.asarray(image)
    if image.ndim != 3 or image.shape[-1] != 3:
        raise InputError(f"image must be (H, W, 3). Received: shape {image.shape}")
    if image.dtype == np.uint8:
        return image
    return np.round(np.clip(np.nan_to_num(image.astype("float64")), 0, 1) * 255).astype("uint8")


def _one_map(values, name):
    values = np.asarray(values, "float64")
    if values.ndim == 3 and values.shape[-1] == 1:
        values = values[..., 0]
    if values.ndim != 2:
        raise InputError(f"{name} must be (H, W) or (H, W, 1). Received: shape {values.shape}")
    return values


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
