"""Check of a depth kind, on networks whose output is known."""

import keras
import numpy as np
import pytest

from tfdepthviz.evaluation.kind_check import check_kind_of_output
from tfdepthviz.models.target import DepthTarget

SIZE = (8, 12)


def batch(seed=0):
    """Frames whose red channel is their depth; a third of it is missing."""
    rng = np.random.default_rng(seed)
    image = rng.uniform(1, 9, (3, *SIZE, 3)).astype("float32")
    depth = np.where(rng.random((3, *SIZE, 1)) < 1 / 3, 0, image[..., :1])
    return {"image": image, "depth": depth}


def checked(kind, output):
    image = keras.Input((*SIZE, 3))
    target = DepthTarget(keras.Model(image, output(image[..., :1])), kind)
    return check_kind_of_output(target, batch())


def test_metres():
    result = checked("metric", lambda red: 1.1 * red)
    assert result.correlation == pytest.approx(1) and result.frames == 3
    assert result.ratio == pytest.approx(1.1, rel=1e-5) and result.doubt() is None


@pytest.mark.parametrize("kind", ["metric", "relative"])
def test_inverse_depth_that_is_called_depth(kind):
    result = checked(kind, lambda red: 1 / red)
    assert result.correlation == pytest.approx(-1)
    assert "falls where measured depth grows (rank correlation -1.00" in result.doubt()


def test_depth_that_is_called_inverse():
    assert "grows with measured depth" in checked("inverse", lambda red: red).doubt()
    assert checked("inverse", lambda red: 1 / red).doubt() is None


def test_another_unit_than_metres():
    assert "1e+03 times the measured depth" in checked("metric", lambda red: 1000 * red).doubt()
    assert checked("relative", lambda red: 1000 * red).doubt() is None


def test_poor_network():
    rng = np.random.default_rng(1)
    noise = keras.ops.convert_to_tensor(rng.uniform(1, 9, (1, *SIZE, 1)).astype("float32"))
    for kind in ("metric", "inverse"):
        assert checked(kind, lambda red: 0 * red + noise).doubt() is None


def test_frames_without_depth():
    target = DepthTarget(keras.Sequential([keras.Input((*SIZE, 3)), keras.layers.Conv2D(1, 1)]))
    image = batch()["image"]
    assert check_kind_of_output(target, {"image": image, "depth": 0 * image[..., :1]}) is None
