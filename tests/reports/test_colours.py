"""Colours of depth maps; the expected ones are of matplotlib's own tables."""

import matplotlib
import numpy as np
import pytest
from colour_tables import assert_colour, colour

from tfdepthviz.reports import colours


def test_depth_scale_and_missing_colour():
    depth = np.array([[1.0, 3.0, 5.0, 9.0], [0.0, np.nan, np.inf, 0.5]], "float32")
    picture = colours.colourise_depth(depth[..., None], vmin=1, vmax=5)
    assert picture.dtype == np.uint8 and picture.shape == (2, 4, 3)
    for column, position in enumerate([0.0, 0.5, 1.0, 1.0]):
        assert_colour(picture[0, column], colour("viridis_r", position))
    assert (picture[1, :3] == colours.MISSING_COLOUR).all()
    assert_colour(picture[1, 3], colour("viridis_r", 0.0))


def test_missing_colour_is_in_no_scale():
    for name in (colours.DEPTH_COLOURS, colours.DIFFERENCE_COLOURS):
        table = matplotlib.colormaps[name](np.linspace(0, 1, 256), bytes=True)[:, :3].astype(int)
        assert np.abs(table - colours.MISSING_COLOUR).max(axis=1).min() > 10, name


def test_difference_is_white_at_zero_and_symmetric():
    picture = colours.colourise_difference(np.array([[-2.0, 0.0, 2.0, np.nan]]), limit=2)
    for column, position in enumerate([0.0, 0.5, 1.0]):
        assert_colour(picture[0, column], colour("RdBu", position))
    assert tuple(picture[0, 3]) == colours.MISSING_COLOUR
    assert picture[0, 0, 0] > picture[0, 0, 2] and picture[0, 2, 2] > picture[0, 2, 0]


@pytest.mark.parametrize("depth", [np.zeros((3, 4)), np.full((3, 4), 2.0), np.full((3, 4), np.nan)])
def test_flat_maps(depth):
    low, high = colours.depth_range(depth)
    assert low < high
    assert colours.colourise_depth(depth).shape == (3, 4, 3)
    assert colours.colourise_difference(depth * 0).shape == (3, 4, 3)
