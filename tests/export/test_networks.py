"""Stored networks: half-size weights, and networks that are not Keras's."""

import json

import export_by_hand as by_hand
import keras
import numpy as np
import pytest
import tensorflow as tf
from stable_ops import GRADIENT_OPS, STABLE_OPS, ops_saved_in

from tfdepthviz import export
from tfdepthviz.export.networks import store
from tfdepthviz.models import build_mask_net
from tfdepthviz.models.target import depth_target
from tfdepthviz.models.target_sources import open_network
from tfdepthviz.utils.errors import InputError

SIZE = by_hand.SIZE


@pytest.mark.parametrize("dtype, bits", [("float16", 11), ("bfloat16", 8)])
def test_half_size_weights(tmp_path, dtype, bits):
    nets = by_hand.tiny_nets(SIZE)
    nets[1].get_layer("scores").bias.assign([-3.5])
    path = export.export_savedmodel(*nets, tmp_path, card={}, weights_dtype=dtype)
    weights = json.loads((path / "assets.extra/card.json").read_text())["weights"]
    # The hash is that of the networks, however they are stored.
    assert weights["mask_net"]["sha256"] == by_hand.sha256(nets[1].get_weights())
    assert [weights[name]["stored_as"] for name in ("depth_net", "mask_net")] == [dtype] * 2

    loaded = tf.saved_model.load(str(path))
    answers = loaded.signatures
    variables = answers["mask"].variables
    assert {v.dtype.name for v in variables if len(v.shape) > 1} == {dtype}
    assert {v.dtype.name for v in variables if len(v.shape) == 1} == {"float32"}
    images = by_hand.photographs(2, *SIZE)
    # The same networks, rounded by NumPy: the mantissa's last bits are cut by hand.
    rounded = [keras.models.clone_model(net) for net in nets]
    for net, theirs in zip(rounded, nets, strict=True):
        net.set_weights([_rounded(w, bits) for w in theirs.get_weights()])
    by_hand.check(answers["serving_default"](image=images), by_hand.explained(rounded, images))
    exact = by_hand.explained(nets, images)
    assert 0 < np.abs(answers["mask"](image=images)["mask"] - exact["mask"]).max() < 0.05


def _rounded(weights, bits):
    """To so many significant bits, half to even; vectors stay as they are."""
    if weights.ndim < 2:
        return weights
    mantissa, exponent = np.frexp(weights.astype("float64"))
    # Below 2^-14 float16 has steps of 2^-24.
    steps = np.where(exponent < -13, 2.0 ** (exponent + 24), 2.0**11) if bits == 11 else 2.0**bits
    return np.ldexp(np.round(mantissa * steps) / steps, exponent).astype("float32")


def test_too_large_a_weight_is_named(tiny_nets):
    layer = tiny_nets[0].get_layer("depth")
    layer.kernel.assign(layer.kernel * 0 + 1e5)
    with pytest.raises(InputError, match=rf"{layer.name}/kernel, .* reach 1e\+05; bfloat16 can"):
        store(tiny_nets[0], (8, 12), "float16")
    assert store(tiny_nets[0], (8, 12), "bfloat16").weights_dtype == "bfloat16"


def a_keras_file(folder):
    net, _ = by_hand.tiny_nets(SIZE)
    net.save(folder / "net.keras")
    return keras.models.load_model(folder / "net.keras"), net.get_weights()


def a_savedmodel(folder):
    net, _ = by_hand.tiny_nets(SIZE)
    net.export(str(folder / "saved"), verbose=False)
    network = open_network(str(folder / "saved"))
    assert sorted(v.numpy().sum() for v in network.variables) == sorted(
        w.sum() for w in net.get_weights()
    )
    by_name = sorted((v.name, v.numpy().tobytes(), v.numpy()) for v in network.variables)
    return network, [array for _, _, array in by_name]


def a_function_with_a_variable(folder):
    kernel = tf.Variable(tf.random.stateless_normal((3, 3, 3, 1), (1, 2)))
    return lambda image: tf.nn.conv2d(image, kernel, 2, "SAME"), [kernel.numpy()]


def a_function_of_constants(folder):
    kernel = np.random.default_rng(0).normal(size=(3, 3, 3, 1)).astype("float32")
    return lambda image: tf.nn.conv2d(image, kernel, 2, "SAME"), []


@pytest.mark.parametrize(
    "make", [a_keras_file, a_savedmodel, a_function_with_a_variable, a_function_of_constants]
)
def test_networks_of_your_own(make, tmp_path):
    network, weights = make(tmp_path)
    target = depth_target(network, depth_kind="inverse", input_size=SIZE, normalisation="bytes")
    mask_net = by_hand.tiny_nets(SIZE)[1]
    if make is a_function_of_constants:
        mask_net = build_mask_net("compact_edges", (*SIZE, 3))
    half = "float16" if make is a_keras_file else "float32"
    path = export.export_savedmodel(
        target,
        mask_net,
        tmp_path / "out",
        card={},
        weights_dtype="float16",
    )
    card = json.loads((path / "assets.extra/card.json").read_text())
    assert card["weights"]["depth_net"] == {
        "sha256": by_hand.sha256(weights) if weights else None,
        "parameters": sum(w.size for w in weights),
        "stored_as": half,
    }
    assert (card["depth_kind"], card["depth_unit"], card["fidelity_unit"]) == ("inverse", None, "σ")
    del network
    assert ops_saved_in(path) - STABLE_OPS - GRADIENT_OPS == set()
    images = by_hand.photographs(3, *SIZE)
    loaded = tf.saved_model.load(str(path))
    got = loaded.signatures["serving_default"](image=images)
    depth = by_hand.run(target.net, by_hand.normalised(images))
    spread = np.ptp(depth)
    np.testing.assert_allclose(got["depth"], by_hand.stretched(depth, SIZE), atol=2e-3 * spread)
    mask = by_hand.run(mask_net, by_hand.normalised(images))
    np.testing.assert_allclose(got["mask"], mask, atol=2e-3)
    assert spread > 0 and not np.array_equal(got["depth"], got["masked_depth"])


def test_code_of_this_process_is_refused():
    image = keras.Input((*SIZE, 3))
    net = keras.Model(image, keras.layers.Conv2D(1, 1)(image))

    class InPython(keras.layers.Layer):
        def call(self, image):
            depth = tf.py_function(lambda x: net(x), [image], tf.float32)
            return tf.ensure_shape(depth, (None, *SIZE, 1))

    with pytest.raises(InputError, match="cannot be served: its graph holds EagerPyFunc"):
        store(keras.Model(image, InPython()(image)), SIZE)
