"""Regions: forms of a place as weights of pixels, against hand-made maps."""

import numpy as np
import pytest

from tfdepthviz.training import regions
from tfdepthviz.utils.errors import InputError

SIZE = (6, 9)


def test_point():
    mask = regions.point(SIZE, x=7, y=2, radius=1)
    expected = np.zeros(SIZE)
    expected[2, 6:9] = expected[1:4, 7] = 1
    np.testing.assert_array_equal(mask, expected)


def test_point_of_one_pixel():
    assert np.argwhere(regions.point(SIZE, x=8, y=5, radius=0)).tolist() == [[5, 8]]


def test_box():
    mask = regions.box(SIZE, 1, 2, 4, 6)
    expected = np.zeros(SIZE)
    expected[2:6, 1:4] = 1
    np.testing.assert_array_equal(mask, expected)


def test_polygon_of_a_box():
    corners = [(1, 2), (3, 2), (3, 5), (1, 5)]
    np.testing.assert_array_equal(regions.polygon(SIZE, corners), regions.box(SIZE, 1, 2, 4, 6))


def test_depth_range():
    depth = np.array([[1.0, 2.0, 3.0], [0.0, np.nan, 2.5]])
    expected = [[0, 1, 1], [0, 0, 1]]
    np.testing.assert_array_equal(regions.depth_range(depth, 2, 3), expected)


def test_label():
    np.testing.assert_array_equal(regions.label([[3, 1], [1, 3]], 3), [[1, 0], [0, 1]])


def test_resized_is_the_mean_of_each_area():
    region = np.random.default_rng(0).random((8, 12)).astype("float32")
    means = region.reshape(4, 2, 4, 3).mean((1, 3))
    np.testing.assert_allclose(regions.resized(region, (4, 4)), means / means.max(), rtol=1e-5)


def test_resized_pixel_keeps_a_weight():
    region = regions.point((480, 640), 120, 80, 0)
    weights = regions.resized(region, (114, 152))
    assert weights.max() == 1 and 1 <= (weights > 0).sum() <= 4


def test_distance_by_hand():
    distance = regions.distance(regions.box(SIZE, 2, 2, 4, 4), SIZE)
    inside = [(r, c) for r in (2, 3) for c in (2, 3)]
    for r, c in np.ndindex(*SIZE):
        nearest = min(np.hypot(r - a, c - b) for a, b in inside)
        assert distance[r, c] == pytest.approx(nearest)


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: regions.point(SIZE, 9, 2, 1), "9,2 lies outside of the picture: x must be"),
        (lambda: regions.point(SIZE, 1, -1, 1), "y from 0 to 5"),
        (lambda: regions.point(SIZE, 1, 1, -2), "radius must be at least 0. Received: -2"),
        (lambda: regions.box(SIZE, 3, 2, 3, 4), "0 <= left < right <= 9"),
        (lambda: regions.box(SIZE, 0, 0, 10, 4), "Received: 0, 0, 10, 4"),
        (lambda: regions.polygon(SIZE, [(0, 0), (1, 1)]), "at least 3 corners"),
        (lambda: regions.polygon(SIZE, [(0, 0), (1, 1), (2, 6)]), "2,6 lies outside"),
        (lambda: regions.depth_range([[1.0, 2.0]], 3, 4), "the depth is 1 to 2 in this picture"),
        (lambda: regions.depth_range([[1.0, 2.0]], 4, 3), "near <= far"),
        (lambda: regions.label([[1, 2]], 7), "no pixel has the label 7; the map holds 1, 2"),
        (lambda: regions.resized(np.zeros((2, 2)), SIZE), "a weight above 0"),
        (lambda: regions.resized(-np.ones((2, 2)), SIZE), "weights of at least 0"),
        (lambda: regions.resized(np.ones((2, 2, 3)), SIZE), "Received: shape (2, 2, 3)"),
    ],
)
def test_impossible_regions(make, words):
    with pytest.raises(InputError) as error:
        make()
    assert words in str(error.value)
