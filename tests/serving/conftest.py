"""Toy models, saved once, and one server for all tests that only send requests."""

import pytest
import toy_savedmodels
from serving_clients import started


@pytest.fixture(scope="session")
def toys(tmp_path_factory):
    """Folder with a base path for each toy model, whose only version is 1."""
    folder = tmp_path_factory.mktemp("toys")
    for name, save in toy_savedmodels.SAVERS.items():
        save(folder / name / "1")
    return folder


@pytest.fixture(scope="session")
def client(toys):
    """Client of a server of all toy models."""
    models = {name: toys / name for name in toy_savedmodels.SAVERS}
    with started(models) as client:
        yield client
