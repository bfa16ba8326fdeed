"""DepthTarget: a network behind the contract gives its own outputs; a broken clause is named."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny_nets
from keras import layers

from tfdepthviz.models import target
from tfdepthviz.utils.constants import IMAGENET_MEAN, IMAGENET_STD, INPUT_SIZE
from tfdepthviz.utils.errors import InputError

SIZE = (16, 24)
RNG = np.random.default_rng(0)
RGB = RNG.random((3, *SIZE, 3)).astype("float32")
IMAGE = ((RGB - IMAGENET_MEAN) / IMAGENET_STD).astype("float32")


def foreign(input_size=SIZE, outputs=1, **conv):
    image = keras.Input((*input_size, 3), name="images")
    x = layers.Conv2D(4, 3, strides=2, padding="same", activation="softplus", name="a")(image)
    maps = [layers.Conv2D(1, 3, padding="same", name=f"out{i}", **conv)(x) for i in range(outputs)]
    return keras.Model(image, maps[0] if outputs == 1 else dict(zip("dsx", maps, strict=False)))


def explained(network, **options):
    options = {"depth_kind": "metric", "normalisation": "unit", "input_size": SIZE, **options}
    return target.depth_target(network, **options)


@pytest.mark.parametrize(
    "normalisation, seen",
    [
        ("imagenet", IMAGE),
        ("unit", RGB),
        ("signed", 2 * RGB - 1),
        ("bytes", 255 * RGB),
        (((0.1, 0.2, 0.3), 0.5), (RGB - (0.1, 0.2, 0.3)) / 0.5),
    ],
)
def test_normalisations(normalisation, seen):
    network = foreign()
    net = explained(network, normalisation=normalisation).net
    np.testing.assert_allclose(net(IMAGE), network(seen), rtol=1e-4, atol=1e-5)
    assert net.input_shape == (None, *SIZE, 3) and net.output_shape == (None, 8, 12, 1)
    assert not net.trainable_variables and not network.trainable_variables


def test_every_form_of_output():
    network = foreign()
    expected = network(RGB).numpy()
    without_channel = lambda image: tf.squeeze(network(image), -1)  # noqa: E731
    for form, options in (
        (without_channel, {}),
        (lambda image: {"depth": network(image)}, {}),
        (lambda image: {"depth": network(image), "sky": image}, {"output": "depth"}),
        (lambda image: [image, network(image)], {"output": "1"}),
        (lambda image: tf.cast(network(image), tf.float64), {}),
        (tf.function(network), {}),
    ):
        got = explained(form, **options).net(IMAGE)
        assert got.dtype == tf.float32
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)


def test_named_outputs_and_inputs():
    network = foreign(outputs=2)
    net = explained(network, output="s").net
    np.testing.assert_allclose(net(IMAGE), network(RGB)["s"], rtol=1e-4, atol=1e-5)
    named = keras.Model({"images": network.inputs[0]}, network.output["d"])
    net = explained(named).net
    np.testing.assert_allclose(net(IMAGE), network(RGB)["d"], rtol=1e-4, atol=1e-5)


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.near = layers.Conv2D(1, 3, name="near")

    def call(self, image, training=False):
        return {"near": self.near(image)}


@pytest.mark.parametrize("make", [Subclassed, lambda: keras.Sequential([layers.Conv2D(1, 3)])])
def test_model_without_a_stated_input(make):
    net = target.depth_target(make(), depth_kind="inverse", input_size=(32, 48)).net
    assert net.output_shape == (None, 30, 46, 1)
    assert not net.trainable_variables


def test_input_size():
    assert explained(foreign(), input_size=None).net.input_shape[1:3] == SIZE
    free = foreign((None, None))
    assert explained(free, input_size=None).net.input_shape[1:3] == INPUT_SIZE
    assert explained(free, input_size=(20, 12)).net.output_shape == (None, 10, 6, 1)
    half = foreign((None, 24))
    assert explained(half, input_size=None).net.input_shape[1:3] == (228, 24)


class Noisy(layers.Layer):
    def call(self, x):
        return x + keras.random.normal(keras.ops.shape(x))


class OfBatch(layers.Layer):
    def call(self, x):
        return x - keras.ops.mean(x, axis=0, keepdims=True) + x[:, :1, :1]


def behind(layer):
    image = keras.Input((*SIZE, 3))
    return keras.Model(image, layer(layers.Conv2D(1, 3, padding="same")(image)))


@pytest.mark.parametrize(
    "network, options, says",
    [
        (foreign(), {"depth_kind": "disparity"}, "depth_kind must be one of metric, relative"),
        (foreign(), {"normalisation": "bgr"}, "clause 'normalisation': expected one of imagenet"),
        (foreign(), {"normalisation": (0.5, 0)}, "'normalisation': .* std of R, G, B above 0"),
        (foreign(), {"input_size": (8, 24)}, "'input size': expected .16, 24., which its input"),
        (
            foreign(outputs=2),
            {},
            "'output': expected the depth's name, one of d, s. Received: None",
        ),
        (foreign(outputs=2), {"output": "depth"}, "one of d, s. Received: depth"),
        (foreign(), {"output": "depth"}, "'output': expected no name: it has one. Received: depth"),
        (lambda x: tf.reduce_mean(x, (1, 2, 3)), {}, r"'output': expected one map.*\(2,\)"),
        (lambda x: tf.tile(x, (1, 1, 1, 2)), {}, r"'output': expected one map.*\(2, 16, 24, 6\)"),
        (lambda x: x[:, :1, :1, :1], {}, r"'output'.*Received: \(2, 1, 1, 1\)"),
        (lambda x: tf.math.log(x[..., :1] - 2), {}, "'finite output'.*100.0% of the values"),
        (lambda x: tf.round(9 * x[..., :1]), {}, "'gradient': .*Received: (none|zero)"),
        (lambda x: tf.stop_gradient(x[..., :1]), {}, "'gradient'.*Received: none at all"),
        (lambda x: tf.sqrt(0 * x[..., :1]), {}, "'gradient'.*Received: values that are not finite"),
        (lambda x: tf.matmul(x, tf.ones((5, 5))), {}, r"'input': expected to take images \(2, 16"),
        (behind(Noisy()), {}, "'deterministic': expected the same depth for the same images"),
        (behind(OfBatch()), {}, "'batch statistics frozen': expected the same depth for an image"),
        (keras.Sequential([keras.Input((8,)), layers.Dense(1)]), {}, "'input': expected one image"),
    ],
)
def test_each_broken_clause(network, options, says):
    with pytest.raises(InputError, match=says) as caught:
        explained(network, **options)
    assert "\n" not in str(caught.value)


def test_several_broken_clauses():
    noise = tf.random.Generator.from_seed(0)

    def network(image):
        return tf.stop_gradient(image[..., :1]) + noise.normal(tf.shape(image[..., :1]))

    with pytest.raises(InputError) as caught:
        explained(network, name="mine")
    lines = str(caught.value).split("\n")
    clauses = [line.split("'")[1] for line in lines]
    assert clauses == ["deterministic", "gradient"]
    assert all(line.startswith("mine, clause ") for line in lines)


def test_batch_statistics_stay():
    image = keras.Input((*SIZE, 3))
    x = layers.Conv2D(4, 3, name="c")(image)
    x = layers.BatchNormalization(name="bn")(x)
    x = layers.Dropout(0.5)(x)
    network = keras.Model(image, layers.Conv2D(1, 1)(x))
    before = [w.copy() for w in network.get_weights()]
    net = explained(network).net
    net(IMAGE, training=False)
    for was, now in zip(before, network.get_weights(), strict=True):
        np.testing.assert_array_equal(was, now)


def test_changing_variables_of_a_function():
    count = tf.Variable(1.0)

    def counting(image):
        count.assign_add(1e-6)
        return image[..., :1] * count

    counting.variables = [count]
    with pytest.raises(InputError, match="'frozen': expected no variable to change"):
        explained(counting)


def test_flat_depth_warns(caplog):
    explained(lambda image: 5 + 1e-5 * image[..., :1])
    assert "its depth hardly varies" in caplog.text
    caplog.clear()
    explained(foreign())
    assert not caplog.text


def test_unknown_depth_kind():
    with pytest.raises(InputError, match="depth_kind must be one of .* Received: 'feet'"):
        target.DepthTarget(tiny_nets.depth_net(), "feet")


def test_keras_model_counts_as_metric():
    net = tiny_nets.depth_net()
    explained = target.as_target(net)
    assert (explained.net, explained.depth_kind, explained.unit) == (net, "metric", "m")
    assert explained.input_size == tiny_nets.SIZE
    assert explained.output_size == tiny_nets.DEPTH_SIZE
    assert target.as_target(explained) is explained


def test_weights_that_are_not_finite():
    network = foreign()
    kernel = network.get_layer("a").kernel
    kernel.assign(np.where(np.arange(kernel.shape[-1]) == 0, np.inf, kernel.numpy()))
    with pytest.raises(InputError, match=r"clause 'finite weights': .*a/kernel"):
        explained(network)


def test_a_batch_of_one():
    """A reshape that fixes the batch: images of a batch run one by one, and have gradients."""
    inner = foreign()

    def network(image):
        return tf.reshape(inner(image), (1, 8, 12, 1))

    net = explained(network).net
    np.testing.assert_allclose(net(IMAGE), inner(RGB), rtol=1e-4, atol=1e-5)
    with tf.GradientTape() as tape:
        image = tf.Variable(IMAGE)
        total = tf.reduce_sum(net(image))
    assert np.abs(tape.gradient(total, image).numpy()).min(axis=(1, 2, 3)).shape == (3,)


def test_what_fails_in_a_graph_is_refused():
    inner = foreign()

    def in_numpy(image):
        depth = tf.numpy_function(lambda x: inner(x).numpy(), [image], tf.float32)
        return tf.ensure_shape(depth, (None, 8, 12, 1))

    with pytest.raises(InputError, match="clause '(gradient|graph)'"):
        explained(in_numpy)

    def by_twos(image):
        return tf.reshape(inner(image), (tf.shape(image)[0] // 2 * 2 or 1, 8, 12, 1))

    with pytest.raises(InputError, match="clause"):
        explained(by_twos)


def test_sizes_that_fit_are_named():
    def network(image):
        tf.debugging.assert_equal(image.shape[1] % 14 + image.shape[2] % 14, 0, "no patch")
        return foreign_free(image)

    def foreign_free(image):
        return tf.nn.avg_pool2d(image, 2, 2, "SAME")[..., :1]

    with pytest.raises(InputError, match=r"no patch.*input_size=14,28 .multiples of 14."):
        explained(network)


def test_channels_first_is_named():
    image = keras.Input((3, *SIZE))
    with pytest.raises(InputError, match=r"channels first.*tf.transpose"):
        explained(keras.Model(image, image[:, 0]))


def test_a_foreign_error_has_no_colours_and_is_whole():
    def network(image):
        raise ValueError("\x1b[1mlong " + "word " * 200 + "end\x1b[0m")

    with pytest.raises(InputError, match="long word .* word end") as raised:
        explained(network)
    assert "\x1b" not in str(raised.value)


def test_lack_of_memory_is_no_fault_of_the_network():
    def hungry(image):
        raise MemoryError("Unable to allocate 25. GiB")

    with pytest.raises(MemoryError, match="25. GiB"):
        explained(hungry)
