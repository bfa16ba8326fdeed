"""Signature `region`: on a network of known needs, by a region network, and what it refuses."""

import export_by_hand as by_hand
import keras
import numpy as np
import pytest
import tensorflow as tf
from place_nets import SIZE, WIDTH, mirror_net

from tfdepthviz.export.image_inputs import region_weights
from tfdepthviz.export.savedmodel import traced
from tfdepthviz.masks import top_share_mask
from tfdepthviz.models import build_mask_net
from tfdepthviz.models.region_net import HEAD, region_net
from tfdepthviz.models.scores import scores_net
from tfdepthviz.training import regions
from tfdepthviz.utils.constants import IMAGENET_MEAN, IMAGENET_STD

PLACE = regions.box(SIZE, 3, 5, 9, 11)
SHARE = np.float32(PLACE.mean())


@pytest.fixture(scope="module")
def mirror():
    """(bytes of a photograph, its red channel as N sees it, signature of the mirror network)."""
    mask_net = by_hand.tiny_nets(SIZE)[1]
    model = traced(mirror_net(), mask_net, {})
    assert model.card["region"] == "search"
    levels = np.random.default_rng(0).integers(180, 230, (*SIZE, 3)) / 255.0
    red = (levels[..., 0] - IMAGENET_MEAN[0]) / IMAGENET_STD[0]
    return by_hand.file_bytes(levels, "PNG"), red, model


def asked(mirror, region=PLACE, share=SHARE):
    contents, _, model = mirror
    return model.signatures["region"](
        image_bytes=tf.constant([contents]),
        region=tf.constant(region[np.newaxis], tf.float32),
        share=tf.constant([share]),
    )


def test_search_in_the_graph(mirror):
    """A mirror network needs the mirrored place; all figures by NumPy."""
    red = mirror[1]
    got = {name: value.numpy()[0] for name, value in asked(mirror).items()}
    mask, need = got["binary_mask"][..., 0], PLACE[:, ::-1] > 0
    assert mask.sum() == PLACE.sum() and mask[need].mean() > 0.95
    for name, shown in (("kept", mask), ("deleted", 1 - mask)):
        depth = 3 + (red * shown)[:, ::-1]
        np.testing.assert_allclose(got[f"{name}_depth"][..., 0], depth, atol=1e-4)
        inside = depth[PLACE > 0]
        assert got[f"region_{name}_depth"] == pytest.approx(inside.mean(), abs=1e-4)
        error = inside - (3 + red[:, ::-1])[PLACE > 0]
        rmse = np.sqrt(np.square(error).mean())
        assert got[f"region_{name}_rmse"] == pytest.approx(rmse, abs=1e-4)
    assert got["region_depth"] == pytest.approx((3 + red[:, ::-1])[PLACE > 0].mean(), abs=1e-4)
    assert got["outside"] == pytest.approx((mask * (1 - PLACE)).sum() / mask.sum(), abs=1e-6)
    assert got["covered"] == 1


def test_network_without_a_gradient():
    """Its pixels cannot be searched, so the model has no such signature."""
    image = keras.Input((*SIZE, 3))
    depth = keras.layers.Rescaling(2.0)(keras.ops.round(image[..., :1]))
    whole = keras.ops.cast(keras.ops.cast(depth, "int32"), "float32")
    model = traced(keras.Model(image, whole), by_hand.tiny_nets(SIZE)[1], {})
    assert "region" not in model.signatures and model.card["region"] == "none"


