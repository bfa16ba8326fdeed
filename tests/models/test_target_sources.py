"""Depth networks from every source, in its true format, against the network itself."""

import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from tfdepthviz.models.target import depth_target
from tfdepthviz.models.target_sources import open_network
from tfdepthviz.utils.constants import IMAGENET_MEAN, IMAGENET_STD
from tfdepthviz.utils.errors import InputError
from trainers.cli.target import Target

SIZE = (28, 42)
RGB = np.random.default_rng(0).random((2, *SIZE, 3)).astype("float32")


@pytest.fixture
def network():
    image = keras.Input((*SIZE, 3), name="photo")
    x = layers.Conv2D(4, 3, strides=2, padding="same", activation="softplus")(image)
    x = layers.BatchNormalization()(x)
    return keras.Model(image, layers.Conv2D(1, 3, padding="same", name="distance")(x))


def test_keras_file(network, tmp_path):
    network.save(tmp_path / "n.keras")
    opened = open_network(str(tmp_path / "n.keras"))
    np.testing.assert_allclose(opened(RGB), network(RGB), atol=1e-6)


def test_signatures_of_a_savedmodel(network, tmp_path, replicas):
    archive = keras.export.ExportArchive()
    archive.track(network)
    spec = [tf.TensorSpec((None, *SIZE, 3), tf.float32, name="photo")]
    call = tf.function(lambda photo: {"near": -network(photo), "far": network(photo)})
    archive.add_endpoint("both", call, spec)
    archive.add_endpoint("serving_default", network.__call__, spec)
    archive.write_out(str(tmp_path / "1"), verbose=False)
    opened = open_network(str(tmp_path / "1"))
    net = depth_target(opened, depth_kind="metric", input_size=SIZE, normalisation="unit").net
    expected = depth_target(network, depth_kind="metric", normalisation="unit").net(RGB)
    np.testing.assert_allclose(net(RGB), expected, atol=1e-5)
    target = Target(str(tmp_path / "1"), None, "relative", "unit", "near", "both").build(SIZE)
    assert target.depth_kind == "relative"
    np.testing.assert_allclose(target.net(RGB), -expected, atol=1e-5)
    with replicas(2).scope():
        mirrored = Target(str(tmp_path / "1"), None, "metric", "unit").build(SIZE)
    np.testing.assert_allclose(mirrored.net(RGB), expected, atol=1e-5)
    with pytest.raises(InputError, match="no signature 'thrid'; there is both, serving_default"):
        open_network(str(tmp_path / "1"), "thrid")


def test_image_size_of_a_signature(network, tmp_path):
    network.export(str(tmp_path / "1"), verbose=False)
    opened = open_network(str(tmp_path / "1"))
    assert depth_target(opened, depth_kind="inverse").net.input_shape == (None, *SIZE, 3)
    with pytest.raises(InputError, match="clause 'input size'"):
        depth_target(opened, depth_kind="inverse", input_size=(56, 84))


CODE = """
import keras
import tensorflow as tf
from level import LEVEL

def constant(): return 3
def grey(image): return tf.reduce_mean(image, -1) + LEVEL
def build():
    image = keras.Input((28, 42, 3))
    return keras.Model(image, keras.layers.Conv2D(1, 3, name="c")(image))
def make(level=2.0): return lambda image: image[..., :1] * level
model = build()
def broken():
    raise RuntimeError("no weights\\nhere")
"""


def test_python_code(tmp_path):
    (tmp_path / "own.py").write_text(CODE)
    (tmp_path / "level.py").write_text("LEVEL = 2.0\n")
    path = str(tmp_path / "own.py")
    np.testing.assert_allclose(open_network(f"{path}:grey")(RGB), RGB.mean(-1) + 2, rtol=1e-5)
    np.testing.assert_allclose(open_network(f"{path}:make")(RGB), RGB[..., :1] * 2)
    assert isinstance(open_network(f"{path}:build"), keras.Model)
    assert isinstance(open_network(f"{path}:model"), keras.Model)
    for name, says in (
        ("constant", "own.py:constant: expected a network, .* Received: int"),
        ("nothing", "own.py: defines no nothing"),
        ("broken", "own.py, line 14: RuntimeError: no weights here"),
    ):
        with pytest.raises(InputError, match=says):
            open_network(f"{path}:{name}")


