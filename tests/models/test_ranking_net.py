"""compact_ranking: its scores before training, and what its weights do."""

import keras
import numpy as np

from tfdepthviz.models import build_mask_net
from tfdepthviz.models.edge_mask_net import EDGE_WEIGHTS, EdgeMaps
from tfdepthviz.models.scores import scores_net

SIZE = (60, 84)
IMAGE = np.random.default_rng(0).normal(size=(2, *SIZE, 3)).astype("float32")


def test_starts_as_weighed_edges():
    scores = scores_net(build_mask_net("compact_ranking", (*SIZE, 3)))(IMAGE)
    expected = np.asarray(EdgeMaps()(IMAGE)) @ np.array(EDGE_WEIGHTS, "float32")
    np.testing.assert_allclose(scores[..., 0], expected, atol=1e-5)


def test_weights_differ_by_place():
    net = build_mask_net("compact_ranking", (*SIZE, 3))
    layer = net.get_layer("weigh_conv")
    kernel = np.random.default_rng(1).normal(0, 0.1, layer.kernel.shape)
    layer.set_weights([kernel, np.array([0.5, 0.0, 0.0, 0.0])])
    weights = keras.Model(net.input, net.get_layer("weigh_resize").output)(IMAGE)
    maps = np.asarray(EdgeMaps()(IMAGE))
    expected = weights[..., 0] + np.einsum("bhwk,bhwk->bhw", weights[..., 1:], maps)
    np.testing.assert_allclose(scores_net(net)(IMAGE)[..., 0], expected, rtol=1e-4, atol=1e-4)
    assert np.asarray(weights).std(axis=(1, 2)).min() > 1e-3
