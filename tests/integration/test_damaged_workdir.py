"""Damaged work folders: the run continues exactly, or an error names the damaged file.

Any byte may be damaged; seeds choose which. test_resume.py damages history.csv, which is written
anew, and .lock, whose content is not read.
"""

import random
import shutil

import commands
import numpy as np
import pytest
import run_contents
import tensorflow as tf
from event_writer import write_events

from tfdepthviz.reports import event_files
from tfdepthviz.utils.errors import InputError
from trainers import train_mask
from trainers.engine import checkpoints
from trainers.engine.workdir import open_workdir

OPTIONS = {"epochs": 2, "learning_rate": 0.01, "input_size": [16, 20], "workdir": "w", "loss": "l1"}


def damages(content, seed, flips):
    """Yields damaged copies of a file's bytes: bits flipped, cut short, empty, zeros at the end."""
    rng = random.Random(seed)
    for place in rng.sample(range(len(content)), min(flips, len(content))):
        yield (
            content[:place] + bytes([content[place] ^ 1 << rng.randrange(8)]) + content[place + 1 :]
        )
    for end in (len(content) - 1, rng.randrange(1, len(content)), 0):
        yield content[:end]
    yield content[: len(content) // 2] + bytes(len(content) - len(content) // 2)


def two_checkpoints(folder):
    """Saves a variable that is 1 in the older and 2 in the newer checkpoint; returns both."""
    variable = tf.Variable(np.zeros(50, "float32"))
    kept = checkpoints.Checkpoints(folder, {"variable": variable})
    for epoch in (1, 2):
        variable.assign(np.full(50, epoch, "float32"))
        kept.save(epoch, 0, {"epoch": epoch})
    return kept, variable


def test_damaged_checkpoint_is_never_restored(tmp_path, capsys):
    two_checkpoints(tmp_path / "whole")
    names = sorted(path.name for path in checkpoints.saved(tmp_path / "whole")[1].iterdir())
    assert len(names) == 4
    tried = 0
    for name in names:
        content = (checkpoints.saved(tmp_path / "whole")[1] / name).read_bytes()
        for damaged in (*damages(content, name, flips=6), None):
            shutil.rmtree(tmp_path / "w", ignore_errors=True)
            shutil.copytree(tmp_path / "whole", tmp_path / "w")
            older, newest = checkpoints.saved(tmp_path / "w")
            (newest / name).unlink() if damaged is None else (newest / name).write_bytes(damaged)
            variable = tf.Variable(np.zeros(50, "float32"))
            kept = checkpoints.Checkpoints(tmp_path / "w", {"variable": variable})
            epoch = kept.restore()["epoch"]
            np.testing.assert_array_equal(variable.numpy(), np.full(50, epoch))
            output = capsys.readouterr().out
            tried += 1
            if epoch == 2:  # sums.json means the same without its last line feed
                assert (name, len(damaged)) == ("sums.json", len(content) - 1) and not output
                continue
            assert checkpoints.saved(tmp_path / "w") == [older]
            assert f"{newest.name} is damaged" in output
            assert f"going back to {older.name}" in output
    assert tried == 4 * 11


def test_no_checkpoint_is_removed_if_none_is_whole(tmp_path):
    kept, _ = two_checkpoints(tmp_path)
    for path in checkpoints.saved(tmp_path):
        (path / "variables.index").write_bytes(b"")
    with pytest.raises(InputError, match="no checkpoint is whole .variables.index has another"):
        kept.restore()
    assert len(checkpoints.saved(tmp_path)) == 2


def test_damaged_config_differs_from_other_options(tmp_path):
    open_workdir(tmp_path, "train_mask", OPTIONS)
    (tmp_path / "checkpoints/epoch-00001-step-0000000").mkdir(parents=True)
    path = tmp_path / "config.json"
    content = path.read_bytes()
    accepted = 0
    for damaged in damages(content, "config", flips=200):
        path.write_bytes(damaged)
        try:
            open_workdir(tmp_path, "train_mask", OPTIONS)
            accepted += 1  # a damaged blank or name of the sum changes no option
        except InputError as error:
            assert str(error).startswith(f"{path}: is damaged, or not one of ours")
        assert path.read_bytes() == damaged
    assert accepted < 20
    path.write_bytes(content)
    with pytest.raises(InputError, match="other options .--seed=3 here"):
        open_workdir(tmp_path, "train_mask", OPTIONS | {"seed": 3})
    # As the message of a damaged file advises.
    path.unlink()
    open_workdir(tmp_path, "train_mask", OPTIONS)
    assert path.read_bytes() == content


def test_finished_run_repairs_its_files(tiny_networks, finished_run, tmp_path):
    """The same command again: network and history anew, and no checkpoint more than two."""
    options, whole = finished_run
    folder = tmp_path / "w"
    shutil.copytree(whole, folder)
    older, newest = checkpoints.saved(folder / "checkpoints")
    # Left by a kill between saving and removing, as tests/helpers/soak.py once showed.
    shutil.copytree(older, folder / "checkpoints/epoch-00000-step-0000001")
    for name in ("mask_net.keras", "history.csv"):
        (folder / name).write_bytes(b"damaged")
    commands.run(train_mask, **options, workdir=str(folder))
    assert run_contents.differences(whole, folder) == []
    assert checkpoints.saved(folder / "checkpoints") == [older, newest]


def test_third_checkpoint_is_removed(tmp_path):
    saved, _ = two_checkpoints(tmp_path)
    older, newest = checkpoints.saved(tmp_path)
    shutil.copytree(older, tmp_path / "epoch-00000-step-0000001")
    assert saved.restore() == {"epoch": 2}
    assert checkpoints.saved(tmp_path) == [older, newest]


def steps(path):
    """Steps of a file's events; TensorFlow raises an error if one is damaged."""
    records = [record.numpy() for record in tf.data.TFRecordDataset(str(path))]
    return [tf.compat.v1.Event.FromString(record).step for record in records]


def test_damaged_summaries(tmp_path, capsys):
    path = write_events(tmp_path)
    content = path.read_bytes()
    event_files.continue_from(tmp_path, 3)
    assert path.read_bytes() == content and capsys.readouterr().err == ""
    for damaged in damages(content, "events", flips=25):
        path.write_bytes(damaged)
        event_files.continue_from(tmp_path, 3)
        message = capsys.readouterr().err
        left = steps(path)[1:] if path.exists() else []
        assert left == [1, 2, 3][: len(left)] and len(left) < 3
        assert f"the summaries of steps {max(left, default=0) + 1} to 3 are missing" in message
        # Repaired files are not reported again, and a run's writer can append to them.
        if left:
            event_files.continue_from(tmp_path, left[-1])
            writer = event_files.open_writer(tmp_path)
            with event_files.checked_events(writer, tmp_path, events=1):
                tf.summary.scalar("a", 4.0, step=4)
            writer.close()
            newest = sorted(tmp_path.iterdir(), key=lambda p: p.stat().st_mtime_ns)[-1]
            assert newest != path and steps(newest) == [0, 4]
            newest.unlink()
            assert capsys.readouterr().err == ""
