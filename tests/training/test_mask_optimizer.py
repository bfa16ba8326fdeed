"""Equation (3) on networks whose answer is known: which pixels they use is written into them."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny_nets

from tfdepthviz import losses, masks
from tfdepthviz.models.target import DepthTarget
from tfdepthviz.training import mask_optimizer
from tfdepthviz.training.mask_optimizer import (
    Found,
    MaskOptimizer,
    Objective,
    Search,
    disagreement,
    rate,
)
from tfdepthviz.utils.errors import InputError

SIZE = (8, 12)
LEFT = np.zeros((*SIZE, 1), "float32")
LEFT[:, :6] = 1


@pytest.fixture(scope="module")
def left_net():
    """N: depth = 3 + red where the image is left, 3 elsewhere."""
    image = keras.Input((*SIZE, 3))
    net = keras.Model(image, 3.0 + image[..., :1] * LEFT)
    net.trainable = False
    return net


def images(count, seed=0):
    """Every pixel differs from the mean colour, so that each one on the left is missed."""
    rng = np.random.default_rng(seed)
    size = (count, *SIZE, 3)
    return (rng.choice([-1.0, 1.0], size) * rng.uniform(0.8, 1.6, size)).astype("float32")


def optimised(net, image, objective, first=0, step=None, **search):
    search = Search(**{"restarts": 1, "steps": 80, "learning_rate": 0.3, **search})
    optimizer = MaskOptimizer(net, objective, search)
    return optimizer(image, first=first, step=step)


def test_what_n_does_not_see_is_removed_and_what_it_sees_is_kept(left_net):
    found = optimised(left_net, images(3), Objective(terms=("l1",), sparsity_weight=0.1))
    (mask,) = found.masks
    assert mask[:, :, :6].min() > 0.9 and mask[:, :, 6:].max() < 0.1


def test_deleting_removes_what_n_sees_alone(left_net):
    goal = Objective("delete", terms=("l1",), sparsity_weight=0.1)
    (mask,) = optimised(left_net, images(3), goal).masks
    assert mask[:, :, :6].max() < 0.1 and mask[:, :, 6:].min() > 0.9


@pytest.mark.parametrize("kind, kept", [("preserve", slice(0, 6)), ("delete", slice(6, 12))])
def test_a_target_is_met_exactly_by_a_binary_mask(kind, kept):
    # The mean of the left: the gradient tells of every pixel there, kept or removed.
    image = keras.Input((*SIZE, 3))
    mean = keras.ops.mean(image[..., :1] * LEFT, axis=(1, 2), keepdims=True)
    net = keras.Model(image, 3.0 + mean + 0.0 * image[..., :1])
    net.trainable = False
    goal = Objective(kind, terms=("l1",), target_sparseness=0.4)
    (mask,) = optimised(net, np.abs(images(2)), goal).masks
    assert set(np.unique(mask)) == {0.0, 1.0}
    np.testing.assert_array_equal(mask.sum(axis=(1, 2, 3)), round(0.4 * 96))
    assert (mask[:, :, kept].sum(axis=(1, 2, 3)) >= 0.95 * round(0.4 * 96)).all()


@pytest.mark.parametrize("kind", ["relative", "inverse"])
def test_without_metres_the_scale_does_not_matter(left_net, kind):
    image = keras.Input((*SIZE, 3))
    scaled = keras.Model(image, 1e3 * left_net(image) - 7e2)
    scaled.trainable = False
    # A budget, because a fainter mask is cheaper and gives the same depth up to scale.
    goal = Objective(terms=("l1",), target_sparseness=0.4)
    targets = [DepthTarget(net, kind) for net in (left_net, scaled)]
    found = [optimised(target, images(2), goal) for target in targets]
    np.testing.assert_allclose(found[1].loss, found[0].loss, rtol=0.02)
    for one in found:
        assert (one.masks[..., :6, :].sum(axis=(0, 2, 3, 4)) >= 0.95 * round(0.4 * 96)).all()


def test_values_by_hand():
    rng = np.random.default_rng(0)
    y, y_masked = rng.uniform(1, 4, (2, 2, 6, 8, 1)).astype("float32")
    mask = rng.random((2, 12, 16, 1)).astype("float32")
    named = (losses.depth_term, losses.gradient_term, losses.normal_term)
    valid = losses.everywhere(y)
    l_dif = sum(np.asarray(term(y, y_masked, valid)) for term in named)
    mean = mask.mean(axis=(1, 2, 3))
    for objective, expected in (
        (Objective(sparsity_weight=2.0), l_dif + 2 * mean),
        (Objective("delete", sparsity_weight=2.0), -l_dif + 2 * (1 - mean)),
        (Objective(target_sparseness=0.3), l_dif),
        (Objective("delete", target_sparseness=0.3), -l_dif),
    ):
        values = objective.values(DepthTarget(None), y, y_masked, mask)
        np.testing.assert_allclose(values["loss"], expected, rtol=1e-5)
        np.testing.assert_allclose(values["mask/mean"], mean, rtol=1e-5)
    with_l1 = Objective(terms=("l1",), sparsity_weight=0).values(
        DepthTarget(None), y, y_masked, mask
    )
    np.testing.assert_allclose(
        with_l1["loss/l1"], np.abs(y - y_masked).mean(axis=(1, 2, 3)), rtol=1e-5
    )


def test_steps_are_those_of_keras_s_adam(monkeypatch):
    # Keras adds it elsewhere.
    monkeypatch.setattr(mask_optimizer, "EPSILON", 1e-12)
    net, image = tiny_nets.depth_net(), tiny_nets.frames(1)["image"]
    net.trainable = False
    goal, search = Objective(sparsity_weight=2.0), Search(steps=3, learning_rate=0.2, restarts=1)
    found = MaskOptimizer(net, goal, search)(image)
    logits = tf.Variable(search.first_logits(tiny_nets.SIZE, 0, [0]))
    adam, lowest = keras.optimizers.Adam(0.2, epsilon=1e-12), np.inf
    for _ in range(3):
        with tf.GradientTape() as tape:
            mask = tf.sigmoid(logits)
            y_masked = net(masks.apply_mask(image, mask), training=False)
            loss = goal.values(DepthTarget(None), net(image, training=False), y_masked, mask)[
                "loss"
            ][0]
        if loss < lowest:
            lowest, best = float(loss), logits.numpy()
        adam.apply([tape.gradient(loss, logits)], [logits])
    np.testing.assert_allclose(found.loss, [[lowest]], rtol=1e-5)
    np.testing.assert_allclose(found.logits[0], best, atol=1e-4)


@pytest.mark.parametrize("target", [None, 0.3])
def test_an_image_s_mask_does_not_depend_on_its_companions(left_net, target):
    # So different that they leave the batch at different steps.
    image = images(3) * np.array([1, 0.1, 0.01], "float32")[:, None, None, None]
    goal = Objective(terms=("l1",), sparsity_weight=0.1, target_sparseness=target)
    search = {"steps": 40, "patience": 5, "restarts": 2}
    together = optimised(left_net, image, goal, **search)
    assert len(np.unique(together.steps)) > 1
    for number in range(3):
        alone = optimised(left_net, image[number : number + 1], goal, first=number, **search)
        np.testing.assert_array_equal(alone.steps[:, 0], together.steps[:, number])
        np.testing.assert_allclose(alone.loss[:, 0], together.loss[:, number], rtol=1e-4)
        np.testing.assert_allclose(alone.masks[:, 0], together.masks[:, number], atol=1e-4)


def test_an_image_that_gains_nothing_stops_and_keeps_its_best_mask(left_net):
    counted = []
    image = images(2)
    image[0] = 0  # No mask changes anything here, and nothing is priced.
    found = optimised(
        left_net,
        image,
        Objective(terms=("l1",), sparsity_weight=0.0),
        steps=40,
        patience=5,
        step=counted.append,
    )
    assert found.steps[0, 0] == 6 < found.steps[0, 1]
    assert sum(counted) == 2 * 40
    goal = Objective(terms=("l1",), sparsity_weight=0.0)
    rated = rate(left_net, image, found.best_of(found.masks), goal)
    np.testing.assert_allclose(rated["loss"], found.loss[0], atol=1e-6)


def test_the_seed_fixes_the_masks(left_net):
    goal = Objective(terms=("l1",), target_sparseness=0.3)
    first, again, other = (
        optimised(left_net, images(2), goal, steps=3, restarts=2, seed=seed) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first.masks, again.masks)
    assert (first.masks != other.masks).any()
    assert (first.masks[0] != first.masks[1]).any()


def test_fewer_logits_give_smoother_masks_of_the_image_s_size():
    net = tiny_nets.depth_net()
    net.trainable = False
    image = tiny_nets.frames(1)["image"]
    fine, coarse = (
        optimised(net, image, Objective(target_sparseness=0.3), steps=2, logit_stride=stride)
        for stride in (1, 4)
    )
    assert Search(logit_stride=4).grid((16, 21)) == (4, 6)
    assert coarse.masks.shape == fine.masks.shape == (1, 1, *tiny_nets.SIZE, 1)
    changes = [np.abs(np.diff(found.masks[0, 0, ..., 0])).sum() for found in (fine, coarse)]
    assert changes[1] < 0.5 * changes[0]


def test_n_stays_as_it_is():
    net = tiny_nets.depth_net(dropout=0.5)
    net.trainable = False
    before = [weight.copy() for weight in net.get_weights()]
    optimised(net, tiny_nets.frames(2)["image"], Objective(), steps=3)
    for old, new in zip(before, net.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_disagreement_by_hand():
    one, two = np.zeros((2, 1, 2, 4, 1), "float32")
    one[0, 0, :, 0], two[0, 0, :, 0] = [1, 0.5, 0.25, 0], [1, 0, 0, 0.2]
    two[0, 1, 0] = 0.01
    # Above 0.025: three pixels and two, one of them in common.
    found = Found(np.zeros((2, 1, 2, 4, 1)), np.stack([one, two]), np.zeros((2, 1)), None)
    values = disagreement(found)
    np.testing.assert_allclose(values["spread"][0, 0, :, 0], [0, 0.25, 0.125, 0.1], atol=1e-6)
    p, q = 3 / 8, 2 / 8
    np.testing.assert_allclose(values["iou"], [1 / 4])
    np.testing.assert_allclose(values["iou_by_chance"], [p * q / (p + q - p * q)])
    alone = Found(found.logits[:1], found.masks[:1], found.loss[:1], None)
    assert np.isnan(disagreement(alone)["iou"]).all() and not disagreement(alone)["spread"].any()


def test_rates_by_hand(left_net):
    image = images(2)
    mask = np.random.default_rng(1).random((2, *SIZE, 1)).astype("float32")
    rated = rate(left_net, image, mask, Objective(terms=("l1",)), threshold=0.5)
    error = image[..., :1] * LEFT * (mask - 1)
    binary = image[..., :1] * LEFT * ((mask > 0.5) - 1)
    for name, values in (
        ("fidelity_rmse", np.sqrt((error**2).mean(axis=(1, 2, 3)))),
        ("binary_fidelity_rmse", np.sqrt((binary**2).mean(axis=(1, 2, 3)))),
        ("sparseness", (mask > 0.5).mean(axis=(1, 2, 3))),
        ("loss", np.abs(error).mean(axis=(1, 2, 3)) + 5 * mask.mean(axis=(1, 2, 3))),
    ):
        np.testing.assert_allclose(rated[name], values, rtol=1e-5, err_msg=name)


@pytest.mark.parametrize(
    "given, named",
    [
        ({"kind": "keep"}, "objective must be one of preserve, delete. Received: 'keep'"),
        ({"terms": ("huber",)}, r"terms must be some of .*Received: \('huber',\)"),
        ({"terms": ()}, "terms must be some of"),
        ({"target_sparseness": 1.0}, r"target_sparseness must be in \(0, 1\). Received: 1.0"),
    ],
)
def test_what_an_objective_cannot_be(given, named):
    with pytest.raises(InputError, match=named):
        Objective(**given)


def test_a_loss_that_is_not_finite_is_said(left_net):
    image = images(2)
    image[1, 0, 0] = np.nan
    with pytest.raises(InputError, match="loss of image 1 of the batch is not finite at step 1"):
        optimised(left_net, image, Objective(terms=("l1",)), steps=2)