def test_region_network():
    """The masks are those of the network's scores, and its kernels are stored once."""
    size = (32, 48)
    depth_net, mask_net = by_hand.tiny_nets(size)[0], build_mask_net("compact_ranking", (*size, 3))
    net = region_net(mask_net)
    head = net.get_layer(HEAD)
    head.set_weights([np.random.default_rng(0).normal(0, 0.1, w.shape) for w in head.get_weights()])
    model = traced(depth_net, mask_net, {}, "float16", net)
    assert model.card["region"] == "network"
    expected = [*depth_net.weights, *scores_net(mask_net).weights, *head.weights]
    assert len(model.variables) == len(expected)
    photographs = by_hand.photographs(2, *size)
    region = np.zeros((2, *size), "float32")
    region[0, 10:20, 30:40], region[1, 20:30, 5:15] = 1, 1
    shares = np.float32([0.05, 0.2])
    got = model.signatures["region"](
        image_bytes=tf.constant([by_hand.file_bytes(p, "PNG") for p in photographs]),
        region=tf.constant(region),
        share=tf.constant(shares),
    )["binary_mask"].numpy()
    weights = np.stack([regions.resized(r, depth_net.output_shape[1:3]) for r in region])
    image = by_hand.normalised(photographs, size)
    scores = scores_net(net)([image, weights[..., np.newaxis]], training=False)
    # float16 kernels change the order of a few pixels.
    assert (got == top_share_mask(scores, shares).numpy()).mean() > 0.99
    assert got.sum(axis=(1, 2, 3)).tolist() == np.round(shares * np.prod(size)).tolist()


@pytest.mark.parametrize("height, width", [(30, 40), (24, 61), (47, 32)])
def test_region_over_the_whole_photograph(height, width):
    """The weights are means within the window that N sees, here over 24x24 parts of each cell."""
    region = np.random.default_rng(1).random((2, height, width)).astype("float32")
    tall, wide = min(height, width * 3 // 4), min(width, height * 4 // 3)
    top, left = 12 * (height - tall), 12 * (width - wide)
    parts = np.array([[tall / height, wide / width]] * 2)
    got = region_weights(tf.constant(region), tf.constant(parts), (6, 8)).numpy()
    for weights, whole in zip(got, region, strict=True):
        fine = whole.repeat(24, axis=0).repeat(24, axis=1)
        fine = fine[top : top + 24 * tall, left : left + 24 * wide]
        mean = fine.reshape(6, 4 * tall, 8, 3 * wide).mean(axis=(1, 3))
        np.testing.assert_allclose(weights[..., 0], mean / mean.max(), atol=1e-5)


def test_regions_of_other_images_do_not_count():
    """A region of small weights next to one of large weights, as alone."""
    region = tf.constant([np.full((3, 4), 1e-9), np.full((3, 4), 1.0)], tf.float32)
    got = region_weights(region, tf.ones((2, 2), tf.float64), (6, 8)).numpy()
    np.testing.assert_allclose(got, 1.0, atol=1e-6)


WRONG = {
    "region must be one map": [
        *(np.full((1, 2, 2), -1.0), np.full((1, 2, 2), np.nan)),
        *(np.zeros((1, 0, 0)), np.zeros((1, 5, 0))),
    ],
    "region must hold a weight above 0": [np.zeros((1, 2, 2))],
}


@pytest.mark.parametrize(
    "region, message", [(region, message) for message, rows in WRONG.items() for region in rows]
)
def test_refused_regions(mirror, region, message):
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        asked(mirror, region[0])


def test_refused_numbers(mirror):
    contents, _, model = mirror
    two = {"image_bytes": tf.constant([contents] * 2), "share": tf.constant([0.5, 0.5])}
    with pytest.raises(tf.errors.InvalidArgumentError, match="one map.*for each image"):
        model.signatures["region"](region=tf.ones((1, 2, 2)), **two)
    with pytest.raises(tf.errors.InvalidArgumentError, match="share must be one number"):
        asked(mirror, share=np.float32(0))


def test_region_outside_of_the_window(mirror):
    """N sees the middle of a wide photograph."""
    wide = by_hand.file_bytes(np.full((SIZE[0], 3 * WIDTH, 3), 0.5), "PNG")
    region = np.zeros((SIZE[0], 3 * WIDTH), "float32")
    region[:, :20] = 1
    with pytest.raises(tf.errors.InvalidArgumentError, match="the network sees"):
        asked((wide, *mirror[1:]), region)
