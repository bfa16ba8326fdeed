"""Completion preview: a frame next to its depth before and after completion."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from tfdepthviz.reports import colours

TITLE_PIXELS = 26


def preview(image, depth, completed):
    """A frame, its measured and its completed depth, with titles; depth maps share their colours.

    Args:
      image: (H, W, 3) uint8 RGB.
      depth, completed: (H, W, 1) float, metres; 0 = missing.
    Returns:
      (height, width, 3) uint8 RGB; the panels of a wide image lie one below another.
    """
    low, high = colours.depth_range(depth)
    # A single pixel is hard to see: each measurement is drawn as 3x3.
    dots = np.lib.stride_tricks.sliding_window_view(np.pad(depth[..., 0], 1), (3, 3)).max((2, 3))
    panels = [
        ("image", image),
        (f"measured depth, {(depth != 0).mean():.1%} of the pixels (drawn larger)", dots),
        (f"completed depth, from {low:.3g} m (bright) to {high:.3g} m (dark)", completed),
    ]
    titled = [
        _titled(text, panel if panel is image else colours.colourise_depth(panel, low, high))
        for text, panel in panels
    ]
    return np.concatenate(titled, axis=0 if image.shape[1] > 1.5 * image.shape[0] else 1)


def _titled(text, rgb):
    height, width, _ = rgb.shape
    page = Image.new("RGB", (width + 4, height + TITLE_PIXELS), "white")
    page.paste(Image.fromarray(rgb), (2, TITLE_PIXELS))
    ImageDraw.Draw(page).text((4, 3), text, "black", ImageFont.load_default(TITLE_PIXELS - 10))
    return np.asarray(page)
