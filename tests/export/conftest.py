"""One exported model for all tests of this folder: saving and loading take seconds."""

import export_by_hand as by_hand
import keras
import pytest
import tensorflow as tf

from tfdepthviz import export
from tfdepthviz.models import build_depth_net, build_mask_net


@pytest.fixture(scope="session")
def nets():
    """N and G of random weights; half of G's mask is above the threshold, half below."""
    keras.utils.set_random_seed(0)
    depth_net = build_depth_net("compact", (*by_hand.SIZE, 3))
    mask_net = build_mask_net("compact", (*by_hand.SIZE, 3))
    mask_net.get_layer("D_conv").bias.assign([-3.5])
    return depth_net, mask_net


@pytest.fixture(scope="session")
def exported(nets, tmp_path_factory):
    return export.export_savedmodel(*nets, tmp_path_factory.mktemp("compact"), card=by_hand.CARD)


@pytest.fixture(scope="session")
def signatures(exported):
    loaded = tf.saved_model.load(str(exported))
    yield loaded.signatures


@pytest.fixture
def tiny_nets():
    return by_hand.tiny_nets()
