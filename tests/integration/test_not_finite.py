"""A step that is not finite stops the run before a checkpoint, or leaves no trace."""

import numpy as np
import pytest
import tensorflow as tf
import tiny_nets
from nyu_files import write_nyu

from tfdepthviz import models
from tfdepthviz.data import pipeline
from tfdepthviz.errors import InputError
from trainers import checkpoints, not_finite, train_mask
from trainers.datasets import Data
from trainers.targets import Target

BAD_STEP = 2


@pytest.fixture
def options(monkeypatch, tmp_path):
    """Arguments of a run of four steps, whose batch BAD_STEP holds a NaN."""
    monkeypatch.setitem(models.DEPTH_NETS, "tiny", lambda _: tiny_nets.depth_net())
    monkeypatch.setitem(models.MASK_NETS, "tiny", lambda _: tiny_nets.mask_net())
    batches = pipeline.training_batches

    def spoilt(step, batch):
        factor = tf.where(step == BAD_STEP, np.float32(np.nan), np.float32(1.0))
        return {"image": batch["image"] * factor, "depth": batch["depth"]}

    monkeypatch.setattr(
        pipeline, "training_batches", lambda *a, **k: batches(*a, **k).enumerate().map(spoilt)
    )
    return {
        "data": Data("nyu", str(write_nyu(tmp_path / "data"))),
        "target": Target("tiny", depth_weights="random"),
        "mask_net": "tiny",
        "target_sparseness": 0.3,
        "input_size": tiny_nets.SIZE,
        "batch_size": 2,
        "epochs": 2,
        "strips": 1,
        "workdir": str(tmp_path / "w"),
    }


@pytest.mark.parametrize("strategy", ["single", "mirrored"])
def test_the_run_stops_before_a_checkpoint_and_names_the_batch(options, tmp_path, strategy):
    with pytest.raises(InputError, match="step 1 of epoch 2: not finite: loss") as stopped:
        train_mask.run(**options, strategy=strategy)
    (newest,) = checkpoints.saved(tmp_path / "w/checkpoints")
    assert newest.name.startswith("epoch-00001-step-0000000")
    with np.load(tmp_path / f"w/not_finite_step_{BAD_STEP}.npz") as batch:
        assert np.isnan(batch["image"]).all() and batch["image"].shape == (2, *tiny_nets.SIZE, 3)
    # The second epoch's first two frames are not its last two.
    assert str(stopped.value).count(".jpg") == 2


@pytest.mark.parametrize("strategy", ["single", "mirrored"])
def test_a_skipped_step_changes_nothing(options, monkeypatch, capsys, strategy):
    handle, compared = not_finite.NotFinite.handle, []

    def handle_and_compare(self, batch, wrong, place, done, before):
        handle(self, batch, wrong, place, done, before)
        for variable, value in zip(self.variables, before, strict=True):
            np.testing.assert_array_equal(variable.numpy(), value.numpy())
            compared.append(variable)

    monkeypatch.setattr(not_finite.NotFinite, "handle", handle_and_compare)
    train_mask.run(**options, strategy=strategy, skip_nonfinite_steps=True)
    assert len(compared) > 20
    written = capsys.readouterr().err
    assert written.count("skipped step 1 of epoch 2: not finite") == 1
    assert "1 of 3 steps skipped so far" in written


def test_the_places_of_a_step_are_those_of_its_batch():
    sizes = {"input_size": (38, 57), "depth_size": (19, 29), "batch_size": 3, "seed": 5}
    levels = np.arange(1, 8)[:, None, None, None]
    raw = tf.data.Dataset.from_tensor_slices(
        {
            "image": np.zeros((7, 48, 72, 3), np.uint8),
            "depth": (levels + np.zeros((7, 24, 36, 1))).astype("float32"),
        }
    )
    for step, batch in enumerate(pipeline.training_batches(raw, **sizes).take(6)):
        places = pipeline.places_of_step(7, batch_size=3, seed=5, step=step)
        found = [round(float(depth.max())) - 1 for depth in batch["depth"].numpy()]
        assert places == found
