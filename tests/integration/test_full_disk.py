"""A training run whose disk is full at each of its writes in turn, and which then continues.

A limit on the size of files (RLIMIT_FSIZE) makes every write fail, as a full disk does, and needs
no rights; bad_inputs.py has file systems that are really full, where the tests may mount them.
"""

import contextlib
import resource

import keras
import numpy as np
import pytest
import tiny_nets
from nyu_files import write_nyu

from tfdepthviz import models
from tfdepthviz.reports import tensorboard
from tfdepthviz.utils.errors import WriteError
from trainers import train_mask
from trainers.cli.data import Data
from trainers.cli.target import Target
from trainers.engine import checkpoints, fit, loop

# The place in the code -> the file that the error must name, in the order of a run.
PLACES = {
    (tensorboard.ScalarSummaries, "on_epoch_end"): "logs/train: ",
    (tensorboard.MaskSummaries, "on_epoch_end"): "logs/frames: ",
    (loop, "write_history"): "history.csv: ",
    (checkpoints.Checkpoints, "_write"): "checkpoints/epoch-00001-step-0000000: ",
    (fit, "save_model"): "mask_net.keras: ",
}


@contextlib.contextmanager
def no_room():
    """Files cannot grow inside."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def options(monkeypatch, tmp_path):
    monkeypatch.setitem(models.DEPTH_NETS, "tiny", lambda _: tiny_nets.depth_net())
    monkeypatch.setitem(models.MASK_NETS, "tiny", lambda _: tiny_nets.mask_net())
    return {
        "data": Data("nyu", str(write_nyu(tmp_path / "data"))),
        "target": Target("tiny", depth_weights="random"),
        "mask_net": "tiny",
        "input_size": tiny_nets.SIZE,
        "batch_size": 4,
        "epochs": 1,
        "strips": 1,
    }


def test_every_write_of_a_run_may_fail_and_nothing_is_lost(options, tmp_path, monkeypatch):
    whole = train_mask.run(**options, workdir=str(tmp_path / "whole"))
    folder = tmp_path / "w"
    for (owner, name), says in PLACES.items():
        before = {p: p.read_bytes() for p in folder.glob("checkpoints/*/*")}
        write = getattr(owner, name)

        def full(*given, write=write, **more):
            with no_room():
                return write(*given, **more)

        with monkeypatch.context() as patched, pytest.raises(WriteError) as caught:
            patched.setattr(owner, name, full)
            train_mask.run(**options, workdir=str(folder))
        assert str(caught.value).startswith(f"{folder}/{says}cannot be written (")
        assert "File too large" in str(caught.value) or "MB are free there" in str(caught.value)
        assert [p for p in folder.rglob(".*") if p.name != ".lock"] == []
        assert not (folder / "mask_net.keras").exists()
        assert before == {p: p.read_bytes() for p in before}
    train_mask.run(**options, workdir=str(folder))
    for name in ("mask_net.keras", "history.csv"):  # both are made anew from the checkpoint
        (folder / name).write_bytes(b"damaged")
    train_mask.run(**options, workdir=str(folder))
    assert (whole / "history.csv").read_bytes() == (folder / "history.csv").read_bytes()
    one, other = (keras.models.load_model(f / "mask_net.keras") for f in (whole, folder))
    for weight, same in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, same)
