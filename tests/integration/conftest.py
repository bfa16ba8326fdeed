"""Fixtures of the integration tests: tiny networks, and one finished run that tests share."""

import dataclasses

import commands
import pytest
import tiny_nets
from nyu_files import write_nyu

from tfdepthviz import models
from tfdepthviz.data import samples
from trainers import train_mask
from trainers.engine import source


def register_tiny(monkeypatch):
    """Makes the networks of tiny_nets.py available under the name `tiny`."""
    monkeypatch.setitem(models.DEPTH_NETS, "tiny", lambda _: tiny_nets.depth_net(dropout=0.3))
    monkeypatch.setitem(models.MASK_NETS, "tiny", lambda _: tiny_nets.mask_net())


@pytest.fixture
def tiny_networks(monkeypatch):
    """The name `tiny` for a depth network and a mask network of a few weights."""
    register_tiny(monkeypatch)


@pytest.fixture
def few_samples(monkeypatch):
    """Four training frames and four held-out ones of the embedded photographs."""
    every = samples.files

    def few(split="train"):
        frames = every(split)
        places = [0, len(frames) // 3, 2 * len(frames) // 3, len(frames) - 1]
        images, depths = ([files[i] for i in places] for files in (frames.images, frames.depths))
        return dataclasses.replace(frames, images=images, depths=depths)

    monkeypatch.setattr(samples, "files", few)
    monkeypatch.setitem(source.DATASETS, "samples", few)


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory):
    """(options, work folder) of a finished run of train_mask; tests change copies of it only."""
    folder = tmp_path_factory.mktemp("finished_run")
    options = {
        "dataset": "nyu",
        "data_dir": str(write_nyu(folder / "nyu")),
        "depth_net": "tiny",
        "depth_weights": "random",
        "mask_net": "tiny",
        "mask_weights": "random",
        "input_size": tiny_nets.SIZE,
        "batch_size": 2,
        "epochs": 2,
        "learning_rate": 0.01,
        "strips": 1,
    }
    with pytest.MonkeyPatch.context() as monkeypatch:
        register_tiny(monkeypatch)
        return options, commands.run(train_mask, **options, workdir=str(folder / "w"))
