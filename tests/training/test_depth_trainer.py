"""DepthTrainer: its loss, its logged values, one and two replicas."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny_nets

from tfdepthviz import losses
from tfdepthviz.training.depth_trainer import DepthTrainer
from tfdepthviz.training.optimizers import build_optimizer
from tfdepthviz.utils.errors import InputError

ALL_TERMS = ("l1", "depth", "gradient", "normal")


def tiny_trainer(rate, terms=("l1",)):
    trainer = DepthTrainer(tiny_nets.depth_net(), terms)
    trainer.compile(build_optimizer("sgd", learning_rate=rate, weight_decay=0.0))
    return trainer


def batches(frames, batch_size=2):
    return tf.data.Dataset.from_tensor_slices(frames).batch(batch_size)


def by_hand(trainer, frames, *, training):
    """Every logged value of one set of frames that all have ground truth."""
    y = trainer.depth_net(frames["image"], training=training)
    values = {
        f"loss/{name}": float(np.mean(losses.TERMS[name](frames["depth"], y).numpy()))
        for name in trainer.terms
    }
    values["loss"] = sum(values.values())
    pairs = [(t[t > 0], p[t > 0]) for t, p in zip(frames["depth"], y.numpy(), strict=True)]
    values["rmse"] = np.sqrt(np.mean([np.square(p - t).mean() for t, p in pairs]))
    values["rel"] = np.mean([(np.abs(p - t) / t).mean() for t, p in pairs])
    return values


@pytest.mark.parametrize("terms", [("l1",), ALL_TERMS])
def test_logged_values(terms):
    frames = tiny_nets.frames(4)
    trainer = tiny_trainer(0.0, terms)
    logged = trainer.evaluate(batches(frames), return_dict=True, verbose=0)
    expected = by_hand(trainer, frames, training=False)
    assert set(logged) == set(expected) == {"loss", "rmse", "rel", *(f"loss/{t}" for t in terms)}
    for name, value in expected.items():
        np.testing.assert_allclose(logged[name], value, rtol=1e-5, err_msg=name)
    if terms == ALL_TERMS:
        logged = trainer.fit(batches(frames, 4), shuffle=False, verbose=0).history
        for name, value in by_hand(trainer, frames, training=True).items():
            np.testing.assert_allclose(logged[name], [value], rtol=1e-5, err_msg=name)


def test_images_without_ground_truth_are_ignored():
    frames = tiny_nets.frames(4)
    with_truth = {name: array[2:] for name, array in frames.items()}
    frames["depth"][:2] = 0
    trainer = tiny_trainer(0.0)
    logged = trainer.evaluate(batches(frames), return_dict=True, verbose=0)
    expected = by_hand(trainer, with_truth, training=False)
    for name in ("rmse", "rel"):
        np.testing.assert_allclose(logged[name], expected[name], rtol=1e-5, err_msg=name)


def test_step_follows_the_gradient_of_the_loss():
    frames = tiny_nets.frames(2)
    frames["depth"][0, 5] = np.nan
    trainer = tiny_trainer(0.5)
    net = trainer.depth_net
    before = [weight.copy() for weight in net.get_weights()]
    valid = np.isfinite(frames["depth"]) & (frames["depth"] > 0)
    # A step also updates the batch statistics: repeat that on a second network.
    twin = tiny_nets.depth_net()
    twin.set_weights(before)
    with tf.GradientTape() as tape:
        error = tf.abs(twin(frames["image"], training=True) - np.where(valid, frames["depth"], 0))
        error = tf.where(valid, error, 0.0)
        pixels = valid.sum(axis=(1, 2, 3)).astype("float32")
        loss = tf.reduce_mean(tf.reduce_sum(error, axis=(1, 2, 3)) / pixels)
    gradients = tape.gradient(loss, [variable.value for variable in twin.trainable_variables])
    trainer.fit(batches(frames), shuffle=False, verbose=0)
    pairs = zip(net.trainable_variables, twin.trainable_variables, gradients, strict=True)
    for variable, start, gradient in pairs:
        expected = start.numpy() - 0.5 * gradient.numpy()
        np.testing.assert_allclose(variable.numpy(), expected, atol=1e-6)
    pairs = zip(net.non_trainable_variables, twin.non_trainable_variables, strict=True)
    for variable, expected in pairs:
        if "seed" not in variable.path:
            np.testing.assert_allclose(variable.numpy(), expected.numpy(), atol=1e-6)


def test_one_and_two_replicas(replicas):
    data = tiny_nets.frames(8)
    results = []
    for count in (1, 2):
        keras.utils.set_random_seed(1)
        with replicas(count).scope():
            trainer = tiny_trainer(0.1, ALL_TERMS)
        history = trainer.fit(batches(data, 4), epochs=2, shuffle=False, verbose=0).history
        results.append((trainer.depth_net.get_weights(), history))
    (one, history), (two, history_of_two) = results
    started = tiny_trainer(0.1).depth_net.get_weights()
    for single, mirrored in zip(one, two, strict=True):
        np.testing.assert_allclose(mirrored, single, rtol=0, atol=1e-5)
    assert np.abs(one[0] - started[0]).max() > 1e-2
    for name, values in history.items():
        np.testing.assert_allclose(history_of_two[name], values, rtol=1e-4, err_msg=name)


@pytest.mark.parametrize("terms", [(), ("huber",), ("l1", "edges")])
def test_invalid_terms(terms):
    with pytest.raises(
        InputError, match="must be some of l1, l2, depth, gradient, normal. Received"
    ):
        DepthTrainer(tiny_nets.depth_net(), terms)
