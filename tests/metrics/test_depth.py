"""Errors of depth; expected values from the reference (golden losses) and by hand."""

import keras
import numpy as np
import pytest

from tfdepthviz import metrics
from tfdepthviz.utils import arrays as numpy_arrays
from tfdepthviz.utils.errors import InputError


def arrays(per_image):
    return {name: keras.ops.convert_to_numpy(value) for name, value in per_image.items()}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_metrics_of_the_reference(dtype, golden):
    arrays_of = golden("losses")
    target, estimate = arrays_of["target"].astype(dtype), arrays_of["estimate"].astype(dtype)
    expected = {name[7:]: arrays_of[name] for name in arrays_of if name.startswith("metric_")}
    per_image = arrays(metrics.depth_errors(target, estimate))
    assert all(value.dtype == dtype and value.shape == (2,) for value in per_image.values())
    result = metrics.set_level(per_image)
    names = {"RMSE": "rmse", "MAE": "mae", "ABS_REL": "rel", "LG10": "log10"}
    names.update({f"DELTA{k}": f"delta{k}" for k in (1, 2, 3)})
    for theirs, ours in names.items():
        np.testing.assert_allclose(result[ours], expected[theirs], rtol=1e-5, err_msg=ours)
    np.testing.assert_allclose(per_image["mse"].mean(), expected["MSE"], rtol=1e-5)


def test_depth_errors_by_hand():
    truth = np.array([[1.0, 2.0, 0.0], [4.0, np.nan, np.inf]]).reshape(1, 2, 3, 1)
    estimate = np.array([[2.0, 2.0, 9.0], [1.0, 9.0, 9.0]]).reshape(1, 2, 3, 1)
    got = arrays(metrics.depth_errors(truth, estimate))
    by_hand = {
        "mse": (1 + 0 + 9) / 3,
        "mae": (1 + 0 + 3) / 3,
        "rel": (1 / 1 + 0 + 3 / 4) / 3,
        "log10": (np.log10(2) + 0 + np.log10(4)) / 3,
        "delta1": 1 / 3,
        "delta2": 1 / 3,
        "delta3": 1 / 3,
        "valid": 3 / 6,
    }
    assert set(got) == set(by_hand)
    for name, value in by_hand.items():
        np.testing.assert_allclose(got[name], [value], rtol=1e-12, err_msg=name)


def test_valid_depth_in_both_rooms():
    depth = np.array([1e-3, 80, 0, -1, np.nan, np.inf, -np.inf], "float32")
    expected = [True, True, False, False, False, False, False]
    assert keras.ops.convert_to_numpy(metrics.valid_depth(depth)).tolist() == expected
    assert numpy_arrays.valid_depth(depth).tolist() == expected


def test_delta_excludes_its_own_threshold():
    truth = np.full((1, 1, 4, 1), 4.0, "float32")
    estimate = np.array([4.99, 5.0, 6.25, 7.8125], "float32").reshape(1, 1, 4, 1)
    got = arrays(metrics.depth_errors(truth, estimate))
    assert [float(got[f"delta{k}"][0]) for k in (1, 2, 3)] == [0.25, 0.5, 0.75]


def test_estimates_of_0_and_below_count_as_1_mm():
    truth = np.full((1, 1, 2, 1), 1.0, "float32")
    estimate = np.array([0.0, -3.0], "float32").reshape(1, 1, 2, 1)
    got = arrays(metrics.depth_errors(truth, estimate))
    np.testing.assert_allclose(got["log10"], [3.0], rtol=1e-6)
    np.testing.assert_allclose(got["mae"], [2.5], rtol=1e-6)
    assert got["delta3"][0] == 0


def test_image_without_truth_does_not_count():
    truth = np.zeros((3, 2, 5, 1), "float32")
    truth[1] = 2.0
    truth[2, 0, 0] = 1.0
    estimate = np.full_like(truth, 4.0)
    got = arrays(metrics.depth_errors(truth, estimate))
    assert all(value[0] == 0 for value in got.values())
    np.testing.assert_allclose(got["valid"], [0, 1, 0.1], rtol=1e-6)
    result = metrics.set_level(got)
    # Each image counts once: 2 m off in ten pixels, 3 m off in one.
    np.testing.assert_allclose(result["rmse"], np.sqrt((4 + 9) / 2), rtol=1e-6)
    np.testing.assert_allclose(result["mae"], (2 + 3) / 2, rtol=1e-6)
    assert all(np.isnan(v) for v in metrics.set_level({k: v[:1] for k, v in got.items()}).values())


def test_nan_estimate_matters_only_where_there_is_truth():
    truth = np.array([1.0, 0.0], "float32").reshape(1, 1, 2, 1)
    hidden = np.array([1.0, np.nan], "float32").reshape(1, 1, 2, 1)
    assert arrays(metrics.depth_errors(truth, hidden))["mse"][0] == 0
    assert np.isnan(arrays(metrics.depth_errors(truth, hidden[:, :, ::-1]))["mse"][0])


def test_half_precision_is_averaged_in_float32():
    truth = np.full((1, 100, 101, 1), 2.0, "float32")
    estimate = keras.ops.cast(truth + 1, "bfloat16")
    got = arrays(metrics.depth_errors(truth, estimate))
    assert got["mse"].dtype == "float32" and got["mse"][0] == 1 and got["valid"][0] == 1
    kept = metrics.sparseness(keras.ops.cast(truth > 1, "bfloat16"))
    assert keras.ops.convert_to_numpy(kept)[0] == 1


def test_fidelity_and_sparseness_by_hand():
    full = np.arange(6.0).reshape(1, 2, 3, 1)
    masked = full + np.array([[0, 1, -2], [0, 0, 3]]).reshape(1, 2, 3, 1)
    np.testing.assert_allclose(metrics.fidelity_mse(full, masked), [(1 + 4 + 9) / 6])
    mask = np.array([0.0, 0.024, 0.025, 0.026, 0.5, 1.0]).reshape(1, 2, 3, 1)
    np.testing.assert_allclose(metrics.sparseness(mask), [3 / 6])
    np.testing.assert_allclose(metrics.sparseness(mask, threshold=0.5), [1 / 6])


@pytest.mark.parametrize("shape", [(2, 3, 4, 2), (2, 4, 3, 1), (2, 3, 1, 1), (3, 4, 1)])
def test_different_shapes_are_refused(shape):
    truth = np.ones((2, 3, 4, 1), "float32")
    with pytest.raises(InputError, match=r"Received: shapes \(2, 3, 4, 1\)"):
        metrics.depth_errors(truth, np.ones(shape, "float32"))
    with pytest.raises(InputError):
        metrics.fidelity_mse(truth, np.ones(shape, "float32"))


def test_set_level_names_what_it_lacks():
    with pytest.raises(InputError, match="valid"):
        metrics.set_level({name: np.ones(2) for name in metrics.DEPTH_ERRORS})


def test_entropy_by_hand():
    # 0 and 1 leave nothing open, 1/2 one bit, 1/4 2 - 3/4 log2 3.
    mask = np.array([[[0, 1, 0.5], [0.25, 0, 1]], [[0.5] * 3] * 2])[..., None]
    quarter = 2 - 0.75 * np.log2(3)
    np.testing.assert_allclose(metrics.entropy(mask), [(1 + quarter) / 6, 1], rtol=1e-6)
