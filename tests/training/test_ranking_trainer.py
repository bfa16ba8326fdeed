"""RankingTrainer: its loss and logged values by hand, changed variables, one and two replicas."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny_nets

from tfdepthviz.training import RankingTrainer, build_optimizer
from tfdepthviz.training.perturbation import smooth_noise
from tfdepthviz.training.relaxations import exact_share
from tfdepthviz.training.shares import BINS, RATE, Shares
from tfdepthviz.utils.errors import InputError

PIXELS = tiny_nets.SIZE[0] * tiny_nets.SIZE[1]
TRAINED = {"loss", "loss/l2", "mask/mean", "fidelity/rmse", "rmse"}
RATED = {"05": 16, "10": 32, "20": 64, "36": 115, "60": 192}  # pixels of 320


def sgd(rate):
    return build_optimizer("sgd", learning_rate=rate, weight_decay=0.0)


def tiny_trainer(rate, **options):
    trainer = RankingTrainer(tiny_nets.depth_net(), tiny_nets.mask_net(), **options)
    trainer.compile(sgd(rate))
    return trainer


def batches(frames, batch_size=2):
    return tf.data.Dataset.from_tensor_slices(frames).batch(batch_size)


def squares(y, y_shown):
    return np.square(np.float64(y_shown) - np.float64(y)).mean(axis=(1, 2, 3))


def against_truth(depth, y_shown):
    """Mean squared error of each image that has ground truth."""
    valid = np.isfinite(depth) & (depth > 0)
    errors = zip(depth, np.asarray(y_shown), valid, strict=True)
    return [
        np.square(out[known] - true[known]).mean() for true, out, known in errors if known.any()
    ]


def by_fit(trainer, frames):
    """Logged values of an epoch of one batch."""
    logged = trainer.fit(batches(frames, len(frames["image"])), shuffle=False, verbose=0).history
    return {name: value for name, (value,) in logged.items()}


def seen(scores, shares, temperature, seed):
    """The mask that N sees in training."""
    mean = tf.reduce_mean(scores, axis=(1, 2, 3), keepdims=True)
    deviation = tf.math.reduce_std(scores, axis=(1, 2, 3), keepdims=True)
    noise = smooth_noise(len(shares), scores.shape[1:3], seed)
    z = (scores - mean) / deviation + 8 * temperature * noise
    return exact_share(z, shares, temperature)


class ByHand:
    """A training by hand: the networks' outputs in TensorFlow, all else in NumPy.

    Args:
      done: finished part of the training at the first step, which is number `step`.
    """

    def __init__(self, trainer, step=0, done=0.0):
        self.trainer, self.step, self.temperature = trainer, step, 0.1 * 0.25**done
        self.sums, self.weights = np.zeros(BINS), np.zeros(BINS)

    def __call__(self, frames):
        """Values of each image of a batch, and the squares of fidelity and errors."""
        trainer, image = self.trainer, frames["image"]
        seed = (trainer.seed, self.step)
        shares = trainer.shares.draw(len(image), seed).numpy()
        self.step += 1
        y = trainer.depth_net(image, training=False)
        scores = trainer.scores_net(image, training=True)
        shown = np.asarray(seen(scores, shares, self.temperature, seed))
        y_shown = trainer.masked_net(image * shown, training=False)
        difference = squares(y, y_shown)
        bins = trainer.shares.bins(shares).numpy()
        for bin in range(BINS):
            here = difference[bins == bin]
            self.sums[bin] = self.sums[bin] * (1 - RATE) ** len(here) + RATE * here.sum()
            self.weights[bin] = self.weights[bin] * (1 - RATE) ** len(here) + RATE * len(here)
        return {
            "loss": difference / (self.sums / np.maximum(self.weights, 1e-12))[bins],
            "loss/l2": difference,
            "mask/mean": shares,
            "fidelity/rmse": difference,
            "rmse": against_truth(frames["depth"], y_shown),
        }


def logged_values(rows):
    """Means over all images; values called rmse are roots of them."""
    values = {name: np.concatenate([row[name] for row in rows]).mean() for name in rows[0]}
    return {k: np.sqrt(v) if "rmse" in k else v for k, v in values.items()}


@pytest.mark.parametrize("keep", [(0.02, 0.9), (0.36, 0.36)])
def test_logged_values_of_training(keep):
    frames = tiny_nets.frames(8)
    trainer = tiny_trainer(0.0, keep=keep, steps=10, seed=5)
    trainer.optimizer.iterations.assign(2)
    by_hand = ByHand(trainer, step=2, done=0.2)
    halves = [{name: array[i : i + 4] for name, array in frames.items()} for i in (0, 4)]
    rows = [by_hand(halves[0])]
    by_hand.temperature = 0.1 * 0.25**0.3
    rows.append(by_hand(halves[1]))
    expected = logged_values(rows)
    logged = trainer.fit(batches(frames, 4), shuffle=False, verbose=0).history
    assert set(logged) == TRAINED
    for name, value in expected.items():
        np.testing.assert_allclose(logged[name], [value], rtol=1e-4, err_msg=name)
    state = np.array([by_hand.sums, by_hand.weights])
    np.testing.assert_allclose(trainer.share_means.numpy(), state, rtol=1e-4, atol=1e-7)


def test_evaluator_sees_the_masked_images():
    frames, evaluator = tiny_nets.frames(4), tiny_nets.depth_net()
    evaluator.set_weights([weight + 0.1 for weight in evaluator.get_weights()])
    before = evaluator.get_weights()
    trainer = tiny_trainer(0.1, steps=10, seed=5, evaluator=evaluator)
    expected = logged_values([ByHand(trainer)(frames)])
    logged = by_fit(trainer, frames)
    assert logged == pytest.approx({name: expected[name] for name in logged}, rel=1e-4)
    for mine, theirs in zip(evaluator.get_weights(), before, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_logged_values_of_validation():
    frames = tiny_nets.frames(4)
    frames["depth"][1] = 0
    frames["depth"][2, :2] = np.nan
    trainer = tiny_trainer(0.1)
    before = trainer.share_means.numpy()
    logged = trainer.evaluate(batches(frames, 3), return_dict=True, verbose=0)
    y = trainer.depth_net(frames["image"], training=False)
    scores = np.asarray(trainer.scores_net(frames["image"], training=False)).reshape(4, -1)
    order = np.argsort(-scores, axis=1, kind="stable")
    expected = {}
    for name, count in RATED.items():
        mask = np.zeros((4, PIXELS), "float32")
        np.put_along_axis(mask, order[:, :count], 1.0, axis=1)
        shown = frames["image"] * mask.reshape(4, *tiny_nets.SIZE, 1)
        y_shown = trainer.depth_net(shown, training=False)
        fidelity = squares(y, y_shown).mean()
        expected[f"fidelity/share_{name}"] = np.sqrt(fidelity)
        if name == "36":
            expected |= {"loss": fidelity, "loss/l2": fidelity, "mask/mean": count / PIXELS}
            expected["fidelity/rmse"] = np.sqrt(fidelity)
            expected["rmse"] = np.sqrt(np.mean(against_truth(frames["depth"], y_shown)))
    assert logged.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(logged[name], value, rtol=1e-4, err_msg=name)
    np.testing.assert_array_equal(trainer.share_means.numpy(), before)


def test_validation_uses_the_teacher_of_the_batch():
    frames = tiny_nets.frames(2)
    trainer = tiny_trainer(0.1)
    y = np.asarray(trainer.depth_net(frames["image"], training=False))
    same, other = (
        trainer.evaluate(batches({**frames, "teacher": of}), return_dict=True, verbose=0)
        for of in (y, y + 1)
    )
    assert same == trainer.evaluate(batches(frames), return_dict=True, verbose=0)
    assert abs(other["fidelity/share_60"] - same["fidelity/share_60"]) > 0.1


def test_step_follows_the_gradient_of_the_loss():
    frames = tiny_nets.frames(4)
    trainer = tiny_trainer(0.5, steps=10)
    net, image = trainer.mask_net, frames["image"]
    before = [variable.numpy() for variable in net.trainable_variables]
    statistics = [variable.numpy() for variable in net.non_trainable_variables]
    rows = ByHand(trainer)(frames)
    expected = rows["loss/l2"] / rows["loss"]  # the running means, constants
    for variable, old in zip(net.non_trainable_variables, statistics, strict=True):
        variable.assign(old)
    shares = trainer.shares.draw(4, (0, 0))
    with tf.GradientTape() as tape:
        scores = trainer.scores_net(image, training=True)
        y_shown = trainer.depth_net(image * seen(scores, shares, 0.1, (0, 0)), training=False)
        error = tf.square(y_shown - trainer.depth_net(image, training=False))
        loss = tf.reduce_mean(tf.reduce_mean(error, axis=(1, 2, 3)) / expected.astype("float32"))
    gradients = tape.gradient(loss, [variable.value for variable in net.trainable_variables])
    trainer.fit(batches(frames, 4), shuffle=False, verbose=0)
    for variable, old, gradient in zip(net.trainable_variables, before, gradients, strict=True):
        np.testing.assert_allclose(variable.numpy(), old - 0.5 * gradient.numpy(), atol=1e-6)
    assert np.abs(before[0] - net.trainable_variables[0].numpy()).max() > 1e-3


def test_terms_below_0():
    """l_depth of equal maps is ln 0.5; the loss is taken above it."""
    frames = tiny_nets.frames(4)
    trainer = tiny_trainer(0.0, terms=("depth", "l1"))
    logged = trainer.fit(batches(frames, 4), shuffle=False, verbose=0).history
    shares = trainer.shares.draw(4, (0, 0))
    scores = trainer.scores_net(frames["image"], training=True)
    shown = seen(scores, shares, 0.1, (0, 0))
    y = trainer.depth_net(frames["image"], training=False)
    error = np.abs(trainer.depth_net(frames["image"] * shown, training=False) - y)
    depth, l1 = np.log(error + 0.5).mean(axis=(1, 2, 3)), error.mean(axis=(1, 2, 3))
    np.testing.assert_allclose(logged["loss/depth"], [depth.mean()], rtol=1e-4)
    above = depth - np.log(0.5) + l1
    bins = trainer.shares.bins(shares).numpy()
    expected = [above[bins == bin].mean() for bin in bins]
    np.testing.assert_allclose(logged["loss"], [(above / expected).mean()], rtol=1e-4)
    assert (above > 0).all() and (depth < 0).any()


def test_no_rmse_without_ground_truth():
    frames = tiny_nets.frames(2)
    for missing in (0, np.nan):
        frames["depth"][:] = missing
        trainer = tiny_trainer(0.1)
        for logged in (
            trainer.evaluate(batches(frames), return_dict=True, verbose=0),
            by_fit(trainer, frames),
        ):
            assert np.isnan(logged.pop("rmse"))
            assert np.isfinite(list(logged.values())).all()


def test_only_the_mask_net_changes():
    nets = tiny_nets.depth_net(dropout=0.5), tiny_nets.mask_net()
    before = [[weight.copy() for weight in net.get_weights()] for net in nets]
    trainer = RankingTrainer(*nets)
    trainer.compile(build_optimizer("adamw", learning_rate=1e-3, weight_decay=1e-4))
    trainer.fit(batches(tiny_nets.frames(4)), shuffle=False, verbose=0)
    for old, new in zip(before[0], nets[0].get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert not nets[0].trainable_variables
    for variable, old in zip(nets[1].weights, before[1], strict=True):
        # The bias of the scores moves all of them alike, which changes no order.
        assert (variable.numpy() != old).any() or variable.path.endswith("scores/bias")
    assert len(trainer.optimizer.variables) == 2 + 2 * len(nets[1].trainable_variables)


def test_no_gradient_of_depth_net_weights():
    """The graph of a step holds kernel gradients of the layers of G alone."""
    trainer = tiny_trainer(0.1)
    batch = {name: tf.constant(value) for name, value in tiny_nets.frames(2).items()}
    graph = tf.function(trainer.train_step).get_concrete_function(batch).graph
    needed, ops = [*graph.control_outputs, *(x.op for x in graph.outputs)], set()
    while needed:
        op = needed.pop()
        if op not in ops:
            ops.add(op)
            needed += [*op.control_inputs, *(x.op for x in op.inputs)]
    kinds = [op.type for op in ops]
    # Both networks have two convolutions; N runs twice, and back to the image once.
    assert kinds.count("Conv2D") == 6
    assert kinds.count("Conv2DBackpropFilter") == 2
    assert kinds.count("Conv2DBackpropInput") == 3


def test_one_and_two_replicas(replicas, float64):
    data = [
        {name: np.float64(value) for name, value in tiny_nets.frames(count, seed).items()}
        for seed, count in enumerate((16, 4))
    ]
    results = []
    for count in (1, 2):
        keras.utils.set_random_seed(1)
        with replicas(count).scope():
            trainer = tiny_trainer(1.0, steps=8)
        started = [weight.copy() for weight in trainer.mask_net.get_weights()]
        history = trainer.fit(
            batches(data[0], 4),
            validation_data=batches(data[1], 4),
            epochs=2,
            shuffle=False,
            verbose=0,
        ).history
        weights = trainer.mask_net.get_weights()
        results.append((weights, history, trainer.share_means.numpy()))
    (one, history, means), (two, history_of_two, means_of_two) = results
    for single, mirrored in zip(one, two, strict=True):
        np.testing.assert_allclose(mirrored, single, rtol=0, atol=1e-9)
    assert max(np.abs(a - b).max() for a, b in zip(one, started, strict=True)) > 1e-2
    np.testing.assert_allclose(means_of_two, means, rtol=1e-8)
    assert (means[1] > 0).sum() > 4
    rated = {f"fidelity/share_{name}" for name in RATED}
    assert set(history) == TRAINED | {f"val_{name}" for name in TRAINED | rated}
    for name, values in history.items():
        np.testing.assert_allclose(history_of_two[name], values, rtol=1e-6, err_msg=name)


def test_what_two_replicas_draw(replicas):
    drawn = []
    for count in (1, 2):
        strategy = replicas(count)
        with strategy.scope():
            trainer = tiny_trainer(0.1, seed=3)
        trainer.optimizer.iterations.assign(7)
        draw = tf.function(lambda own, trainer=trainer: trainer._drawn(own, (5, 6)))
        parts = strategy.run(draw, (tf.constant(8 // count),))
        parts = map(strategy.experimental_local_results, parts)
        drawn.append([np.concatenate(of_replicas) for of_replicas in parts])
    expected = Shares(0.02, 0.9).draw(8, (3, 7)), smooth_noise(8, (5, 6), (3, 7))
    for of_one, of_two, value in zip(*drawn, expected, strict=True):
        np.testing.assert_array_equal(of_one, of_two)
        np.testing.assert_array_equal(of_one, value)


def test_training_improves_every_share():
    frames = tiny_nets.frames(4)
    keras.utils.set_random_seed(2)
    trainer = tiny_trainer(0.1, steps=150)
    trainer.compile(build_optimizer("adamw", learning_rate=1e-2, weight_decay=0.0))
    before = trainer.evaluate(batches(frames, 4), return_dict=True, verbose=0)
    trainer.fit(batches(frames, 4), epochs=150, shuffle=False, verbose=0)
    after = trainer.evaluate(batches(frames, 4), return_dict=True, verbose=0)
    for name in RATED:
        assert after[f"fidelity/share_{name}"] < 0.95 * before[f"fidelity/share_{name}"], name


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"keep": (0.9, 0.02)}, r"0 < LOW <= HIGH < 1. Received: 0.9:0.02"),
        ({"keep": (0.0, 0.5)}, r"0 < LOW <= HIGH < 1. Received: 0:0.5"),
        ({"terms": ("huber",)}, "some of l1, l2, depth, gradient, normal. Received: .'huber'"),
    ],
)
def test_invalid_arguments(arguments, message):
    with pytest.raises(InputError, match=message):
        RankingTrainer(tiny_nets.depth_net(), tiny_nets.mask_net(), **arguments)


def test_mask_net_without_scores():
    with pytest.raises(InputError, match="tiny_depth: to rank pixels, the last layer must be"):
        RankingTrainer(tiny_nets.depth_net(), tiny_nets.depth_net())