def test_keras_hub_preset(tmp_path):
    keras_hub = pytest.importorskip("keras_hub", reason="keras-hub presets need extra `targets`")
    encoder = {"num_layers": 4, "hidden_dim": 8, "num_heads": 2, "intermediate_dim": 16}
    backbone = keras_hub.models.DepthAnythingBackbone(
        image_encoder=keras_hub.models.DINOV2Backbone(
            patch_size=14, image_shape=(84, 84, 3), **encoder
        ),
        reassemble_factors=[4, 2, 1, 0.5],
        neck_hidden_dims=[8, 8, 8, 8],
        fusion_hidden_dim=8,
        head_hidden_dim=8,
        head_in_index=-1,
        feature_keys=["stage1", "stage2", "stage3", "stage4"],
    )
    network = keras_hub.models.DepthAnythingDepthEstimator(
        backbone, depth_estimation_type="relative"
    )
    network.save_to_preset(str(tmp_path / "preset"))
    where = f"hub:{tmp_path / 'preset'}"
    target = Target(where, depth_kind="inverse", depth_input="imagenet").build()
    image = np.random.default_rng(1).normal(size=(2, 84, 84, 3)).astype("float32")
    assert target.net.output_shape == (None, 84, 84, 1)
    expected = network(image)["depths"]
    np.testing.assert_allclose(target.net(image), expected, rtol=1e-4, atol=1e-5)
    net = depth_target(network, depth_kind="inverse").net
    np.testing.assert_allclose(net(image), expected, rtol=1e-4, atol=1e-5)
    with pytest.raises(InputError, match="hub:nowhere/at_all: does not load"):
        open_network("hub:nowhere/at_all")


@pytest.mark.parametrize(
    "where, says",
    [
        ("gone.keras", "gone.keras: no such file"),
        ("gone.py:build", "gone.py: no such file"),
        ("own.py", "own.py: expected FILE.py:NAME, NAME being the model"),
        ("text.keras", "text.keras: does not load as a .keras model"),
        ("folder", "folder: expected a SavedModel, but the folder has no saved_model.pb"),
        ("broken", "broken: does not load as a SavedModel"),
        (
            "gone",
            "gone: no depth network of that name; expected a .keras or .onnx file, a SavedModel's",
        ),
        ("text.pth", "text.pth: is a file of PyTorch, which is not opened here"),
        ("text.weights.h5", "text.weights.h5: holds weights without their network"),
        ("lambda.keras", "lambda.keras: does not load as a .keras model .*[Ll]ambda.*FILE.py:NAME"),
    ],
)
def test_no_network(where, says, tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/saved_model.pb").write_bytes(b"\xff" * 99)
    for name in ("text.keras", "text.pth", "text.weights.h5"):
        (tmp_path / name).write_text("no network")
    image = keras.Input((*SIZE, 3))
    keras.Model(image, layers.Lambda(lambda x: x[..., :1])(image)).save(tmp_path / "lambda.keras")
    with pytest.raises(InputError, match=says) as caught:
        open_network(str(tmp_path / where))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "flags, says",
    [
        ({"depth_net": "resnet"}, "--depth_net=resnet: expected one of hu_resnet50, .*compact, a"),
        ({"depth_net": "n.keras"}, "--depth_kind: --depth_net=n.keras needs it"),
        ({"depth_net": "n.keras", "depth_kind": "metric"}, "--depth_input: --depth_net=n.keras"),
        ({"depth_net": "n.keras", "depth_weights": "w.h5"}, "--depth_weights=w.h5: .* its own"),
        ({"depth_kind": "inverse"}, "--depth_kind=inverse: --depth_net=compact takes none"),
        ({"depth_output": "d"}, "--depth_output=d: --depth_net=compact takes none"),
        (
            {"depth_net": "fcrn_resnet50", "depth_weights": "fcrn"},
            "--depth_input: fcrn_resnet50 as published sees RGB from 0 to 255",
        ),
        ({"depth_net": "hu_resnet50"}, "--depth_weights: --depth_net=hu_resnet50 needs the weigh"),
    ],
)
def test_missing_and_contradicting_flags(flags, says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "n.keras").write_text("not opened")
    (tmp_path / "fcrn").mkdir()
    with pytest.raises(InputError, match=says):
        Target(**flags).build()


