"""Card of a run, read back with TensorBoard's own readers."""

import math
import types

import keras
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.hparams import plugin_data_pb2

from tfdepthviz.reports import run_card


def events(folder):
    return EventAccumulator(str(folder), size_guidance={"tensors": 0}).Reload()


def texts(folder, tag):
    return [
        (event.step, tf.make_ndarray(event.tensor_proto).item().decode())
        for event in events(folder).Tensors(tag)
    ]


def write(folder, hparams=None, kept_step=0):
    """Two epochs of seven steps each; a run that continues writes the second again."""
    card = run_card.RunCard(folder, "photos", {"N": "compact", "steps": 14}, hparams)
    card.set_model(types.SimpleNamespace(optimizer=keras.optimizers.SGD()))
    card.set_params({"kept_step": kept_step, "finished_step": kept_step})
    card.on_train_begin()
    epochs = (7, {"val_loss": 9.0}), (14, {"val_loss": 0.5, "val_rmse": math.nan, "loss": 1.0})
    for step, logs in epochs[1 if kept_step else 0 :]:
        card.model.optimizer.iterations.assign(step)
        card.on_epoch_end(0, logs)
    card.on_train_end()


@pytest.mark.parametrize("kept_step", [0, 7])
def test_texts_and_figures(tmp_path, kept_step):
    write(tmp_path)
    write(tmp_path, kept_step=kept_step)
    folder = tmp_path / "run"
    assert texts(folder, "run") == [(0, "- **N**: compact\n- **steps**: 14")]
    assert texts(folder, "validation") == [(7, "- **loss**: 9"), (14, "- **loss**: 0.5")]
    assert [event.step for event in events(folder).Tensors("last/loss")] == [7, 14]
    assert "last/rmse" not in events(folder).Tags()["tensors"]
    assert "_hparams_/session_start_info" not in events(folder).Tags()["tensors"]


def test_hyperparameters(tmp_path):
    write(tmp_path, {"depth_net": "compact", "learning_rate": 0.5})
    metadata = events(tmp_path / "run").summary_metadata["_hparams_/session_start_info"]
    data = plugin_data_pb2.HParamsPluginData.FromString(metadata.plugin_data.content)
    values = data.session_start_info.hparams
    assert values["depth_net"].string_value == "compact"
    assert data.session_start_info.group_name == "photos"
    assert values["learning_rate"].number_value == 0.5


def test_layout(tmp_path):
    write(tmp_path)
    (event,) = events(tmp_path / "run").Tensors("custom_scalars__config__")
    layout = layout_pb2.Layout.FromString(tf.make_ndarray(event.tensor_proto).item())
    shown = {
        category.title: {chart.title: list(chart.multiline.tag) for chart in category.chart}
        for category in layout.category
    }
    assert shown == run_card.LAYOUT
