"""Curves; expected values by hand on three images, or from samples drawn one by one."""

import numpy as np
import pytest

from tfdepthviz.metrics import curves

NAN = np.nan


def test_rmse_of_a_set_by_hand():
    squares = np.array([[1.0, 4.0], [2.0, NAN], [6.0, 12.0]])
    np.testing.assert_allclose(curves.set_rmse(squares), [3**0.5, 8**0.5])
    # Image 0 twice and image 2 once; then image 1 alone, which is not rated in the second column.
    counts = [[2, 0, 1], [0, 3, 0]]
    np.testing.assert_allclose(
        curves.set_rmse(squares, counts), [[(8 / 3) ** 0.5, (20 / 3) ** 0.5], [2**0.5, NAN]]
    )


def test_areas_by_hand():
    # F: 2 at 0, 1 at 0.25, 0.5 at 0.5, 0 at 1: 0.375 + 0.1875 + 0.125 = 0.6875, over F(0) = 2.
    shares = (0.25, 0.5)
    assert curves.insertion_area(shares, [1.0, 0.5], 2.0) == pytest.approx(0.34375)
    # D: 0, 1, 0.5, 2 at the same shares: 0.125 + 0.1875 + 0.625 = 0.9375.
    assert curves.deletion_area(shares, [1.0, 0.5], 2.0) == pytest.approx(0.46875)
    both = curves.insertion_area(shares, [[1.0, 0.5], [2.0, 1.0]], np.array([2.0, 4.0]))
    np.testing.assert_allclose(both, 0.34375)
    assert np.isnan(curves.insertion_area(shares, [0.0, 0.0], 0.0))


def test_a_straight_line_has_half_the_area():
    shares = (0.1, 0.7)
    assert curves.insertion_area(shares, [0.9, 0.3], 1.0) == pytest.approx(0.5)
    assert curves.deletion_area(shares, [0.1, 0.7], 1.0) == pytest.approx(0.5)


@pytest.mark.parametrize(
    "tolerance, least",
    [
        (1.0, 0.25),  # a share of the grid
        (0.75, 0.375),  # half-way from 1 at 0.25 to 0.5 at 0.5
        (1.5, 0.125),  # half-way from 2 at 0 to 1 at 0.25
        (0.25, 0.75),  # half-way from 0.5 at 0.5 to 0 at 1
        (0.0, 1.0),
        (2.0, 0.0),  # nothing has to be shown
        (NAN, NAN),
    ],
)
def test_sparsity_at_tolerance_by_hand(tolerance, least):
    share = curves.sparsity_at_tolerance((0.25, 0.5), [1.0, 0.5], 2.0, tolerance)
    np.testing.assert_allclose(share, least)


def test_first_crossing_of_a_curve_that_rises_again():
    # Down to 0.4 at 0.5, up to 0.8 at 0.75: 0.5 is first reached between 0.25 and 0.5.
    share = curves.sparsity_at_tolerance((0.25, 0.5, 0.75), [1.0, 0.4, 0.8], 2.0, 0.5)
    assert share == pytest.approx(0.25 + 0.25 * 0.5 / 0.6)


def test_bootstrap_of_three_images():
    counts = curves.bootstrap_counts(3, 2000, seed=1)
    assert counts.shape == (2000, 3) and (counts.sum(axis=1) == 3).all()
    np.testing.assert_array_equal(counts, curves.bootstrap_counts(3, 2000, seed=1))
    # All 27 ordered draws are equally likely: 3 of them draw one image only.
    alone = (counts == 3).any(axis=1).mean()
    assert alone == pytest.approx(3 / 27, abs=0.03)
    squares = np.array([1.0, 4.0, 10.0])
    sample = [
        np.sqrt(np.mean([s for s, c in zip(squares, row, strict=True) for _ in range(c)]))
        for row in counts
    ]
    np.testing.assert_allclose(curves.set_rmse(squares, counts), sample)


def test_interval_by_hand():
    values = np.stack([np.arange(101.0)[::-1], np.full(101, NAN)], axis=1)
    low, high = curves.interval(values, level=0.9)
    np.testing.assert_allclose(low, [5, NAN])
    np.testing.assert_allclose(high, [95, NAN])
    assert curves.interval([1.0, NAN, 3.0], level=0.5) == (1.5, 2.5)
