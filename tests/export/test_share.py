"""Signature `share`: exactly that share of the pixels, those with G's highest scores."""

import export_by_hand as by_hand
import keras
import numpy as np
import pytest
import tensorflow as tf
from export_by_hand import SIZE, photographs

from tfdepthviz.export.networks import store_ranking
from tfdepthviz.export.signatures import build_signatures
from tfdepthviz.masks import top_share_mask
from tfdepthviz.models.scores import scores_net
from tfdepthviz.models.target import DepthTarget

PIXELS = SIZE[0] * SIZE[1]
# Shares of all sizes; the last but one falls between two numbers of pixels, the last is less than
# half a pixel.
SHARES = (0.36, 0.01, 1.0, 0.05, 0.5, 0.99, 100.5 / PIXELS, 0.4 / PIXELS)


def png(images):
    return tf.constant([by_hand.file_bytes(image, "PNG") for image in images])


def top_pixels(scores, share):
    """(H, W, 1) -> mask of its round(share * H * W) highest scores, by NumPy's sort."""
    kept = int(np.round(np.float32(share) * np.float32(scores.size)))
    mask = np.zeros(scores.size, "float32")
    mask[np.argsort(-scores.ravel(), kind="stable")[:kept]] = 1
    return mask.reshape(scores.shape)


@pytest.mark.parametrize("batch", [1, 3, len(SHARES)])
def test_exact_share(signatures, nets, batch):
    images = photographs(batch, *SIZE)
    shares = np.float32(SHARES[:batch])
    image = by_hand.normalised(images)
    scores = by_hand.run(scores_net(nets[1]), image)
    got = signatures["share"](image_bytes=png(images), share=shares)
    expected = np.stack([top_pixels(*pair) for pair in zip(scores, shares, strict=True)])
    np.testing.assert_array_equal(got["binary_mask"], expected)
    np.testing.assert_array_equal(got["binary_mask"], top_share_mask(scores, shares))
    np.testing.assert_allclose(got["sparseness"], expected.mean(axis=(1, 2, 3)), rtol=1e-6)
    full, masked = (by_hand.run(nets[0], x) for x in (image, image * expected))
    np.testing.assert_allclose(got["binary_depth"], by_hand.stretched(masked, SIZE), atol=1e-4)
    rmse = np.sqrt(np.square(masked - full).mean(axis=(1, 2, 3)))
    assert rmse[0] > 0.01
    np.testing.assert_allclose(got["fidelity_rmse"], rmse, rtol=1e-3, atol=1e-6)


def test_every_percent(signatures):
    """The shares of the page's slider, in batches of ten."""
    images = png(photographs(1, *SIZE).repeat(10, axis=0))
    for first in range(1, 101, 10):
        shares = np.arange(first, first + 10, dtype="float32") / 100
        masks = signatures["share"](image_bytes=images, share=shares)["binary_mask"].numpy()
        counts = masks.sum(axis=(1, 2, 3))
        # 6144 pixels: no whole percentage ends at half a pixel.
        np.testing.assert_array_equal(counts, np.round(np.arange(first, first + 10) * 61.44))


def test_saturated_mask_is_ranked_by_scores():
    """A mask that is 1 everywhere, in float32, still has an order."""
    depth_net, _ = by_hand.tiny_nets()
    image = keras.Input((8, 12, 3))
    scores = keras.layers.Conv2D(1, 1, bias_initializer=keras.initializers.Constant(90.0))(image)
    mask_net = keras.Model(image, keras.layers.Activation("sigmoid")(scores))
    functions = signatures_of(depth_net, mask_net)
    images = photographs(2, 8, 12)
    assert (functions["mask"](image=images)["mask"].numpy() == 1).all()
    got = functions["share"](image_bytes=png(images), share=[0.25, 0.5])["binary_mask"]
    scores = by_hand.run(keras.Model(image, scores), by_hand.normalised(images, (8, 12)))
    assert len(np.unique(scores)) > 20
    np.testing.assert_array_equal(got, [top_pixels(scores[0], 0.25), top_pixels(scores[1], 0.5)])


def test_network_without_scores_is_ranked_by_its_mask():
    """This G's sigmoid lies within its last layer."""
    image = keras.Input((8, 12, 3))
    mask_net = keras.Model(
        image, keras.layers.Conv2D(1, 3, padding="same", activation="sigmoid")(image)
    )
    images = photographs(2, 8, 12)
    mask = by_hand.run(mask_net, by_hand.normalised(images, (8, 12)))
    functions = signatures_of(by_hand.tiny_nets()[0], mask_net)
    got = functions["share"](image_bytes=png(images), share=[0.1, 0.7])["binary_mask"]
    np.testing.assert_array_equal(got, [top_pixels(mask[0], 0.1), top_pixels(mask[1], 0.7)])


def test_equal_scores_are_taken_in_reading_order():
    image = keras.Input((8, 12, 3))
    zeros = keras.layers.Conv2D(1, 1, kernel_initializer="zeros")(image)
    mask_net = keras.Model(image, keras.layers.Activation("sigmoid")(zeros))
    functions = signatures_of(by_hand.tiny_nets()[0], mask_net)
    got = functions["share"](image_bytes=png(photographs(1, 8, 12)), share=[0.25])["binary_mask"]
    np.testing.assert_array_equal(np.ravel(got), [1] * 24 + [0] * 72)


def signatures_of(depth_net, mask_net):
    scores, to_mask = store_ranking(mask_net, (8, 12))
    return build_signatures(
        DepthTarget(depth_net),
        lambda image: to_mask(scores(image)),
        (8, 12),
        card={},
        scores_net=scores,
    )
