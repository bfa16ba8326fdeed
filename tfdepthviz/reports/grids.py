"""Grids: pictures in labelled rows and columns, as one picture."""

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from tfdepthviz.reports.rendering import DPI, rendered
from tfdepthviz.utils.errors import InputError

GAP, EDGE, LINE = 8, 10, 17


def grid(rows, titles, labels=None, width=220, feet=None):
    """Draws pictures in rows and columns, titles above the columns, labels left of the rows.

    Args:
      rows: sequence of rows, each with a (H, W, 3) uint8 picture or None for every column. All
        pictures are drawn in the aspect ratio of the first.
      titles: text of each column; may have several lines.
      labels: text of each row, written upwards; None: no labels.
      width: width of each picture, pixels.
      feet: for each row the texts below its pictures; None: no texts.
    Returns:
      (height, width, 3) uint8 RGB.
    Raises:
      InputError: a row does not have one entry for each column, or there is no picture.
    """
    first = next((picture for row in rows for picture in row if picture is not None), None)
    if first is None:
        raise InputError("a grid of pictures needs at least one picture")
    if any(len(row) != len(titles) for row in rows):
        raise InputError(
            f"a grid of {len(titles)} columns needs as many pictures in each row. "
            f"Received: {', '.join(str(len(row)) for row in rows)}"
        )
    height = round(width * first.shape[0] / first.shape[1])
    top = EDGE + LINE * _lines(titles)
    left = EDGE + LINE * _lines(labels or [])
    foot = LINE * max((_lines(row) for row in feet or []), default=0)
    pitch = height + foot + GAP
    # Pictures are pasted as pixels, because matplotlib would interpolate them again.
    page = np.full(
        (
            top + len(rows) * pitch - GAP + EDGE,
            left + len(titles) * (width + GAP) - GAP + EDGE,
            3,
        ),
        255,
        "uint8",
    )
    for i, row in enumerate(rows):
        for j, picture in enumerate(row):
            y, x = top + i * pitch, left + j * (width + GAP)
            if picture is not None:
                resized = Image.fromarray(picture).resize((width, height), Image.Resampling.LANCZOS)
                page[y : y + height, x : x + width] = np.asarray(resized)
    total = page.shape[:2]
    figure = Figure(figsize=(total[1] / DPI, total[0] / DPI), dpi=DPI, facecolor="white")
    figure.figimage(page)
    style = {"fontsize": 9, "ha": "center", "linespacing": 1.15}
    for j, title in enumerate(titles):
        x = left + j * (width + GAP) + width / 2
        figure.text(x / total[1], 1 - (top - 6) / total[0], title, va="bottom", **style)
    for i, label in enumerate(labels or []):
        y = top + i * pitch + height / 2
        place = ((left - 6) / total[1], 1 - y / total[0])
        figure.text(*place, label, rotation=90, va="center", **style | {"ha": "right"})
    for i, row in enumerate(feet or []):
        y = top + i * pitch + height + 4
        for j, text in enumerate(row):
            x = left + j * (width + GAP) + width / 2
            figure.text(x / total[1], 1 - y / total[0], text, va="top", **style)
    return rendered(figure)


def _lines(texts):
    return max((text.count("\n") + 1 for text in texts), default=0)