def test_registered_networks():
    embedded, chance = (Target(depth_weights=w).build((32, 48)) for w in (None, "random"))
    assert embedded.depth_kind == "metric" and not embedded.net.trainable_variables
    kernels = [t.net.get_layer("encoder_conv1").kernel.numpy() for t in (embedded, chance)]
    assert np.abs(kernels[0] - kernels[1]).max() > 0
    image = np.random.default_rng(1).random((1, 32, 48, 3)).astype("float32")
    bytes_in = Target(depth_input="bytes").build((32, 48)).net
    normalised = (image - IMAGENET_MEAN) / IMAGENET_STD
    np.testing.assert_allclose(bytes_in(normalised), embedded.net(255 * image), rtol=1e-3)


def test_code_that_is_a_script(tmp_path, monkeypatch):
    """argparse sees no flags of ours; what ends the process is named."""
    (tmp_path / "script.py").write_text(
        "import argparse, sys\n"
        "parser = argparse.ArgumentParser()\n"
        "parser.add_argument('--size', type=int, default=7)\n"
        "size = parser.parse_args().size\n"
        "def depth(image):\n"
        "    return image[..., :1] * size\n"
        "def build():\n"
        "    sys.exit(3)\n"
    )
    monkeypatch.setattr(sys, "argv", ["evaluate", "--dataset=folder"])
    network = open_network(f"{tmp_path}/script.py:depth")
    np.testing.assert_array_equal(network(RGB), RGB[..., :1] * 7)
    assert sys.argv == ["evaluate", "--dataset=folder"]
    with pytest.raises(InputError, match=r"script.py, line 8: ends the process"):
        open_network(f"{tmp_path}/script.py:build")


def test_code_that_switches_to_version_1(tmp_path):
    for switch in ("disable_eager_execution", "disable_v2_behavior"):
        (tmp_path / "old.py").write_text(
            f"import tensorflow as tf\ntf.compat.v1.{switch}()\ndef depth(image):\n    return image"
        )
        code = (
            "from tfdepthviz.models.target_sources import open_network\n"
            f"try: open_network('{tmp_path}/old.py:depth')\n"
            "except ValueError as error: print(error)"
        )
        ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert "old.py: switches TensorFlow to version 1" in ran.stdout, ran.stderr


def test_layer_of_its_own_is_named(tmp_path):
    class UpsamplingOfAProjectWithALongName(keras.layers.Layer):
        __module__ = "__main__"  # as of a script or notebook

        def call(self, x):
            return x

    image = keras.Input((*SIZE, 3))
    path = str(tmp_path / "own.keras")
    keras.Model(image, UpsamplingOfAProjectWithALongName()(image)).save(path)
    with pytest.raises(InputError, match="holds UpsamplingOfAProjectWithALongName, which .*FILE"):
        open_network(path)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("n.h5", "Keras 2, .*load_model"),
        ("n.pb", "TensorFlow 1, .*wrap_function"),
        ("n.tflite", "TensorFlow Lite model, .*no gradients"),
        ("n.pth", "PyTorch, .*torch:FILE.py:NAME"),
    ],
)
def test_other_files_are_named(tmp_path, name, says):
    (tmp_path / name).write_bytes(b"something")
    with pytest.raises(InputError, match=rf"{name}: is .*{says}"):
        open_network(str(tmp_path / name))


def test_weights_of_a_savedmodel_that_are_not_finite(tmp_path):
    module = tf.Module()
    module.scale = tf.Variable([1.0, np.nan])
    call = tf.function(
        lambda image: {"depth": image[..., :1] * module.scale[0]},
        input_signature=[tf.TensorSpec((None, *SIZE, 3))],
    )
    tf.saved_model.save(module, str(tmp_path), signatures=call)
    network = open_network(str(tmp_path))
    with pytest.raises(InputError, match="'finite weights': expected numbers in all of them"):
        depth_target(network, depth_kind="metric")
