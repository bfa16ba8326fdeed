"""MaskOptimizer on networks that use known pixels only."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny_nets

from tfdepthviz import masks
from tfdepthviz.models.target import DepthTarget
from tfdepthviz.training import MaskOptimizer, Objective, Search, mask_optimizer
from tfdepthviz.training.mask_rating import rate
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
    """Images whose pixels all differ from the mean colour."""
    rng = np.random.default_rng(seed)
    size = (count, *SIZE, 3)
    return (rng.choice([-1.0, 1.0], size) * rng.uniform(0.8, 1.6, size)).astype("float32")


def optimised(net, image, objective, first=0, step=None, **search):
    search = Search(**{"restarts": 1, "steps": 80, "learning_rate": 0.3, **search})
    optimizer = MaskOptimizer(net, objective, search)
    return optimizer(image, first=first, step=step)


def test_preserving_keeps_the_used_pixels(left_net):
    result = optimised(left_net, images(3), Objective(terms=("l1",), sparsity_weight=0.1))
    (mask,) = result.masks
    assert mask[:, :, :6].min() > 0.9 and mask[:, :, 6:].max() < 0.1


def test_deleting_removes_the_used_pixels(left_net):
    goal = Objective("delete", terms=("l1",), sparsity_weight=0.1)
    (mask,) = optimised(left_net, images(3), goal).masks
    assert mask[:, :, :6].max() < 0.1 and mask[:, :, 6:].min() > 0.9


@pytest.mark.parametrize("kind, kept", [("preserve", slice(0, 6)), ("delete", slice(6, 12))])
def test_exact_share_of_a_binary_mask(kind, kept):
    # Depth is a mean over the left: every pixel there has a gradient, kept or removed.
    image = keras.Input((*SIZE, 3))
    mean = keras.ops.mean(image[..., :1] * LEFT, axis=(1, 2), keepdims=True)
    net = keras.Model(image, 3.0 + mean + 0.0 * image[..., :1])
    net.trainable = False
    goal = Objective(kind, terms=("l1",), share=0.4)
    (mask,) = optimised(net, np.abs(images(2)), goal).masks
    assert set(np.unique(mask)) == {0.0, 1.0}
    np.testing.assert_array_equal(mask.sum(axis=(1, 2, 3)), round(0.4 * 96))
    assert (mask[:, :, kept].sum(axis=(1, 2, 3)) >= 0.95 * round(0.4 * 96)).all()


@pytest.mark.parametrize("kind", ["relative", "inverse"])
def test_scale_of_relative_depth_is_ignored(left_net, kind):
    image = keras.Input((*SIZE, 3))
    scaled = keras.Model(image, 1e3 * left_net(image) - 7e2)
    scaled.trainable = False
    # A share, because a fainter mask is cheaper and gives the same depth up to scale.
    goal = Objective(terms=("l1",), share=0.4)
    targets = [DepthTarget(net, kind) for net in (left_net, scaled)]
    results = [optimised(target, images(2), goal) for target in targets]
    np.testing.assert_allclose(results[1].loss, results[0].loss, rtol=0.02)
    for result in results:
        assert (result.masks[..., :6, :].sum(axis=(0, 2, 3, 4)) >= 0.95 * round(0.4 * 96)).all()


def test_steps_equal_those_of_keras_adam(monkeypatch):
    # Keras adds epsilon at another place.
    monkeypatch.setattr(mask_optimizer, "EPSILON", 1e-12)
    net, image = tiny_nets.depth_net(), tiny_nets.frames(1)["image"]
    net.trainable = False
    goal, search = Objective(sparsity_weight=2.0), Search(steps=3, learning_rate=0.2, restarts=1)
    result = MaskOptimizer(net, goal, search)(image)
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
    np.testing.assert_allclose(result.loss, [[lowest]], rtol=1e-5)
    np.testing.assert_allclose(result.logits[0], best, atol=1e-4)


@pytest.mark.parametrize("share", [None, 0.3])
def test_images_of_a_batch_are_independent(left_net, share):
    # The images differ so much that they stop at different steps.
    image = images(3) * np.array([1, 0.1, 0.01], "float32")[:, None, None, None]
    goal = Objective(terms=("l1",), sparsity_weight=0.1, share=share)
    search = {"steps": 40, "patience": 5, "restarts": 2}
    together = optimised(left_net, image, goal, **search)
    assert len(np.unique(together.steps)) > 1
    for number in range(3):
        alone = optimised(left_net, image[number : number + 1], goal, first=number, **search)
        np.testing.assert_array_equal(alone.steps[:, 0], together.steps[:, number])
        np.testing.assert_allclose(alone.loss[:, 0], together.loss[:, number], rtol=1e-4)
        np.testing.assert_allclose(alone.masks[:, 0], together.masks[:, number], atol=1e-4)


def test_patience_and_best_mask(left_net):
    counted = []
    image = images(2)
    image[0] = 0  # no mask changes its depth, and nothing is priced
    result = optimised(
        left_net,
        image,
        Objective(terms=("l1",), sparsity_weight=0.0),
        steps=40,
        patience=5,
        step=counted.append,
    )
    assert result.steps[0, 0] == 6 < result.steps[0, 1]
    assert sum(counted) == 2 * 40
    goal = Objective(terms=("l1",), sparsity_weight=0.0)
    rated = rate(left_net, image, result.best_of(result.masks), goal)
    np.testing.assert_allclose(rated["loss"], result.loss[0], atol=1e-6)


def test_seed(left_net):
    goal = Objective(terms=("l1",), share=0.3)
    first, again, other = (
        optimised(left_net, images(2), goal, steps=3, restarts=2, seed=seed) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first.masks, again.masks)
    assert (first.masks != other.masks).any()
    assert (first.masks[0] != first.masks[1]).any()


def test_logit_stride_smooths_masks():
    net = tiny_nets.depth_net()
    net.trainable = False
    image = tiny_nets.frames(1)["image"]
    fine, coarse = (
        optimised(net, image, Objective(share=0.3), steps=2, logit_stride=stride)
        for stride in (1, 4)
    )
    assert Search(logit_stride=4).grid((16, 21)) == (4, 6)
    assert coarse.masks.shape == fine.masks.shape == (1, 1, *tiny_nets.SIZE, 1)
    changes = [np.abs(np.diff(result.masks[0, 0, ..., 0])).sum() for result in (fine, coarse)]
    assert changes[1] < 0.5 * changes[0]


@pytest.mark.parametrize("name", ["steps", "patience", "restarts", "logit_stride", "learning_rate"])
def test_impossible_settings(name):
    with pytest.raises(InputError, match=f"^{name} must be .* Received: 0$"):
        Search(**{name: 0})


def test_depth_net_is_unchanged():
    net = tiny_nets.depth_net(dropout=0.5)
    net.trainable = False
    before = [weight.copy() for weight in net.get_weights()]
    optimised(net, tiny_nets.frames(2)["image"], Objective(), steps=3)
    for old, new in zip(before, net.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_nan_loss(left_net):
    image = images(2)
    image[1, 0, 0] = np.nan
    with pytest.raises(InputError, match="loss of image 1 of the batch is not finite at step 1"):
        optimised(left_net, image, Objective(terms=("l1",)), steps=2)
