"""SqueezeNet of ImageNet: conv1 on our images against conv1 on the images of its training."""

import h5py
import keras
import numpy as np
import pytest

from tfdepthviz.models import build_depth_net
from tfdepthviz.models.porting.squeezenet import CAFFE_MEAN_RGB
from tfdepthviz.models.porting.weight_files import load_encoder
from tfdepthviz.utils.constants import IMAGENET_MEAN, IMAGENET_STD
from tfdepthviz.utils.errors import InputError

SIZE = (20, 28)


@pytest.fixture(scope="module")
def net():
    return build_depth_net("compact", (*SIZE, 3))


def write(path, net):
    """A file in the layout of the Keras port, with made-up arrays; returns layer name -> arrays."""
    rng, written = np.random.default_rng(0), {}
    with h5py.File(path, "w") as file:
        for layer in net.layers:
            if layer.name.startswith("encoder_") and layer.weights:
                name = layer.name.removeprefix("encoder_")
                written[name] = [rng.normal(size=w.shape).astype("float32") for w in layer.weights]
                group = file.create_group(name.replace("_", "/"))
                for end, array in zip(("kernel", "bias"), written[name], strict=True):
                    group.create_dataset(f"{name}_{end}:0", data=array)
    return written


def test_encoder_sees_the_images_of_its_training(net, tmp_path):
    written = write(tmp_path / "notop.h5", net)
    assert load_encoder(net, tmp_path / "notop.h5") == []
    rgb = np.random.default_rng(1).random((2, *SIZE, 3))
    kernel, bias = written.pop("conv1")
    trained_on = (255 * rgb - CAFFE_MEAN_RGB)[..., ::-1].astype("float32")
    expected = keras.ops.conv(trained_on, kernel, strides=2, padding="valid") + bias
    image = ((rgb - IMAGENET_MEAN) / IMAGENET_STD).astype("float32")
    kernel, bias = net.get_layer("encoder_conv1").get_weights()
    received = keras.ops.conv(image, kernel, strides=2, padding="valid") + bias
    np.testing.assert_allclose(received, expected, rtol=1e-4, atol=1e-4 * np.std(expected))
    for name, arrays in written.items():
        for got, array in zip(net.get_layer(f"encoder_{name}").get_weights(), arrays, strict=True):
            np.testing.assert_array_equal(got, array)


def test_incomplete_file(net, tmp_path):
    write(tmp_path / "notop.h5", net)
    with h5py.File(tmp_path / "notop.h5", "a") as file:
        del file["fire9/expand3x3"]
    with pytest.raises(InputError, match="expected the Keras file of SqueezeNet v1.1"):
        load_encoder(net, tmp_path / "notop.h5")
