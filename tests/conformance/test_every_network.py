"""Registry x property: every network must pass every test of this file."""

import tempfile

import golden_recipe
import keras
import numpy as np
import pytest
import tensorflow as tf
from registry import GOLDEN, NETWORKS, build
from stable_ops import STABLE_OPS, ops_of

from tfdepthviz.export.networks import store
from tfdepthviz.models import DEPTH_NETS, MASK_NETS, porting
from tfdepthviz.models.folding import fold_batch_norm
from tfdepthviz.models.layers import conv_cost, resized_conv

SIZE = (64, 96)  # of the golden files, too
# Batch normalisations that cannot be folded: they precede a convolution, or follow an interleaving.
LEFT = {"hu_densenet161": 82, "fcrn_resnet50": 8}
# Encoders of hundreds of layers.
GIANTS = ("hu_densenet161", "hu_senet154")


def marks(network):
    return [pytest.mark.slow] if network[1] in GIANTS else []


@pytest.fixture(
    scope="module", params=[pytest.param(n, marks=marks(n)) for n in NETWORKS], ids="-".join
)
def network(request):
    """Registry and name of a network."""
    return request.param


@pytest.fixture(scope="module")
def reference(network, golden):
    """The golden file of a network, a dict; None where no reference exists."""
    return golden(GOLDEN[network]) if network in GOLDEN else None


@pytest.fixture(scope="module")
def net(network, reference):
    """A network with made-up weights and statistics, built once for all tests."""
    keras.utils.set_random_seed(0)
    model = build(*network, SIZE)
    if reference:
        porting.port_weights(model, golden_recipe.weights(reference))
        return model
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.moving_variance.assign(layer.moving_variance * 1.5)
    return model


@pytest.fixture(scope="module")
def images(reference):
    """Two made-up images."""
    if reference:
        return golden_recipe.image(reference)
    return np.random.default_rng(0).normal(size=(2, *SIZE, 3)).astype("float32")


@pytest.fixture(scope="module")
def expected(net, images):
    """(2, h, w, 1), the network's outputs for the images."""
    return net(images, training=False).numpy()


@pytest.fixture(scope="module")
def stored(net):
    """The network as an export stores it."""
    return store(net, SIZE)


def test_no_network_is_left_out(golden):
    registered = {"depth": DEPTH_NETS, "mask": MASK_NETS}
    assert set(NETWORKS) == {(kind, name) for kind, nets in registered.items() for name in nets}
    for name in GOLDEN.values():
        assert golden(name)["output"].size


def test_output_is_a_finite_map(net, expected):
    assert expected.shape == (2, *net.output_shape[1:3], 1)
    assert expected.dtype == np.float32
    assert np.isfinite(expected).all() and expected.std() > 0


def test_output_of_the_reference(expected, reference):
    if reference is None:
        pytest.skip("has no reference")
    assert tuple(reference["input_shape"]) == (2, *SIZE, 3)
    tolerance = 1e-4 * reference["output"].std()
    np.testing.assert_allclose(expected, reference["output"], rtol=0, atol=tolerance)


def test_folded_batch_norms(net, network, images, expected):
    folded = fold_batch_norm(net)
    largest = np.abs(expected).max()
    np.testing.assert_allclose(
        folded(images, training=False), expected, rtol=0, atol=1e-5 * largest
    )
    norms = {x.name for x in net.layers if isinstance(x, keras.layers.BatchNormalization)}
    names = {layer.name for layer in folded.layers}
    assert len(norms & names) == LEFT.get(network[1], 0)
    assert names >= {layer.name for layer in net.layers} - norms


def test_keras_file_round_trip(net, images, expected):
    with tempfile.TemporaryDirectory() as folder:
        net.save(f"{folder}/net.keras")
        loaded = keras.models.load_model(f"{folder}/net.keras", safe_mode=True)
    assert [layer.name for layer in loaded.layers] == [layer.name for layer in net.layers]
    np.testing.assert_allclose(loaded(images), expected, rtol=1e-5, atol=1e-6)


def test_savedmodel_round_trip(stored, images, expected):
    """At another batch size."""
    module = tf.Module()  # as tfdepthviz.export does; net.export takes four times as long
    module.tracked, module.serve = stored.variables, stored.call
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(module, folder)
        loaded = tf.saved_model.load(folder)
    second = loaded.serve(images[1:])
    np.testing.assert_allclose(second, expected[1:], rtol=1e-3, atol=1e-4 * expected.std())


def test_stable_ops(net, stored):
    graph = stored.call.get_concrete_function().graph
    assert ops_of(graph.as_graph_def()) - STABLE_OPS == set()
    assert stored.parameters == net.count_params()


def test_tf_function(net, images, expected):
    @tf.function(autograph=False)
    def output_and_gradient(image):
        with tf.GradientTape() as tape:
            tape.watch(image)
            output = net(image, training=False)
        return output, tape.gradient(output, image)

    inside, gradient = output_and_gradient(tf.constant(images[:1]))
    np.testing.assert_allclose(inside, expected[:1], rtol=1e-3, atol=1e-4 * expected.std())
    assert np.isfinite(gradient).all()
    assert (gradient.numpy() != 0).mean() > 0.99  # nearly every value matters


def test_both_forms_of_resized_convolutions(network, net, images, expected, monkeypatch):
    if network[1] in GIANTS:
        pytest.skip("has the decoder of hu_resnet50")
    if not any(isinstance(layer, resized_conv.Conv2D) for layer in net.layers):
        pytest.skip("convolves no resized map")
    pays = conv_cost.mixing_first_pays
    monkeypatch.setattr(conv_cost, "mixing_first_pays", lambda *shapes: not pays(*shapes))
    other = build(*network, SIZE)
    other.set_weights(net.get_weights())
    received = other(images, training=False)
    np.testing.assert_allclose(received, expected, rtol=0, atol=1e-4 * expected.std())


@pytest.mark.parametrize("kind, name", [pytest.param(*n, marks=marks(n)) for n in NETWORKS])
def test_mixed_precision(kind, name, dtype_policy):
    dtype_policy("mixed_bfloat16")
    model = build(kind, name, SIZE)
    image = np.random.default_rng(0).normal(size=(1, *SIZE, 3)).astype("float32")
    output = model(image, training=False)
    assert output.dtype == tf.float32
    assert np.isfinite(output).all()
    assert {variable.dtype for variable in model.trainable_variables} == {"float32"}
