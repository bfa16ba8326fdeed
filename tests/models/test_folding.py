"""Folding: the folded network gives the same outputs, and layers that cannot be folded stay.

The published networks: tests/conformance/test_every_network.py.
"""

import gc
import weakref

import keras
import numpy as np
import pytest
from keras import layers

from tfdepthviz.models import build_depth_net
from tfdepthviz.models.folding import fold_batch_norm
from tfdepthviz.models.layers import GroupedConv2D, resized_conv
from tfdepthviz.models.target import depth_target

SIZE = (11, 14, 8)


def norms(model):
    return [x for x in model.layers if isinstance(x, layers.BatchNormalization)]


def drawn(model):
    """The model with every weight drawn at random, statistics included."""
    rng = np.random.default_rng(0)
    for weight in model.weights:
        low, high = (0.5, 2.0) if "variance" in weight.path else (-1.0, 1.0)
        weight.assign(rng.uniform(low, high, weight.shape))
    return model


def apart(one, other):
    """Largest difference on made-up images, as a share of the largest output."""
    images = np.random.default_rng(1).normal(size=(2, *one.input_shape[1:])).astype("float64")
    one, other = (np.asarray(net(images, training=False)) for net in (one, other))
    assert one.std() > 0
    return np.abs(one - other).max() / np.abs(one).max()


def test_trained_compact_net():
    model = build_depth_net("compact", (37, 52, 3), weights="nyu")
    before = model.get_weights()
    folded = fold_batch_norm(model)
    assert norms(folded) == [] and len(norms(model)) == 13
    assert folded.name == "compact" and folded.count_params() < model.count_params()
    assert apart(model, folded) < 1e-5
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


KINDS = {
    "conv": lambda **more: layers.Conv2D(6, 3, **more),
    "grouped": lambda **more: GroupedConv2D(6, 3, groups=2, **more),
    "resized": lambda **more: resized_conv.Conv2D(6, 3, size=(15, 17), **more),
    "transposed": lambda **more: layers.Conv2DTranspose(6, 3, strides=2, **more),
    "depthwise": lambda **more: layers.DepthwiseConv2D(3, depth_multiplier=2, **more),
    "dense": lambda **more: layers.Dense(6, **more),
}


