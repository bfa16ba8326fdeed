"""Colours of matplotlib's tables, to compare pictures with."""

import matplotlib
import numpy as np


def colour(name, position):
    return (np.array(matplotlib.colormaps[name](position)[:3]) * 255 + 0.5).astype(int)


def assert_colour(got, expected):
    np.testing.assert_allclose(got.astype(int), expected, atol=1)
