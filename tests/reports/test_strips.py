"""Strips: panels are looked up at known places, colours in matplotlib's own tables."""

import numpy as np
import pytest
from colour_tables import assert_colour, colour

from tfdepthviz.reports import panels, strips
from tfdepthviz.utils.errors import InputError


def frame(height=30, width=44):
    rng = np.random.default_rng(0)
    mask = np.zeros((height, width, 1))
    mask[: height // 2] = 1
    depth = rng.uniform(1, 4, (height // 2, width // 2, 1))
    return rng.random((height, width, 3)), mask, depth


def test_six_panels_and_one_depth_scale():
    image, mask, depth = frame()
    image = image * 0 + [1, 0, 0]
    masked = depth * 0 + 4
    masked[0, 0] = 1
    picture = strips.draw_strip(image, mask, depth * 0 + 1, masked)
    height, width, _ = picture.shape
    panel = (width - 2 * panels.EDGE - 5 * panels.GAP) // 6
    lower = panels.TITLE + round((height - panels.TITLE - panels.FOOT) * 0.75)
    upper = panels.TITLE + round((height - panels.TITLE - panels.FOOT) * 0.25)
    x = [panels.EDGE + k * (panel + panels.GAP) + panel // 2 for k in range(6)]
    assert_colour(picture[lower, x[0]], (255, 0, 0))
    for k in (1, 2):
        assert_colour(picture[upper, x[k]], (255, 255, 255))
        assert_colour(picture[lower, x[k]], (0, 0, 0))
    assert_colour(picture[lower, x[3]], colour("viridis_r", 0.0))
    assert_colour(picture[lower, x[4]], colour("viridis_r", 1.0))
    assert_colour(picture[lower, x[5]], colour("RdBu", 1.0))


def test_bytes_and_columns():
    image, mask, depth = frame()
    row = strips.draw_strip((image * 255).astype("uint8"), mask, depth, depth + 0.1)
    folded = strips.draw_strip(image, mask, depth, depth + 0.1, columns=3)
    assert row.dtype == folded.dtype == np.uint8
    assert row.shape[1] > 1.9 * folded.shape[1] and folded.shape[0] > 1.9 * row.shape[0]


def test_wrong_shapes():
    image, mask, depth = frame()
    with pytest.raises(InputError, match="image must be"):
        strips.draw_strip(image[..., 0], mask, depth, depth)
    with pytest.raises(InputError, match="one size"):
        strips.draw_strip(image, mask, depth, depth[1:])
    with pytest.raises(InputError, match="mask must be"):
        strips.draw_strip(image, image, depth, depth)
