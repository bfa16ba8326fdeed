"""RegionTrainer and region_net: the start, one step by hand, and a network of known needs."""

import numpy as np
import pytest
import tensorflow as tf
from place_nets import REACH, SIZE, frame, local_net

from tfdepthviz.masks import standardised, top_share_mask
from tfdepthviz.models import build_mask_net
from tfdepthviz.models.region_net import HEAD, region_net
from tfdepthviz.models.scores import scores_net
from tfdepthviz.training import build_optimizer, explain_region, regions
from tfdepthviz.training.region_explanation import NETWORK
from tfdepthviz.training.region_trainer import RegionTrainer, random_regions
from tfdepthviz.utils.errors import InputError

IMAGES = np.stack([frame(seed) for seed in range(8)])
BATCHES = tf.data.Dataset.from_tensor_slices(
    {"image": IMAGES, "depth": np.zeros((8, *SIZE, 1), "float32")}
).batch(8)


def trainer_of(net, rate, **options):
    trainer = RegionTrainer(local_net(), net, (0.05, 0.2), **options)
    trainer.compile(build_optimizer("adamw", learning_rate=rate, weight_decay=0.0))
    return trainer


def test_starts_as_the_ranking():
    mask_net = build_mask_net("compact_ranking", (*SIZE, 3))
    region = np.zeros((8, 6, 9, 1), "float32")
    region[:, 2, 3] = 1
    plain = standardised(scores_net(mask_net)(IMAGES, training=False))
    scores = standardised(scores_net(region_net(mask_net))([IMAGES, region], training=False))
    np.testing.assert_allclose(scores, plain, atol=1e-4)
    with pytest.raises(InputError, match="must be a compact_ranking.*compact_mask"):
        region_net(build_mask_net("compact", (*SIZE, 3)))


def test_random_regions():
    depth = np.random.default_rng(0).uniform(1, 5, (300, 12, 16, 1)).astype("float32")
    drawn = random_regions(tf.constant(depth), (3, 4)).numpy()
    sizes = drawn.sum(axis=(1, 2, 3))
    assert set(np.unique(drawn)) == {0, 1} and sizes.min() >= 1
    assert sizes.max() > 30 and np.median(sizes) < 60
    np.testing.assert_array_equal(drawn, random_regions(tf.constant(depth), (3, 4)))
    assert (drawn != random_regions(tf.constant(depth), (3, 5)).numpy()).any()


def test_logged_values_of_validation():
    """Distances within the regions, by NumPy."""
    net = region_net(build_mask_net("compact_ranking", (*SIZE, 3)))
    trainer = trainer_of(net, 0.0, seed=7)
    logged = trainer.evaluate(BATCHES, return_dict=True, verbose=0)
    y = trainer.depth_net(IMAGES).numpy()
    region = random_regions(tf.constant(y), (7, 0)).numpy()
    scores = scores_net(net)([IMAGES, region], training=False)
    for share, name in ((0.05, "05"), (0.36, "36")):
        mask = top_share_mask(scores, np.full(8, share, "float32")).numpy()
        squares = region * (trainer.depth_net(IMAGES * mask).numpy() - y) ** 2
        mean = (squares.sum(axis=(1, 2, 3)) / region.sum(axis=(1, 2, 3))).mean()
        assert logged[f"fidelity/share_{name}"] == pytest.approx(np.sqrt(mean), rel=1e-4)
    assert logged["loss"] == pytest.approx(mean, rel=1e-4)


def test_hard_receptive_field():
    """After a short training, the pixels for a place are those that the network sees there."""
    mask_net = build_mask_net("compact_ranking", (*SIZE, 3))
    before = mask_net.get_weights()
    net = region_net(mask_net)
    trainer = trainer_of(net, 0.02, steps=100)
    place = regions.box(SIZE, 18, 5, 24, 11)
    field = regions.box(SIZE, 18 - REACH, 5 - REACH, 24 + REACH, 11 + REACH)

    def answer():
        return explain_region(trainer.target, frame(20), place, [0.05], region_net=net)

    first = answer()
    trainer.fit(BATCHES.repeat(), steps_per_epoch=100, shuffle=False, verbose=0)
    last = answer()
    assert (first.masks[NETWORK][0] * field).sum() < 0.5 * first.masks[NETWORK].sum()
    assert (last.masks[NETWORK][0] * field).sum() > 0.9 * last.masks[NETWORK].sum()
    row = last.row()
    assert row["mask"] == NETWORK and row["iou"] is None
    assert row["kept_rmse"] < first.row()["kept_rmse"]
    for weights, same in zip(before, mask_net.get_weights(), strict=True):
        np.testing.assert_array_equal(weights, same)
    assert len(net.trainable_weights) == len(net.get_layer(HEAD).weights)
