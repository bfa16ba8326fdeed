"""Alignment: against numpy.linalg.lstsq, with missing pixels, and of flat maps."""

import numpy as np
import pytest
import tensorflow as tf

from tfdepthviz import losses, metrics
from tfdepthviz.metrics import alignment
from tfdepthviz.utils.errors import InputError

SHAPE = (2, 5, 7, 1)


@pytest.fixture
def maps():
    rng = np.random.default_rng(0)
    truth = rng.uniform(1, 9, SHAPE).astype("float32")
    truth[0, :2], truth[1, 3, 3] = 0, np.nan
    return truth, rng.normal(size=SHAPE).astype("float32")


def by_lstsq(true, pred, valid):
    """The aligned map of one image, by NumPy's solver."""
    columns = np.stack([pred[valid], np.ones(valid.sum())], 1).astype("float64")
    scale, shift = np.linalg.lstsq(columns, true[valid].astype("float64"), rcond=None)[0]
    return scale * pred + shift if scale > 0 else np.full_like(pred, true[valid].mean())


@pytest.mark.parametrize("trend", [0.2, 0.0, -0.2])
def test_least_squares_scale_and_shift(maps, trend):
    truth, noise = maps
    valid = np.nan_to_num(truth) > 0
    pred = 100 + 0.01 * (np.nan_to_num(truth) * trend + noise)
    aligned = alignment.align(np.where(valid, truth, 0), pred, valid).numpy()
    for image in range(2):
        expected = by_lstsq(truth[image], pred[image], valid[image])
        np.testing.assert_allclose(aligned[image], expected, rtol=2e-3)


def test_relative_depth_in_metres(maps):
    truth, noise = maps
    valid = np.nan_to_num(truth) > 0
    pred = np.where(valid, np.nan_to_num(truth) * 0.3 - 7, 55) + 0.1 * noise
    errors = metrics.depth_errors(truth, alignment.in_metres("relative", truth, pred))
    for image in range(2):
        expected = by_lstsq(truth[image], pred[image], valid[image]) - truth[image]
        expected = np.mean(expected[valid[image]] ** 2)
        np.testing.assert_allclose(errors["mse"][image], expected, rtol=1e-3)


def test_inverse_depth_in_metres(maps):
    truth, noise = maps
    valid = np.nan_to_num(truth) > 0
    inverse = 1 / np.where(valid, truth, 1)
    metres = alignment.in_metres("inverse", truth, 4 * inverse + 2).numpy()
    np.testing.assert_allclose(metres[valid], truth[valid], rtol=1e-4)
    metres = alignment.in_metres("inverse", truth, 4 * inverse + 2 + noise).numpy()
    for image in range(2):
        line = by_lstsq(inverse[image], (4 * inverse + 2 + noise)[image], valid[image])
        farthest = np.nanmax(truth[image])
        expected = 1 / np.maximum(line, 1 / farthest)
        np.testing.assert_allclose(metres[image], expected, rtol=1e-3)


def test_metric_depth_is_unchanged(maps):
    truth, pred = maps
    np.testing.assert_array_equal(alignment.in_metres("metric", truth, pred), pred)
    for function in (alignment.comparable, alignment.drawable):
        full, masked = function("metric", truth, pred)
        np.testing.assert_array_equal(full, truth)
        np.testing.assert_array_equal(masked, pred)


@pytest.mark.parametrize("kind", ["relative", "inverse"])
def test_scale_and_shift_do_not_matter(kind, maps):
    _, y = maps
    full, masked = alignment.comparable(kind, 100 * y + 4000, 90 * y + 3000)
    np.testing.assert_allclose(masked, full, rtol=1e-4, atol=1e-4)
    assert np.max(metrics.fidelity_mse(*alignment.comparable(kind, y, y))) < 1e-12
    np.testing.assert_allclose(np.mean(full, (1, 2, 3)), 0, atol=1e-4)
    np.testing.assert_allclose(np.std(full, (1, 2, 3)), 1, rtol=1e-4)
    # A flat or opposite map is as far off as a constant: one standard deviation.
    flat = np.full_like(y, 3.0)
    for other in (flat, -y):
        error = metrics.fidelity_mse(*alignment.comparable(kind, y, other))
        np.testing.assert_allclose(error, 1, rtol=1e-4)


@pytest.mark.parametrize("kind", alignment.KINDS)
def test_flat_and_empty_maps_give_finite_gradients(kind, maps):
    truth, y = maps
    for full, masked in ((y, y[::-1]), (y, 0 * y), (0 * y, y), (0 * y + 5, 0 * y + 5)):
        masked = tf.constant(masked)
        with tf.GradientTape() as tape:
            tape.watch(masked)
            pair = alignment.comparable(kind, full, masked)
            valid = losses.everywhere(full)
            terms = [losses.TERMS[t](*pair, valid) for t in ("depth", "gradient", "normal")]
            metres = alignment.in_metres(kind, np.stack([truth[0], 0 * truth[1]]), masked)
            total = tf.add_n(terms) + tf.reduce_sum(tf.abs(metres))
        assert np.isfinite(total).all() and np.isfinite(tape.gradient(total, masked)).all()


def test_drawn_maps_grow_with_distance(maps):
    _, y = maps
    for kind, sign in (("relative", 1), ("inverse", -1)):
        full, masked = alignment.drawable(kind, y, 2 * y)
        order = np.argsort(sign * y[0].ravel())
        assert (np.diff(np.asarray(full)[0].ravel()[order]) >= 0).all()
        assert np.min(full) > 0
        np.testing.assert_allclose(masked, full, rtol=2e-3, atol=2e-3)


def test_nearly_flat_map_has_a_bounded_gradient(maps):
    _, y = maps
    sizes = []
    for contrast in (1.0, 1e-2, 1e-4, 0.0):
        masked = tf.constant(contrast * y)
        with tf.GradientTape() as tape:
            tape.watch(masked)
            pair = alignment.comparable("inverse", y, masked, alignment.RIDGE)
            error = metrics.fidelity_mse(*pair)
        sizes.append(float(tf.norm(tape.gradient(error, masked))))
    assert max(sizes) < 1000 * sizes[0] + 100, sizes


def test_unknown_kind_is_refused(maps):
    with pytest.raises(InputError, match="metric, relative, inverse. Received: 'disparity'"):
        alignment.comparable("disparity", *maps)
