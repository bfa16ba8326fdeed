"""Rendering: matplotlib figures to RGB pictures, and pictures to PNG files."""

import io

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from tfdepthviz.reports import colours
from tfdepthviz.utils.files import write_whole

DPI = 100


def rendered(figure):
    """Renders a matplotlib Figure as (height, width, 3) uint8 RGB."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.array(canvas.buffer_rgba())[..., :3]


def png(picture):
    """(H, W, 3) uint8 RGB, or (H, W) uint8 grey -> bytes of a PNG file."""
    stream = io.BytesIO()
    picture = picture if np.ndim(picture) == 2 else colours.rgb(picture)
    Image.fromarray(picture).save(stream, format="PNG")
    return stream.getvalue()


def save_png(path, picture):
    """Writes (H, W, 3) uint8 RGB as a PNG file, completely or not at all."""
    write_whole(path, png(picture))
