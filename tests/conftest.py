"""Setup of all tests: two logical CPUs, fixed seeds, the golden files."""

import os
import pathlib

import hypothesis
import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny_nets

from tfdepthviz import export
from trainers.engine.strategy import mirrored

# TensorFlow sets it on import. Commands that tests start get the environment of a user.
os.environ.pop("TF_CPP_MIN_LOG_LEVEL", None)
# Before the first operation: afterwards the devices are fixed. Two make MirroredStrategy real.
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0],
    [tf.config.LogicalDeviceConfiguration(), tf.config.LogicalDeviceConfiguration()],
)

# The same few examples each time; --hypothesis-profile=long looks for new ones.
hypothesis.settings.register_profile(
    "quick", max_examples=40, derandomize=True, deadline=None, database=None
)
hypothesis.settings.register_profile("long", max_examples=20_000, deadline=None)
hypothesis.settings.load_profile("quick")

GOLDEN = pathlib.Path(__file__).parent / "golden"


@pytest.fixture(autouse=True)
def seeded():
    keras.utils.set_random_seed(0)


@pytest.fixture(scope="session")
def golden():
    """Function name -> dict of the arrays in golden/<name>.npz (see golden/README.md)."""

    def load(name):
        with np.load(GOLDEN / f"{name}.npz") as file:
            return dict(file)

    return load


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory):
    """Folder of version 1 of the model `tiny`, with every signature of an exported model."""
    base_path = tmp_path_factory.mktemp("savedmodels") / "tiny"
    # A session fixture runs before `seeded`, which runs once for each test.
    keras.utils.set_random_seed(0)
    card = {"depth_net": "tiny", "lambda": 3.0}
    nets = tiny_nets.depth_net(), tiny_nets.mask_net()
    return export.export_savedmodel(*nets, base_path, card=card, warmup=False)


@pytest.fixture(scope="session")
def tiny_server(tiny_model):
    """Address of the embedded server with the model `tiny`, its version 1 labelled `stable`."""
    # Imported here, because most tests need no server.
    from serving_clients import config_of, started

    labels = 'version_labels { key: "stable" value: 1 }'
    models = config_of({"tiny": tiny_model.parent}, labels)
    with started(models) as client:
        yield f"http://{client.rest_address}"


@pytest.fixture
def replicas():
    """Function of 1 or 2 -> strategy of as many replicas on logical CPUs."""
    return lambda count: mirrored(("/device:CPU:0", "/device:CPU:1")[:count])


@pytest.fixture
def dtype_policy():
    """Function that sets the global dtype policy for the rest of this test."""
    before = keras.config.dtype_policy()
    yield keras.config.set_dtype_policy
    keras.config.set_dtype_policy(before)
