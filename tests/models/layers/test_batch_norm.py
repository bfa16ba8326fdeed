"""Batch normalisation: the fused operation against Keras's own."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from stable_ops import ops_of

from tfdepthviz.models.layers.batch_norm import BatchNormalization

SHAPE = (2, 5, 7, 6)


def made_up(seed=0):
    x = np.random.default_rng(seed).normal(2.0, 3.0, size=SHAPE)
    return tf.constant(x.astype("float32"))


def trained(cls, policy="float32"):
    """Output, gradients and running statistics of one step in training."""
    layer = cls(momentum=0.9, epsilon=1e-5, dtype=policy)
    layer.build(SHAPE)
    layer.gamma.assign(np.linspace(0.5, 2.0, SHAPE[-1]))
    layer.beta.assign(np.linspace(-1.0, 1.0, SHAPE[-1]))
    x = made_up()
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x, training=True)
        loss = tf.reduce_sum(tf.cast(y, "float32") * made_up(seed=1))
    gradients = tape.gradient(loss, [x, layer.gamma.value, layer.beta.value])
    return [y, *gradients, layer.moving_mean, layer.moving_variance]


@pytest.mark.parametrize("policy, within", [("float32", 1e-5), ("mixed_bfloat16", 1e-2)])
def test_training_as_in_keras(policy, within):
    results = trained(BatchNormalization, policy), trained(keras.layers.BatchNormalization, policy)
    for received, expected in zip(*results, strict=True):
        assert received.dtype == expected.dtype
        received, expected = (keras.ops.cast(v, "float32").numpy() for v in (received, expected))
        np.testing.assert_allclose(received, expected, atol=within * np.abs(expected).max())


@pytest.mark.parametrize("frozen", [True, False])
def test_inference_as_in_keras(frozen):
    results = []
    for cls in (BatchNormalization, keras.layers.BatchNormalization):
        layer = cls(epsilon=1e-5, trainable=not frozen)
        layer.build(SHAPE)
        layer.set_weights(np.random.default_rng(2).uniform(0.5, 2.0, (4, SHAPE[-1])))
        x = made_up()
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, training=frozen)
            loss = tf.reduce_sum(y * y)
        results.append([y, tape.gradient(loss, x), *layer.weights])
    for received, expected in zip(*results, strict=True):
        np.testing.assert_allclose(received, expected, rtol=1e-5, atol=1e-5)


def operations(strategy, training=True, policy="float32", trainable=True):
    with strategy.scope():
        layer = BatchNormalization(dtype=policy, trainable=trainable)
        layer.build(SHAPE)
        step = tf.function(
            lambda x: strategy.run(layer, args=(x,), kwargs={"training": training}), autograph=False
        )
        return ops_of(step.get_concrete_function(made_up()).graph.as_graph_def())


def test_fused_except_in_training_on_replicas():
    one = tf.distribute.get_strategy()
    cpus = [device.name for device in tf.config.list_logical_devices("CPU")][:2]
    two = tf.distribute.MirroredStrategy(cpus)
    assert two.num_replicas_in_sync == 2, "tests run on two logical CPUs, see conftest.py"
    fused = [
        operations(one),
        operations(one, policy="mixed_bfloat16"),
        operations(two, training=False),
        operations(two, trainable=False),
    ]
    assert all("FusedBatchNormV3" in ops for ops in fused)
    assert "FusedBatchNormV3" not in operations(two)
    assert "FusedBatchNormV3" not in operations(one, policy="float64")
