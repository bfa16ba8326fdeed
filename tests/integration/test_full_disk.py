"""Full disks: a run names the file that cannot be written, loses nothing, and continues.

A limit on the size of files (RLIMIT_FSIZE) makes every write fail as a full disk does, and needs
no rights. bad_inputs.py mounts file systems that are really full, where tests may do so.
"""

import contextlib
import resource

import commands
import keras
import numpy as np
import pytest

from tfdepthviz.reports import tensorboard
from tfdepthviz.utils.errors import WriteError
from tfdepthviz.utils.files import OUTPUT_MARK
from trainers import train_mask
from trainers.engine import checkpoints, fit, loop

pytestmark = pytest.mark.slow

# Function that writes -> file that the error must name, in the order of a run.
PLACES = {
    (tensorboard.ScalarSummaries, "on_epoch_end"): "logs/train: ",
    (tensorboard.MaskSummaries, "on_epoch_end"): "logs/frames: ",
    (loop, "write_history"): "history.csv: ",
    (checkpoints.Checkpoints, "_write"): "checkpoints/epoch-00001-step-0000000: ",
    (fit, "save_model"): "mask_net.keras: ",
}


@contextlib.contextmanager
def no_room():
    """Makes every write to a file fail."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_every_write_may_fail(tiny_networks, finished_run, tmp_path, monkeypatch):
    options, whole = finished_run
    folder = tmp_path / "w"
    for (owner, name), says in PLACES.items():
        before = {p: p.read_bytes() for p in folder.glob("checkpoints/*/*")}
        write = getattr(owner, name)

        def full(*args, write=write, **kwargs):
            with no_room():
                return write(*args, **kwargs)

        with monkeypatch.context() as patched, pytest.raises(WriteError) as caught:
            patched.setattr(owner, name, full)
            commands.run(train_mask, **options, workdir=str(folder))
        assert str(caught.value).startswith(f"{folder}/{says}cannot be written (")
        assert "File too large" in str(caught.value) or "MB are free there" in str(caught.value)
        assert [p for p in folder.rglob(".*") if p.name not in (".lock", OUTPUT_MARK)] == []
        assert not (folder / "mask_net.keras").exists()
        assert before == {p: p.read_bytes() for p in before}
    commands.run(train_mask, **options, workdir=str(folder))
    assert (whole / "history.csv").read_bytes() == (folder / "history.csv").read_bytes()
    one, other = (keras.models.load_model(f / "mask_net.keras") for f in (whole, folder))
    for weight, same in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, same)
