"""Files written before the modules moved still load and give the same numbers."""

import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfdepthviz.models import load_weights
from tfdepthviz.serving.local_model import LocalModel

FOLDER = pathlib.Path(__file__).resolve().parents[1] / "saved_before"


@pytest.fixture(scope="module")
def outputs():
    with np.load(FOLDER / "outputs.npz") as file:
        return dict(file)


@pytest.mark.parametrize(
    "name, image, output",
    [
        ("layers", "frames", "layers"),
        ("depth_net", "small", "depth"),
        ("mask_net", "small", "mask"),
    ],
)
def test_keras_file(outputs, name, image, output):
    net = keras.models.load_model(FOLDER / f"{name}.keras")
    result = net(outputs[image], training=False)
    np.testing.assert_allclose(result, outputs[output], rtol=0, atol=1e-6)


def test_weights_file(outputs):
    net = keras.models.load_model(FOLDER / "layers.keras")
    for weight in net.weights:
        weight.assign(keras.ops.zeros_like(weight))
    load_weights(net, FOLDER / "layers.weights.h5")
    result = net(outputs["frames"], training=False)
    np.testing.assert_allclose(result, outputs["layers"], rtol=0, atol=1e-6)


def test_savedmodel(outputs):
    path = FOLDER / "savedmodel/1"
    served = tf.saved_model.load(str(path)).signatures["serving_default"]
    result = served(image=tf.constant(outputs["raw"]))
    expected = {key.removeprefix("served/"): outputs[key] for key in outputs if "/" in key}
    assert set(result) == set(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(result[name], value, rtol=0, atol=1e-6, err_msg=name)
    assert LocalModel(path)
