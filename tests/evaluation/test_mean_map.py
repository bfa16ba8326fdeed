"""The mean map: N's mean output, by NumPy, and its errors on images with and without truth."""

import keras
import numpy as np
import pytest

from tfdepthviz import evaluation
from tfdepthviz.evaluation import comparison, summary
from tfdepthviz.models.target import DepthTarget
from tfdepthviz.utils.errors import InputError

SIZE = (6, 8)


@pytest.fixture(scope="module")
def depth_net():
    """N: depth = 3 + the normalised red channel."""
    image = keras.Input((*SIZE, 3))
    return keras.Model(image, 3 + image[..., :1])


def frames(count, seed=0):
    rng = np.random.default_rng(seed)
    image = rng.normal(size=(count, *SIZE, 3)).astype("float32")
    depth = rng.uniform(1, 4, (count, *SIZE, 1)).astype("float32")
    depth[:, 0, :3] = 0
    depth[0, 5, 2] = np.nan
    return {"image": image, "depth": depth}


def in_batches(data, sizes):
    start = 0
    for size in sizes:
        yield {name: value[start : start + size] for name, value in data.items()}
        start += size


def test_mean_over_images(depth_net):
    data = frames(5)
    result = evaluation.mean_map(depth_net, in_batches(data, [2, 2, 1]))
    assert result.shape == (*SIZE, 1) and result.dtype == np.float32
    np.testing.assert_allclose(result, 3 + data["image"][..., :1].mean(axis=0), rtol=1e-6)


def test_outputs_without_unit_weigh_alike(depth_net):
    data = frames(3)
    result = evaluation.mean_map(DepthTarget(depth_net, "inverse"), in_batches(data, [2, 1]))
    red = data["image"][..., :1].astype("float64")
    red = (red - red.mean((1, 2, 3), keepdims=True)) / red.std((1, 2, 3), keepdims=True)
    np.testing.assert_allclose(result, red.mean(axis=0), rtol=1e-4, atol=1e-6)


def test_no_image_and_nan(depth_net):
    with pytest.raises(InputError, match="at least one image"):
        evaluation.mean_map(depth_net, [])
    data = frames(2)
    data["image"][1, 2, 3, 0] = np.nan
    with pytest.raises(InputError, match="not finite on a frame of the mean map"):
        evaluation.mean_map(depth_net, in_batches(data, [2]))


def errors(data, predicted):
    """Fidelity and RMSE of a map over a set; holes of the truth do not count."""
    full, depth = 3 + data["image"][..., :1], data["depth"]
    fidelity = np.mean((predicted - full) ** 2, axis=(1, 2, 3))
    valid = depth > 0
    squares = [np.mean((predicted[v] - d[v]) ** 2) for d, v in zip(depth, valid, strict=True)]
    return np.sqrt(fidelity.mean()), np.sqrt(np.mean(squares))


def test_row_of_an_evaluation(depth_net):
    data, predicted = frames(3), np.full((*SIZE, 1), 2.5, "float32")
    predicted[2, 3] = 4
    image = keras.Input((*SIZE, 3))
    mask_net = keras.Model(image, keras.ops.clip(image[..., :1], 0.0, 0.5))
    result = evaluation.evaluate_masks(
        depth_net, mask_net, in_batches(data, [2, 1]), mean_map=predicted
    )
    row = result.rows[-1]
    assert (row["row"], row["sparseness"]) == ("mean_map", 0)
    expected = errors(data, predicted)
    np.testing.assert_allclose((row["fidelity_rmse"], row["rmse"]), expected, rtol=1e-5)


def test_level_line_of_a_comparison(depth_net):
    data, predicted = frames(3), np.full((*SIZE, 1), 2.5, "float32")
    measured = comparison.compare(
        depth_net,
        in_batches(data, [2, 1]),
        mask_functions={"G": lambda image, first: np.clip(image[..., :1], 0, 0.5)},
        scores={},
        predictions={"mean_map": predicted},
        shares=(0.25, 0.5),
        views=("insert",),
    )
    assert measured.squares["mean_map", "prediction"].shape == (3, 1, 8)
    figures = summary.summarise(measured, resamples=50)
    fidelity, rmse = errors(data, predicted)
    for share in (0.0, 0.25, 0.5, 1.0):
        at = summary.figure_at(figures, "mean_map", share)["value"]
        assert at == pytest.approx(fidelity, rel=1e-5)
        at = summary.figure_at(figures, "mean_map", share, "rmse")["value"]
        assert at == pytest.approx(rmse, rel=1e-5)
    assert figures["predictions"] == ["mean_map"] and figures["views"] == ["insert"]
    assert figures["best_control"] == ["mean_map"] * 2
    nothing = figures["nothing"]["value"]
    area = figures["methods"]["mean_map"]["insertion_area"]["value"]
    assert area == pytest.approx(fidelity / nothing, rel=1e-5)
    assert figures["methods"]["G"]["deletion_area"]["value"] is None
