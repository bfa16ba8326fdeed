"""Registry x property: every network must pass every test of this file.

Parity with the references: test_parity.py.
"""

import tempfile

import keras
import numpy as np
import pytest
import tensorflow as tf
from registry import GOLDEN, NETWORKS, build
from stable_ops import STABLE_OPS, ops_of

from tfdepthviz.export.networks import store
from tfdepthviz.models import DEPTH_NETS, MASK_NETS
from tfdepthviz.models.layers import conv_cost, resized_conv

SIZE = (64, 96)


def images(batch):
    """Made-up images; a larger batch begins with those of a smaller one."""
    return np.random.default_rng(0).normal(size=(batch, *SIZE, 3)).astype("float32")


@pytest.fixture(scope="module", params=NETWORKS, ids="-".join)
def net(request):
    """A network with made-up weights and statistics, built once for all tests."""
    keras.utils.set_random_seed(0)
    model = build(*request.param, SIZE)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.moving_variance.assign(layer.moving_variance * 1.5)
    return model


@pytest.fixture(scope="module")
def expected(net):
    return net(images(1), training=False).numpy()


def test_no_network_is_left_out(golden):
    registered = {"depth": DEPTH_NETS, "mask": MASK_NETS}
    assert set(NETWORKS) == {(kind, name) for kind, nets in registered.items() for name in nets}
    for name in GOLDEN.values():
        assert golden(name)["output"].size


def test_output_is_a_finite_map(net, expected):
    assert expected.shape == (1, *net.output_shape[1:3], 1)
    assert expected.dtype == np.float32
    assert np.isfinite(expected).all() and expected.std() > 0


def test_keras_file_round_trip(net, expected):
    with tempfile.TemporaryDirectory() as folder:
        net.save(f"{folder}/net.keras")
        loaded = keras.models.load_model(f"{folder}/net.keras", safe_mode=True)
    assert [layer.name for layer in loaded.layers] == [layer.name for layer in net.layers]
    np.testing.assert_allclose(loaded(images(1)), expected, rtol=1e-5, atol=1e-6)


def test_savedmodel_round_trip(net, expected):
    """At another batch size."""
    module = tf.Module()  # as tfdepthviz.export does; net.export takes four times as long
    module.tracked = [variable.value for variable in net.variables]
    spec = tf.TensorSpec((None, *SIZE, 3), tf.float32)
    module.serve = tf.function(
        lambda x: net(x, training=False), input_signature=[spec], autograph=False
    )
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(module, folder)
        loaded = tf.saved_model.load(folder)
    second = loaded.serve(images(2)[::-1])[1:]
    np.testing.assert_allclose(second, expected, rtol=1e-3, atol=1e-4 * expected.std())


def test_stable_ops(net):
    stored = store(net, SIZE)
    graph = stored.call.get_concrete_function().graph
    assert ops_of(graph.as_graph_def()) - STABLE_OPS == set()
    assert stored.parameters == net.count_params()


def test_tf_function(net, expected):
    @tf.function(autograph=False)
    def output_and_gradient(image):
        with tf.GradientTape() as tape:
            tape.watch(image)
            output = net(image, training=False)
        return output, tape.gradient(output, image)

    inside, gradient = output_and_gradient(tf.constant(images(1)))
    np.testing.assert_allclose(inside, expected, rtol=1e-3, atol=1e-4 * expected.std())
    assert np.isfinite(gradient).all()
    assert (gradient.numpy() != 0).mean() > 0.99  # nearly every value matters


def test_both_forms_of_resized_convolutions(net, expected, monkeypatch, request):
    if not any(isinstance(layer, resized_conv.Conv2D) for layer in net.layers):
        pytest.skip("convolves no resized map")
    pays = conv_cost.mixing_first_pays
    monkeypatch.setattr(conv_cost, "mixing_first_pays", lambda *shapes: not pays(*shapes))
    other = build(*request.node.callspec.params["net"], SIZE)
    other.set_weights(net.get_weights())
    received = other(images(1), training=False)
    np.testing.assert_allclose(received, expected, rtol=0, atol=1e-4 * expected.std())


@pytest.mark.parametrize("kind, name", NETWORKS)
def test_mixed_precision(kind, name, dtype_policy):
    dtype_policy("mixed_bfloat16")
    model = build(kind, name, SIZE)
    output = model(images(1), training=False)
    assert output.dtype == tf.float32
    assert np.isfinite(output).all()
    assert {variable.dtype for variable in model.trainable_variables} == {"float32"}
