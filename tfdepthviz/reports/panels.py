"""Panels: titled pictures of one frame in a grid, each with its colour scale below."""

import math

import numpy as np
from matplotlib.figure import Figure

from tfdepthviz.reports.rendering import DPI, rendered

# Area of a panel, whatever its aspect ratio is.
PANEL_PIXELS = 320 * 240
# Heights above and below a panel, space between panels and around them, pixels.
TITLE, FOOT, GAP, EDGE = 26, 46, 14, 12


def draw_panels(panels, size, columns):
    """Draws titled pictures and their colour scales in a grid.

    Args:
      panels: sequence of (title, picture (h, w, 3) uint8, foot), or None for an empty place. The
        foot is a text, a colour scale (name of matplotlib's colour map, low, high, label), or None.
      size: (H, W), whose aspect ratio all pictures take.
      columns: number of panels in a row.
    Returns:
      (height, width, 3) uint8 RGB.
    """
    width, height = panel_size(size)
    panels = list(panels)
    rows = math.ceil(len(panels) / columns)
    total_width = 2 * EDGE + columns * width + (columns - 1) * GAP
    cell = TITLE + height + FOOT
    total_height = rows * cell + (rows - 1) * GAP
    figure = Figure(figsize=(total_width / DPI, total_height / DPI), dpi=DPI, facecolor="white")

    def place(x, y, w, h):
        return figure.add_axes(
            (x / total_width, 1 - (y + h) / total_height, w / total_width, h / total_height)
        )

    for number, panel in enumerate(panels):
        if panel is None:
            continue
        title, picture, foot = panel
        x = EDGE + (number % columns) * (width + GAP)
        y = (number // columns) * (cell + GAP) + TITLE
        ax = place(x, y, width, height)
        # Image and depth map have the same field of view, but not the same resolution.
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
            _draw_scale(place(x, y + height + 6, width, 9), *foot)
    return rendered(figure)


def panel_size(size):
    """(width, height) of each picture of a grid, pixels.

    Args:
      size: (H, W), as for `draw_panels`.
    """
    width = round(math.sqrt(PANEL_PIXELS * size[1] / size[0]))
    return width, round(width * size[0] / size[1])


def cut_panels(grid, count, size, columns):
    """The panels of a grid one by one, each with its title and foot, pixel for pixel.

    Args:
      grid: result of `draw_panels`.
      count: number of its panels.
      size, columns: as for `draw_panels`.
    Returns:
      list of (h, w, 3) uint8 RGB, all of one size.
    """
    width, height = panel_size(size)
    cell = TITLE + height + FOOT
    cut = []
    for number in range(count):
        top = (number // columns) * (cell + GAP)
        left = (number % columns) * (width + GAP)
        cut.append(grid[top : top + cell, left : left + width + 2 * EDGE])
    return cut


def _draw_scale(ax, colours, low, high, label):
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
