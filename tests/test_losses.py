"""Loss terms; expected values from the reference (golden losses), NumPy, and by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from tfdepthviz import losses
from tfdepthviz.utils.errors import InputError

SIZE = (2, 9, 13, 1)


def numpy_sobel(depth):
    """(dx, dy) of (H, W) by the two 3x3 operators written out, zero padding 1."""
    operator = np.array([[1, 0, -1], [2, 0, -2], [1, 0, -1]], "float64")
    padded = np.pad(depth, 1)
    height, width = depth.shape
    dx, dy = np.zeros(depth.shape), np.zeros(depth.shape)
    for i in range(3):
        for j in range(3):
            window = padded[i : i + height, j : j + width]
            dx += operator[i, j] * window
            dy += operator[j, i] * window
    return dx, dy


def numpy_terms(true, pred):
    """The terms of one pair of (H, W) maps, over a list of its valid pixels."""
    height, width = true.shape
    valid = np.isfinite(true) & (true > 0)
    around = [
        [valid[max(i - 1, 0) : i + 2, max(j - 1, 0) : j + 2].all() for j in range(width)]
        for i in range(height)
    ]
    around = np.array(around)
    true = np.where(valid, true, 0)
    error = np.where(valid, pred - true, 0)
    (dx, dy), (tx, ty), (px, py) = (numpy_sobel(map_) for map_ in (error, true, pred))
    normals = [np.stack([-x, -y, np.ones_like(x)], -1)[around] for x, y in ((tx, ty), (px, py))]
    cosine = (normals[0] * normals[1]).sum(-1) / np.prod(
        [np.linalg.norm(normal, axis=-1) for normal in normals], axis=0
    )
    return {
        "l1": np.abs(error[valid]).mean(),
        "l2": np.square(error[valid]).mean(),
        "depth": np.log(np.abs(error[valid]) + 0.5).mean(),
        "gradient": np.log(np.abs(dx[around]) + 0.5).mean()
        + np.log(np.abs(dy[around]) + 0.5).mean(),
        "normal": np.abs(1 - cosine).mean(),
    }


def maps(dtype="float64"):
    """Truth with missing pixels of every kind, one at the border, and an estimate."""
    rng = np.random.default_rng(3)
    true, pred = rng.uniform(0.5, 9, SIZE), rng.uniform(0.5, 9, SIZE)
    true[0, 2, 3], true[0, 6, 12], true[1, 0, 0] = 0, 0, 0
    true[0, 5, 8], true[1, 8, 6], true[1, 4, 9] = np.nan, np.inf, -1
    return true.astype(dtype), pred.astype(dtype)


def gradients(true, pred, valid=None):
    """Term -> gradient of the sum of its values with respect to the estimate."""
    pred = tf.constant(pred)
    results = {}
    for name, term in losses.TERMS.items():
        with tf.GradientTape() as tape:
            tape.watch(pred)
            total = tf.reduce_sum(term(true, pred, valid))
        results[name] = tape.gradient(total, pred).numpy()
    return results


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_values_and_gradient_of_the_reference(dtype, golden):
    expected = golden("losses")
    true, pred = expected["target"].astype(dtype), tf.constant(expected["estimate"].astype(dtype))
    with tf.GradientTape() as tape:
        tape.watch(pred)
        terms = {
            "l_depth": losses.depth_term(true, pred),
            "l_grad": losses.gradient_term(true, pred),
            "l_normal": losses.normal_term(true, pred),
        }
        total = tf.reduce_mean(tf.add_n(list(terms.values())))
    for name, values in terms.items():
        assert values.shape == (2,) and values.dtype == dtype
        np.testing.assert_allclose(values.numpy().mean(), expected[name], rtol=1e-5, err_msg=name)
    gradient, reference = tape.gradient(total, pred).numpy(), expected["grad_of_sum_wrt_estimate"]
    assert gradient.dtype == dtype
    np.testing.assert_allclose(gradient, reference, rtol=1e-5, atol=1e-5 * np.abs(reference).max())


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_missing_pixels_are_ignored(dtype):
    true, pred = maps(dtype)
    for name, term in losses.TERMS.items():
        values = keras.ops.convert_to_numpy(term(true, pred))
        expected = [
            numpy_terms(*pair)[name] for pair in zip(true[..., 0], pred[..., 0], strict=True)
        ]
        assert values.dtype == dtype
        np.testing.assert_allclose(values, expected, rtol=2e-6 if dtype == "float32" else 1e-12)


def test_estimate_at_missing_pixels_is_ignored():
    true, pred = maps()
    hole = ~(np.isfinite(true) & (true > 0))
    for name in ("l1", "l2", "depth", "gradient"):
        term = losses.TERMS[name]
        np.testing.assert_array_equal(term(true, pred), term(true, np.where(hole, 77.0, pred)))
        assert (gradients(true, pred)[name][hole] == 0).all()


def test_terms_by_hand():
    true = np.full((1, 3, 3, 1), 2.0)
    true[0, 0, 2] = 0
    pred = np.full((1, 3, 3, 1), 3.0)
    np.testing.assert_allclose(losses.l1_term(true, pred), [1.0])
    np.testing.assert_allclose(losses.depth_term(true, pred), [np.log(1.5)])
    # The hole leaves (0,0), (1,0), (2,0), (2,1), (2,2). There |dx| = 3, 4, 3, 0, 3 and
    # |dy| = 3, 0, 3, 4, 3: e is 1 but 0 in the hole and outside the image.
    by_hand = 2 * (3 * np.log(3.5) + np.log(4.5) + np.log(0.5)) / 5
    np.testing.assert_allclose(losses.gradient_term(true, pred), [by_hand])


def test_derivatives_of_slopes():
    x = np.broadcast_to(np.arange(5.0)[None, None, :, None], (1, 4, 5, 1))
    dx, dy = (ops.convert_to_numpy(d) for d in losses.sobel(x))
    np.testing.assert_array_equal(dx[0, 1:3, 1:4, 0], np.full((2, 3), -8.0))
    np.testing.assert_array_equal(dy[0, 1:3, 1:4, 0], np.zeros((2, 3)))
    dx, dy = (ops.convert_to_numpy(d)[0, ..., 0] for d in losses.sobel(maps()[1]))
    np.testing.assert_allclose((dx, dy), numpy_sobel(maps()[1][0, ..., 0]), rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_exact_estimate_has_least_loss_and_no_gradient(dtype):
    pred = maps(dtype)[1]
    least = {"l1": 0, "l2": 0, "depth": np.log(0.5), "gradient": 2 * np.log(0.5), "normal": 0}
    for name, term in losses.TERMS.items():
        np.testing.assert_allclose(term(pred, pred), [least[name]] * 2, rtol=1e-6, atol=1e-6)
    results = gradients(pred, pred)
    for name in ("l1", "l2", "depth", "gradient"):
        assert (results[name] == 0).all(), name
    np.testing.assert_allclose(results["normal"], 0, atol=1e-6)


@pytest.mark.parametrize("case", ["holes", "constant", "no valid pixel", "one valid pixel"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gradients_are_finite(case, dtype):
    true, pred = maps(dtype)
    if case == "constant":
        true, pred = np.full(SIZE, 3, dtype), np.full(SIZE, 3, dtype)
    elif case != "holes":
        true[1] = 0
        true[1, 3, 4] = np.nan if case == "no valid pixel" else 2
    for name, gradient in gradients(true, pred).items():
        assert gradient.dtype == dtype and np.isfinite(gradient).all(), name
        if case == "no valid pixel":
            assert (gradient[1] == 0).all()
            assert losses.TERMS[name](true, pred).numpy()[1] == 0


def test_network_output_as_truth_is_valid_everywhere():
    true, pred = np.random.default_rng(0).normal(size=(2, *SIZE))
    true[0, 1, 2] = 0
    valid = losses.everywhere(true)
    # All terms but the normal term depend on the error alone, which a shift of both maps leaves
    # as it is.
    for name in ("l1", "l2", "depth", "gradient"):
        expected = losses.TERMS[name](true + 10, pred + 10)
        np.testing.assert_allclose(losses.TERMS[name](true, pred, valid), expected, rtol=1e-9)
    results = gradients(true, pred, valid)
    assert all((gradient != 0).mean() > 0.95 for gradient in results.values())


def test_sparsity_is_the_mean_of_the_mask():
    mask = np.array([[0, 0.5, 1, 0, 0, 0.3], [1, 1, 1, 1, 1, 1]]).reshape(2, 2, 3, 1)
    np.testing.assert_allclose(losses.sparsity_term(mask), [0.3, 1])


@pytest.mark.parametrize(
    "shape", [(2, 13, 9, 1), (2, 9, 13, 3), (1, 9, 13, 1), (2, 9, 1, 1), (9, 13)]
)
@pytest.mark.parametrize("name", losses.TERMS)
def test_nothing_is_broadcast(name, shape):
    with pytest.raises(InputError, match="Received: shapes .* and") as raised:
        losses.TERMS[name](np.ones(SIZE, "float32"), np.ones(shape, "float32"))
    assert "\n" not in str(raised.value)


def test_unknown_batch_size_when_compiled():
    term = tf.function(
        losses.gradient_term, input_signature=[tf.TensorSpec((None, *SIZE[1:]), tf.float64)] * 2
    )
    true, pred = maps()
    np.testing.assert_allclose(term(true, pred), losses.gradient_term(true, pred), rtol=1e-12)
