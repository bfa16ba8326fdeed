"""Figures of masks by hand: loss and fidelity, disagreement of restarts."""

import keras
import numpy as np

from tfdepthviz.training import Objective, SearchResult
from tfdepthviz.training.mask_rating import disagreement, rate

SIZE = (8, 12)
LEFT = np.zeros((*SIZE, 1), "float32")
LEFT[:, :6] = 1


def left_net():
    """N: depth = 3 + red where the image is left, 3 elsewhere."""
    image = keras.Input((*SIZE, 3))
    return keras.Model(image, 3.0 + image[..., :1] * LEFT)


def test_disagreement():
    one, two = np.zeros((2, 1, 2, 4, 1), "float32")
    one[0, 0, :, 0], two[0, 0, :, 0] = [1, 0.5, 0.25, 0], [1, 0, 0, 0.2]
    two[0, 1, 0] = 0.01
    # Above 0.025: three pixels and two, one of them in common.
    result = SearchResult(np.zeros((2, 1, 2, 4, 1)), np.stack([one, two]), np.zeros((2, 1)), None)
    values = disagreement(result)
    np.testing.assert_allclose(values["spread"][0, 0, :, 0], [0, 0.25, 0.125, 0.1], atol=1e-6)
    p, q = 3 / 8, 2 / 8
    np.testing.assert_allclose(values["iou"], [1 / 4])
    np.testing.assert_allclose(values["iou_by_chance"], [p * q / (p + q - p * q)])
    alone = SearchResult(result.logits[:1], result.masks[:1], result.loss[:1], None)
    assert np.isnan(disagreement(alone)["iou"]).all() and not disagreement(alone)["spread"].any()


def test_rate():
    rng = np.random.default_rng(0)
    image = rng.normal(size=(2, *SIZE, 3)).astype("float32")
    mask = np.random.default_rng(1).random((2, *SIZE, 1)).astype("float32")
    rated = rate(left_net(), image, mask, Objective(terms=("l1",)), threshold=0.5)
    error = image[..., :1] * LEFT * (mask - 1)
    binary = image[..., :1] * LEFT * ((mask > 0.5) - 1)
    for name, values in (
        ("fidelity_rmse", np.sqrt((error**2).mean(axis=(1, 2, 3)))),
        ("binary_fidelity_rmse", np.sqrt((binary**2).mean(axis=(1, 2, 3)))),
        ("sparseness", (mask > 0.5).mean(axis=(1, 2, 3))),
        ("loss", np.abs(error).mean(axis=(1, 2, 3)) + 5 * mask.mean(axis=(1, 2, 3))),
    ):
        np.testing.assert_allclose(rated[name], values, rtol=1e-5, err_msg=name)
