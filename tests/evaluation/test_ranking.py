"""Rankings at exact shares, their errors by NumPy on networks written out by hand."""

import keras
import numpy as np
import pytest
import tiny_nets

from tfdepthviz import evaluation, masks
from tfdepthviz.evaluation.ranking import ranking
from tfdepthviz.evaluation.summary import figure_at

SIZE = (6, 8)
SHARES = (0.1, 0.3, 0.7)


@pytest.fixture(scope="module")
def depth_net():
    """N: depth = 3 + the normalised red channel."""
    image = keras.Input((*SIZE, 3))
    return keras.Model(image, 3 + image[..., :1])


@pytest.fixture(scope="module")
def mask_net():
    """G: the sigmoid of 100 times the green channel, 0 or 1 in float32 nearly everywhere."""
    image = keras.Input((*SIZE, 3))
    sigmoid = keras.layers.Activation("sigmoid")
    return keras.Model(image, sigmoid(100 * image[..., 1:2]))


def frames(count):
    rng = np.random.default_rng(0)
    image = rng.normal(size=(count, *SIZE, 3)).astype("float32")
    return {"image": image, "depth": rng.uniform(1, 4, (count, *SIZE, 1)).astype("float32")}


def batches(data, sizes):
    start = 0
    for size in sizes:
        yield {name: value[start : start + size] for name, value in data.items()}
        start += size


def test_order_is_that_of_the_scores(mask_net):
    image = frames(2)["image"]
    np.testing.assert_allclose(ranking(mask_net)(image), 100 * image[..., 1:2], rtol=1e-6)
    # Without an activation of its own, G is ranked by its grey levels.
    net = tiny_nets.mask_net()
    if not isinstance(net.layers[-1], keras.layers.Activation):
        image = tiny_nets.frames(2)["image"]
        np.testing.assert_allclose(ranking(net)(image), net(image), rtol=1e-6)


def test_errors_at_exact_shares(depth_net, mask_net):
    data = frames(3)
    rated = evaluation.rate_shares(
        depth_net, {"G": mask_net}, batches(data, [2, 1]), SHARES, controls=("random",)
    )
    for place in range(3):
        red, green = (data["image"][place, ..., c].ravel() for c in (0, 1))
        for k, share in enumerate(SHARES):
            top = np.argsort(-green, kind="stable")[: round(share * 48)]
            depth = np.full(48, 3.0)
            depth[top] += red[top]
            expected = np.mean((depth - 3 - red) ** 2)
            got = rated.squared_errors("G", "insert")[place, k]
            assert got == pytest.approx(expected, rel=1e-4)
            error = np.mean((depth - data["depth"][place].ravel()) ** 2)
            got = rated.squared_errors("G", "insert", "mse")[place, k]
            assert got == pytest.approx(error, rel=1e-4)
    # The same masks as those of the function that everybody uses.
    kept = masks.top_share_mask(ranking(mask_net)(data["image"]), list(SHARES))
    np.testing.assert_array_equal(np.sum(kept, axis=(1, 2, 3)), [5, 14, 34])


def test_controls_and_batches(depth_net, mask_net):
    data, mean_map = frames(3), np.full((*SIZE, 1), 3, "float32")

    def rated(sizes):
        return evaluation.rate_shares(
            depth_net,
            {"G": mask_net},
            batches(data, sizes),
            SHARES,
            untrained=mask_net,
            mean_map=mean_map,
        )

    together, apart = rated([3]), rated([1, 2])
    for key, squares in together.squares.items():
        np.testing.assert_allclose(apart.squares[key], squares, rtol=1e-5, atol=1e-7)
    assert {view for _, view in together.squares} == {
        *("image", "nothing", "mask", "binary_mask", "insert", "prediction"),
    }
    figures = evaluation.summarise(together, resamples=50)
    assert [m for m in figures["methods"] if m != "G"] == [
        *("random", "random_blocks", "sobel", "blurred_edges", "blurred_edges_9", "centre"),
        *("untrained", "mean_map"),
    ]
    # A mask is no better than itself.
    assert all(d == {"value": 0, "low": 0, "high": 0} for d in figures["against"]["G"]["untrained"])
    for k, share in enumerate(SHARES):
        errors = {m: figure_at(figures, m, share)["value"] for m in figures["methods"]}
        controls = {m: error for m, error in errors.items() if m != "G"}
        assert figures["best_control"][k] == min(controls, key=controls.get)
        ratio = figures["ratios"]["G"]["sobel"][k]
        assert ratio["value"] == pytest.approx(errors["G"] / errors["sobel"])
        assert ratio["low"] <= ratio["value"] <= ratio["high"]