@pytest.mark.parametrize("use_bias", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_layer(kind, use_bias, dtype_policy):
    dtype_policy("float64")
    image = keras.Input(SIZE, name="image")
    x = KINDS[kind](use_bias=use_bias, name="conv")(image)
    x = layers.BatchNormalization(epsilon=0.01, scale=use_bias, center=use_bias, name="bn")(x)
    model = drawn(keras.Model(image, layers.Activation("tanh", name="tanh")(x)))
    model.trainable = False
    folded = fold_batch_norm(model)
    assert [layer.name for layer in folded.layers] == ["image", "conv", "tanh"]
    assert folded.trainable_variables == []
    assert apart(model, folded) < 1e-12


def two_readers(image, conv, bn):
    x = conv(image)
    return layers.Concatenate()([bn(x), x])


def shared_conv(image, conv, bn):
    return layers.Concatenate()([bn(conv(image)), conv(2.0 * image)])


def shared_norm(image, conv, bn):
    return layers.Concatenate()([bn(conv(image)), bn(2.0 * conv(image))])


CANNOT = {
    "norm first": lambda image, conv, bn: conv(layers.BatchNormalization()(image)),
    "two readers": two_readers,
    "an output too": lambda image, conv, bn: (x := conv(image), bn(x)),
    "shared convolution": shared_conv,
    "shared norm": shared_norm,
    "activation": lambda image, conv, bn: bn(layers.Conv2D(6, 3, activation="relu")(image)),
    "something between": lambda image, conv, bn: bn(layers.ZeroPadding2D(1)(conv(image))),
    "batch statistics": lambda image, conv, bn: bn(conv(image), training=True),
    "another axis": lambda image, conv, bn: layers.BatchNormalization(axis=1)(conv(image)),
    "a class of its own": lambda image, conv, bn: bn(
        type("Mine", (layers.Conv2D,), {})(6, 3)(image)
    ),
}


@pytest.mark.parametrize("why", CANNOT)
def test_unfoldable_networks_stay(why):
    image = keras.Input(SIZE)
    outputs = CANNOT[why](image, layers.Conv2D(6, 3), layers.BatchNormalization())
    model = keras.Model(image, outputs)
    assert fold_batch_norm(model) is model


def test_only_foldable_norms_go():
    image = keras.Input(SIZE)
    x = layers.BatchNormalization(name="first")(image)
    x = layers.Conv2D(6, 3, activation="relu", name="with_relu")(x)
    x = layers.BatchNormalization(name="second")(x)
    x = layers.BatchNormalization(name="third")(layers.Conv2D(6, 3, name="conv")(x))
    x = layers.BatchNormalization(name="fourth")(x)
    model = drawn(keras.Model(image, {"a": x, "b": x[..., :1]}))
    folded = fold_batch_norm(model)
    assert [norm.name for norm in norms(folded)] == ["first", "second", "fourth"]
    stays = folded.get_layer("with_relu").get_weights(), model.get_layer("with_relu").get_weights()
    assert all(np.array_equal(one, other) for one, other in zip(*stays, strict=True))
    images = np.random.default_rng(1).normal(size=(2, *SIZE))
    one, other = model(images), folded(images)
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_allclose(one[name], other[name], rtol=1e-4, atol=1e-5)


def test_original_network_is_freed():
    """Otherwise its kernels would stay in memory next to those of the folded network."""
    image = keras.Input(SIZE)
    x = layers.BatchNormalization()(layers.Conv2D(6, 3)(image))
    x = layers.Dropout(0.5)(layers.Activation("relu")(x))
    model = keras.Model(image, layers.Conv2D(1, 3)(x))
    gone = [weakref.ref(layer) for layer in model.layers]
    folded = fold_batch_norm(model)
    del model, image, x
    gc.collect()
    assert not any(layer() for layer in gone)
    assert folded(np.zeros((1, *SIZE))).shape[-1] == 1


def test_networks_within_the_network():
    inner = keras.Sequential(
        [layers.Dense(5, name="dense"), layers.BatchNormalization()], name="inner"
    )
    image = keras.Input(SIZE)
    x = layers.Concatenate()([inner(image), inner(-image)])
    model = drawn(keras.Model(image, x))
    folded = fold_batch_norm(model)
    assert [layer.name for layer in folded.get_layer("inner").layers][-1] == "dense"
    assert apart(model, folded) < 1e-5


def test_models_without_a_graph_stay():
    class Subclassed(keras.Model):
        def call(self, image):
            return image

    class Overridden(keras.Model):
        def call(self, image):
            return 2.0 * super().call(image)

    image = keras.Input(SIZE)
    x = layers.BatchNormalization()(layers.Dense(3)(image))
    for model in (Subclassed(), Overridden(image, x), keras.Sequential([layers.Dense(3)])):
        assert fold_batch_norm(model) is model


def test_depth_target():
    """A network of the user's own lies within a layer, not in the graph."""
    image = keras.Input((*SIZE[:2], 3))
    x = layers.BatchNormalization(name="bn")(layers.Conv2D(4, 3, name="conv")(image))
    network = drawn(keras.Model(image, layers.Conv2D(1, 3, name="depth")(x)))
    target = depth_target(network, depth_kind="relative", normalisation="unit")
    folded = target.folded()
    assert folded.depth_kind == "relative"
    assert len(folded.net.weights) == len(target.net.weights) - 4
    assert folded.net.trainable_variables == []
    assert apart(target.net, folded.net) < 1e-5
    as_function = depth_target(
        lambda image: network(image), depth_kind="relative", input_size=SIZE[:2]
    )
    assert as_function.folded().net is as_function.net
