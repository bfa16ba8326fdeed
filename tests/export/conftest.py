"""Exported models, each made once for all tests: saving and loading take seconds."""

import export_by_hand as by_hand
import keras
import pytest
import tensorflow as tf

from tfdepthviz import export
from tfdepthviz.models import build_depth_net, build_mask_net


@pytest.fixture(scope="session")
def nets():
    """The compact N and G with random weights; half of G's mask is above the threshold."""
    keras.utils.set_random_seed(0)
    depth_net = build_depth_net("compact", (*by_hand.SIZE, 3))
    mask_net = build_mask_net("compact", (*by_hand.SIZE, 3))
    mask_net.get_layer("D_conv").bias.assign([-3.5])
    return depth_net, mask_net


@pytest.fixture(scope="session")
def exported(nets, tmp_path_factory):
    """Folder of the exported compact pair; slow to make, so only test_signatures.py uses it."""
    return export.export_savedmodel(*nets, tmp_path_factory.mktemp("compact"), card=by_hand.CARD)


@pytest.fixture(scope="session")
def signatures(exported):
    loaded = tf.saved_model.load(str(exported))
    yield loaded.signatures


@pytest.fixture(scope="session")
def warmed(tmp_path_factory):
    """Folder of an exported tiny pair with a card and warm-up requests."""
    keras.utils.set_random_seed(0)
    base_path = tmp_path_factory.mktemp("warmed")
    return export.export_savedmodel(*by_hand.tiny_nets(), base_path, card=by_hand.CARD)


@pytest.fixture
def tiny_nets():
    return by_hand.tiny_nets()
