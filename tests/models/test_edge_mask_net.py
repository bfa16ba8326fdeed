"""compact_edges: its mask before training, and its start from the depth network's weights."""

import keras
import numpy as np
import pytest
from scipy import ndimage

from tfdepthviz.masks import GREY_WEIGHTS
from tfdepthviz.models import build_depth_net, build_mask_net
from tfdepthviz.models.edge_mask_net import EDGE_WEIGHTS, EdgeMaps, start_from_depth_net
from tfdepthviz.models.scores import scores_net
from tfdepthviz.utils.constants import IMAGENET_MEAN, IMAGENET_STD
from tfdepthviz.utils.errors import InputError

SIZE = (37, 52)
RGB = np.random.default_rng(0).random((2, *SIZE, 3)).astype("float32")
IMAGE = ((RGB - IMAGENET_MEAN) / IMAGENET_STD).astype("float32")


def edge_maps_by_scipy(rgb):
    grey = rgb @ np.array(GREY_WEIGHTS)
    edges = np.hypot(ndimage.sobel(grey, 0, mode="nearest"), ndimage.sobel(grey, 1, mode="nearest"))
    maps = []
    for sigma in (0, 1, 2):
        blurred = edges
        if sigma:
            blurred = ndimage.gaussian_filter(edges, sigma, mode="mirror", radius=3 * sigma)
        logs = np.log(blurred + 0.02)
        maps.append((logs - logs.mean()) / (logs.std() + 0.01))
    return np.stack(maps, -1)


def test_edge_maps_against_scipy():
    maps = keras.ops.convert_to_numpy(EdgeMaps()(IMAGE))
    for received, rgb in zip(maps, RGB, strict=True):
        np.testing.assert_allclose(received, edge_maps_by_scipy(rgb), atol=1e-2)


def test_untrained_mask_is_an_edge_map():
    mask = build_mask_net("compact_edges", (*SIZE, 3)).predict_on_batch(IMAGE)
    sharp = 10 * edge_maps_by_scipy(RGB[0]) @ np.array(EDGE_WEIGHTS)
    logits = sharp / (1 + np.abs(sharp) / 12)
    np.testing.assert_allclose(mask[0, ..., 0], 1 / (1 + np.exp(-logits)), atol=5e-2)
    # Grey levels still rank the pixels: if all were 1, the strongest could not be told apart.
    strongest = np.argsort(sharp.ravel())[-200:]
    assert len(np.unique(mask.ravel()[strongest])) > 150


def test_ranking_starts_with_the_same_order():
    scores = scores_net(build_mask_net("compact_ranking", (*SIZE, 3)))(IMAGE)
    expected = edge_maps_by_scipy(RGB[0]) @ np.array(EDGE_WEIGHTS)
    np.testing.assert_allclose(scores[0, ..., 0], expected, atol=2e-2)
    edges = build_mask_net("compact_edges", (*SIZE, 3))(IMAGE)
    np.testing.assert_array_equal(
        np.argsort(scores[0], None)[-50:], np.argsort(edges[0], None)[-50:]
    )


def test_picture_of_one_colour():
    mask = build_mask_net("compact_edges", (*SIZE, 3)).predict_on_batch(0 * IMAGE)
    np.testing.assert_allclose(mask, 0.5, atol=1e-2)


def test_start_from_the_depth_net():
    n = build_depth_net("compact", (*SIZE, 3), weights="nyu")
    g = build_mask_net("compact_edges", (*SIZE, 3))
    start_from_depth_net(g, n)
    for name in ("encoder_conv1", "context_reduce_bn", "decoder_stride2_merge_conv"):
        for ours, theirs in zip(
            g.get_layer(name).get_weights(), n.get_layer(name).get_weights(), strict=True
        ):
            np.testing.assert_array_equal(ours, theirs)
    with pytest.raises(InputError, match="compact_mask has no layer of"):
        start_from_depth_net(build_mask_net("compact", (*SIZE, 3)), n)
