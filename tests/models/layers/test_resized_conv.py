"""Convolutions of resized maps against the resize followed by the convolution."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from tfdepthviz.models import blocks
from tfdepthviz.models.encoder_decoder import encoder_decoder
from tfdepthviz.models.layers import conv_cost, conv_taps, resized_conv
from tfdepthviz.models.layers.conv_cost import direct_work, mixed_work, mixing_first_pays
from tfdepthviz.models.layers.resized_conv import conv_of_resized, resize_then_convolve

SIZES = [
    ((7, 9), (14, 18)),
    ((7, 9), (7, 9)),
    ((5, 70), (80, 171)),
    ((9, 7), (3, 2)),
    ((1, 1), (4, 3)),
]


def made_up(*shape, seed=0):
    return tf.constant(np.random.default_rng(seed).normal(size=shape))


@pytest.mark.parametrize("in_size, size", SIZES)
@pytest.mark.parametrize("kernel_size", [(5, 5), (3, 1)])
@pytest.mark.parametrize("strip_bytes", [conv_taps.STRIP_BYTES, 1000.0])
def test_outputs_and_gradients_in_float64(in_size, size, kernel_size, strip_bytes, monkeypatch):
    monkeypatch.setattr(conv_taps, "STRIP_BYTES", strip_bytes)
    x, kernel = made_up(2, *in_size, 3), made_up(*kernel_size, 3, 4, seed=1)
    weights = made_up(2, *size, 4, seed=2)
    results = []
    for form in (conv_of_resized, resize_then_convolve):
        with tf.GradientTape() as tape:
            tape.watch([x, kernel])
            output = form(x, kernel, size)
            loss = tf.reduce_sum(weights * output**2)
        results.append([output, *tape.gradient(loss, [x, kernel])])
    for received, expected in zip(*results, strict=True):
        np.testing.assert_allclose(received, expected, rtol=1e-10, atol=1e-10 * np.std(expected))


@pytest.mark.parametrize("in_graph", [True, False])
def test_second_derivatives(in_graph, monkeypatch):
    monkeypatch.setattr(conv_taps, "STRIP_BYTES", 1000.0)
    x, kernel = made_up(2, 5, 70, 3), made_up(3, 3, 3, 2, seed=1)

    def second(form):
        with tf.GradientTape() as outer:
            outer.watch(kernel)
            with tf.GradientTape() as inner:
                inner.watch(x)
                loss = tf.reduce_sum(form(x, kernel, (20, 141)) ** 3)
            gradient = inner.gradient(loss, x)
            loss = tf.reduce_sum(gradient**2)
        return outer.gradient(loss, kernel)

    second = tf.function(second) if in_graph else second
    received, expected = second(conv_of_resized), second(resize_then_convolve)
    np.testing.assert_allclose(received, expected, rtol=1e-9)


def test_zero_padding():
    ones, kernel = tf.ones((1, 3, 4, 1)), tf.ones((5, 5, 1, 1))
    received = conv_of_resized(ones, kernel, (6, 7))[0, :, :, 0]
    rows, columns = [3, 4, 5, 5, 4, 3], [3, 4, 5, 5, 5, 4, 3]  # taps within the map
    np.testing.assert_allclose(received, np.outer(rows, columns), rtol=1e-6)


def test_work_counted_by_hand():
    # 2x3x4 -> 5x6 with 7 filters of 3x3; one band each way, all of whose inputs are used.
    assert direct_work((2, 3, 4), (5, 6), 7, 3).multiply_adds == (
        5 * 2 * 3 * 4 + 5 * 6 * 3 * 4 + 5 * 6 * 9 * 4 * 7
    )
    assert mixed_work((2, 3, 4), (5, 6), 7, 3).multiply_adds == (
        2 * 3 * 9 * 4 * 7 + 3 * 2 * 7 * (6 * 3 * 3) + 6 * 7 * (5 * 3 * 2)
    )


def test_mixing_first_pays_for_deep_small_maps():
    assert mixing_first_pays((8, 10, 2048), (114, 152), 16, 5)
    assert mixing_first_pays((57, 76, 256), (114, 152), 128, 5)
    assert not mixing_first_pays((114, 152, 8), (114, 152), 64, 5)
    assert conv_cost.Work(10, 100).cost == 10 + 8 * 100


def test_layer_with_bias_and_activation():
    layer = resized_conv.Conv2D(4, 3, size=(6, 8), activation="relu", name="c")
    layer = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert layer.compute_output_shape((None, 2, 3, 5)) == (None, 6, 8, 4)
    x = tf.cast(made_up(2, 3, 4, 5), "float32")
    layer.build(x.shape)
    layer.bias.assign([1.0, -1.0, 0.5, 0.0])
    expected = ops.relu(resize_then_convolve(x, layer.kernel, (6, 8)) + layer.bias)
    np.testing.assert_allclose(layer(x), expected, atol=1e-5)


@pytest.mark.parametrize("wrong", [{"strides": 2}, {"padding": "valid"}, {"groups": 2}])
def test_refused_arguments(wrong):
    with pytest.raises(ValueError, match=f"no strides, dilation or groups.*{[*wrong.values()][0]}"):
        resized_conv.Conv2D(4, 3, size=(6, 8), **wrong)


def tiny_network():
    """D, MFF and R on four convolutions: every kind of layer that weight files contain."""

    def encoder(x, *, name):
        maps = {}
        for i in range(1, 5):
            x = blocks.conv_bn(x, 16 * 2**i, 3, strides=2, name=f"{name}_{i}")
            maps[f"block{i}"] = x
        return maps

    return encoder_decoder((40, 56, 3), encoder=encoder, name="tiny")


@pytest.fixture
def both_forms(monkeypatch):
    """Two equal networks: in one every up-projection mixes first, in the other none does."""
    nets = []
    for pays in (True, False):
        monkeypatch.setattr(conv_cost, "mixing_first_pays", lambda *_, pays=pays: pays)
        keras.utils.set_random_seed(len(nets))
        nets.append(tiny_network())
    return nets


@pytest.mark.parametrize("ending", ["weights.h5", "keras"])
@pytest.mark.parametrize("turn", [1, -1])
def test_weight_files_fit_both_forms(both_forms, ending, turn, tmp_path):
    written, read = both_forms[::turn]
    path = tmp_path / f"net.{ending}"
    written.save(path) if ending == "keras" else written.save_weights(path)
    read.load_weights(path)
    assert [v.path for v in read.variables] == [v.path for v in written.variables]
    image = np.random.default_rng(0).normal(size=(2, 40, 56, 3)).astype("float32")
    expected = written(image, training=False)
    np.testing.assert_allclose(read(image, training=False), expected, atol=1e-4 * np.std(expected))


def test_both_forms_train_alike(both_forms):
    for net in both_forms[1:]:
        net.set_weights(both_forms[0].get_weights())
    image = np.random.default_rng(0).normal(size=(2, 40, 56, 3)).astype("float32")
    gradients = []
    for net in both_forms:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.abs(net(image, training=True)))
        gradients.append(tape.gradient(loss, net.trainable_variables))
    for received, expected in zip(*gradients, strict=True):
        np.testing.assert_allclose(received, expected, rtol=0, atol=1e-3 * np.max(np.abs(expected)))
