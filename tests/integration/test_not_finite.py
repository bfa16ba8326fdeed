"""Training steps that are not finite: the run stops before a checkpoint, or undoes the step."""

import commands
import numpy as np
import pytest
import tensorflow as tf
import tiny_nets
from nyu_files import write_nyu

from tfdepthviz import models
from tfdepthviz.data import pipeline
from tfdepthviz.utils.errors import InputError
from trainers import train_depth, train_mask
from trainers.engine import checkpoints, cluster, loop, nonfinite

BAD_STEP = 2


@pytest.fixture
def options(monkeypatch, tmp_path):
    """Arguments of a run of four steps whose batch BAD_STEP holds NaN."""
    monkeypatch.setitem(models.DEPTH_NETS, "tiny", lambda _: tiny_nets.depth_net())
    monkeypatch.setitem(models.MASK_NETS, "tiny", lambda _: tiny_nets.mask_net())
    batches = pipeline.training_batches

    def with_nan(step, batch):
        factor = tf.where(step == BAD_STEP, np.float32(np.nan), np.float32(1.0))
        return {"image": batch["image"] * factor, "depth": batch["depth"]}

    monkeypatch.setattr(
        pipeline, "training_batches", lambda *a, **k: batches(*a, **k).enumerate().map(with_nan)
    )
    return {
        "dataset": "nyu",
        "data_dir": str(write_nyu(tmp_path / "data")),
        "depth_net": "tiny",
        "depth_weights": "random",
        "mask_net": "tiny",
        "mask_weights": "random",
        "input_size": tiny_nets.SIZE,
        "batch_size": 2,
        "epochs": 2,
        "strips": 1,
        "workdir": str(tmp_path / "w"),
    }


def depth_options(options):
    """The options as train_depth takes them."""
    left_out = ("depth_weights", "mask_net", "mask_weights", "strips")
    return {k: v for k, v in options.items() if k not in left_out}


@pytest.mark.parametrize(
    ("command", "strategy"), [("mask", "single"), ("mask", "mirrored"), ("depth", "single")]
)
def test_run_stops_and_names_the_batch(options, tmp_path, command, strategy):
    module = train_mask if command == "mask" else train_depth
    options = depth_options(options) if command == "depth" else options
    with pytest.raises(InputError, match="step 1 of epoch 2: not finite: loss") as stopped:
        commands.run(module, **options, strategy=strategy)
    (newest,) = checkpoints.saved(tmp_path / "w/checkpoints")
    assert newest.name.startswith("epoch-00001-step-0000000")
    # No NaN reached a file that outlives the process.
    reader = tf.train.load_checkpoint(str(newest / "variables"))
    names = set(reader.get_variable_to_shape_map()) - {"_CHECKPOINTABLE_OBJECT_GRAPH"}
    assert len(names) > 20 and all(np.isfinite(reader.get_tensor(name)).all() for name in names)
    assert len((tmp_path / "w/history.csv").read_text().splitlines()) == 2
    for path in (tmp_path / "w/logs").glob("*/*"):
        events = [tf.compat.v1.Event.FromString(e.numpy()) for e in tf.data.TFRecordDataset(path)]
        assert max(event.step for event in events) == BAD_STEP
    assert not list((tmp_path / "w").glob("*.keras"))
    with np.load(tmp_path / f"w/not_finite_step_{BAD_STEP}.npz") as batch:
        assert np.isnan(batch["image"]).all() and batch["image"].shape == (2, *tiny_nets.SIZE, 3)
    # The second epoch's first two frames are not its last two.
    assert str(stopped.value).count(".jpg") == 2


def everything(trainer):
    """Name -> value of N, G, the optimiser's moments and all running means."""
    owned = [*trainer.variables, *trainer.optimizer.variables]
    owned += [variable for metric in trainer.metrics for variable in metric.variables]
    return {f"{v.path} {id(v)}": np.array(v) for v in owned}


@pytest.mark.parametrize(
    ("command", "strategy"), [("mask", "single"), ("mask", "mirrored"), ("depth", "single")]
)
def test_skipped_step_changes_nothing(options, monkeypatch, capsys, command, strategy):
    update, compared = loop.Loop._update, []

    def update_and_compare(self, batch):
        before, skipped = everything(self.trainer), self.progress.skipped
        update(self, batch)
        after = everything(self.trainer)
        if self.progress.skipped > skipped:
            compared.extend(after)
            np.testing.assert_equal(after, before)
        else:
            changed = {name.split()[0] for name in after if (after[name] != before[name]).any()}
            assert ("share_means" in " ".join(changed)) == (command == "mask")
            assert any("momentum" in name for name in changed)

    monkeypatch.setattr(loop.Loop, "_update", update_and_compare)
    module = train_mask if command == "mask" else train_depth
    options = depth_options(options) if command == "depth" else options
    commands.run(module, **options, strategy=strategy, skip_nonfinite_steps=True)
    assert len(compared) > 20
    message = capsys.readouterr().err
    assert message.count("skipped step 1 of epoch 2: not finite") == 1
    assert "1 of 3 steps skipped so far" in message


def test_unsaved_batch_does_not_hide_the_fault(tmp_path):
    (tmp_path / "file").touch()
    strategy = tf.distribute.get_strategy()
    handler = nonfinite.FaultHandler(
        tmp_path / "file",
        strategy,
        cluster.ALONE,
        [],
        frames_of_step=lambda step: ["a.jpg"],
        skip=False,
    )
    says = "step 3 of epoch 1: not finite: loss; frames: a.jpg; the batch is not saved, .*file/not"
    with pytest.raises(InputError, match=says):
        handler.handle({"image": tf.zeros((1, 2, 2, 3))}, ["loss"], (0, 2), 2, None)


def test_places_of_a_step():
    sizes = {"input_size": (38, 57), "depth_size": (19, 29), "batch_size": 3, "seed": 5}
    levels = np.arange(1, 8)[:, None, None, None]
    raw = tf.data.Dataset.from_tensor_slices(
        {
            "image": np.zeros((7, 48, 72, 3), np.uint8),
            "depth": (levels + np.zeros((7, 24, 36, 1))).astype("float32"),
        }
    )
    for step, batch in enumerate(pipeline.training_batches(raw, **sizes).take(6)):
        places = [round(float(depth.max())) - 1 for depth in batch["depth"].numpy()]
        assert pipeline.places_of_step(7, batch_size=3, seed=5, step=step) == places
