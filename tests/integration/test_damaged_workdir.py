"""A work folder with a damaged file: the run goes on exactly, or the file is named; none is lost.

Every byte may be the damaged one; seeds choose among them. history.csv and .lock are in
test_resume.py: one is made anew, the other's content is not read.
"""

import random
import shutil

import numpy as np
import pytest
import tensorflow as tf
from event_writer import write_events

from tfdepthviz.reports import event_files
from tfdepthviz.utils.errors import InputError
from trainers.engine import checkpoints
from trainers.engine.workdir import open_workdir

OPTIONS = {"epochs": 2, "learning_rate": 0.01, "input_size": [16, 20], "workdir": "w", "loss": "l1"}


def damages(content, seed, flips):
    """The bytes of a file, damaged in turn: bits flipped, cut short, empty, zeros at the end."""
    rng = random.Random(seed)
    for place in rng.sample(range(len(content)), min(flips, len(content))):
        yield (
            content[:place] + bytes([content[place] ^ 1 << rng.randrange(8)]) + content[place + 1 :]
        )
    for end in (len(content) - 1, rng.randrange(1, len(content)), 0):
        yield content[:end]
    yield content[: len(content) // 2] + bytes(len(content) - len(content) // 2)


def of_two_checkpoints(folder):
    """Checkpoints of one variable, which is 1 in the older and 2 in the newer one."""
    variable = tf.Variable(np.zeros(50, "float32"))
    kept = checkpoints.Checkpoints(folder, {"variable": variable})
    for epoch in (1, 2):
        variable.assign(np.full(50, epoch, "float32"))
        kept.save(epoch, 0, {"epoch": epoch})
    return kept, variable


def test_a_damaged_checkpoint_is_never_taken_for_a_whole_one(tmp_path, capsys):
    of_two_checkpoints(tmp_path / "whole")
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
            said = capsys.readouterr().out
            tried += 1
            if epoch == 2:  # sums.json without its last line feed says what it said
                assert (name, len(damaged)) == ("sums.json", len(content) - 1) and not said
                continue
            assert checkpoints.saved(tmp_path / "w") == [older]
            assert f"{newest.name} is damaged" in said and f"going back to {older.name}" in said
    assert tried == 4 * 11


def test_where_no_checkpoint_is_whole_none_is_removed(tmp_path):
    kept, _ = of_two_checkpoints(tmp_path)
    for path in checkpoints.saved(tmp_path):
        (path / "variables.index").write_bytes(b"")
    with pytest.raises(InputError, match="no checkpoint is whole .variables.index has another"):
        kept.restore()
    assert len(checkpoints.saved(tmp_path)) == 2


def test_a_damaged_config_is_told_from_other_options(tmp_path):
    open_workdir(tmp_path, "train_mask", OPTIONS)
    (tmp_path / "checkpoints/epoch-00001-step-0000000").mkdir(parents=True)
    path = tmp_path / "config.json"
    content = path.read_bytes()
    accepted = 0
    for damaged in damages(content, "config", flips=200):
        path.write_bytes(damaged)
        try:
            open_workdir(tmp_path, "train_mask", OPTIONS)
            accepted += 1  # the damage is in a blank, or in the name of the sum
        except InputError as error:
            assert str(error).startswith(f"{path}: is damaged, or not one of ours")
        assert path.read_bytes() == damaged
    assert accepted < 20
    path.write_bytes(content)
    with pytest.raises(InputError, match="other options .--epochs=3 here, 2 there"):
        open_workdir(tmp_path, "train_mask", OPTIONS | {"epochs": 3})
    # What the message advises.
    path.unlink()
    open_workdir(tmp_path, "train_mask", OPTIONS)
    assert path.read_bytes() == content


def steps(path):
    """The steps of a file's events; TensorFlow raises if one is damaged."""
    records = [record.numpy() for record in tf.data.TFRecordDataset(str(path))]
    return [tf.compat.v1.Event.FromString(record).step for record in records]


def test_damaged_summaries_are_named_and_the_rest_is_kept(tmp_path, capsys):
    path = write_events(tmp_path)
    content = path.read_bytes()
    event_files.go_on(tmp_path, 3)
    assert path.read_bytes() == content and capsys.readouterr().err == ""
    for damaged in damages(content, "events", flips=25):
        path.write_bytes(damaged)
        event_files.go_on(tmp_path, 3)
        said = capsys.readouterr().err
        left = steps(path)[1:] if path.exists() else []
        assert left == [1, 2, 3][: len(left)] and len(left) < 3
        assert f"the summaries of steps {max(left, default=0) + 1} to 3 are missing" in said
        # Nothing is said twice of what is mended, and the run's own writer finds nothing amiss.
        if left:
            event_files.go_on(tmp_path, left[-1])
            writer = event_files.open_writer(tmp_path)
            with event_files.written(writer, tmp_path, events=1):
                tf.summary.scalar("a", 4.0, step=4)
            writer.close()
            newest = sorted(tmp_path.iterdir(), key=lambda p: p.stat().st_mtime_ns)[-1]
            assert newest != path and steps(newest) == [0, 4]
            newest.unlink()
            assert capsys.readouterr().err == ""
