"""Summaries of a training run, read back with TensorBoard's own reader."""

import io

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny_nets
from event_writer import write_events
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tfdepthviz.data import transforms
from tfdepthviz.reports import event_files, strips, tensorboard
from tfdepthviz.training.mask_trainer import MaskTrainer

SIZE = (12, 16)


def frames(count):
    rng = np.random.default_rng(0)
    return {
        "image": rng.normal(size=(count, *SIZE, 3)).astype("float32"),
        "depth": rng.uniform(1, 4, (count, SIZE[0] // 2, SIZE[1] // 2, 1)).astype("float32"),
    }


def compiled_trainer():
    image = keras.Input((*SIZE, 3))
    depth = keras.layers.Conv2D(1, 2, strides=2)(image)
    mask = keras.layers.Conv2D(1, 3, padding="same", activation="sigmoid")(image)
    trainer = MaskTrainer(keras.Model(image, depth), keras.Model(image, mask))
    trainer.compile(optimizer=keras.optimizers.SGD(0.1))
    return trainer


def dataset(count):
    return tf.data.Dataset.from_tensor_slices(frames(count)).batch(2)


def scalars(folder):
    events = EventAccumulator(str(folder), size_guidance={"tensors": 0}).Reload()
    return {
        tag: [(event.step, tf.make_ndarray(event.tensor_proto)) for event in events.Tensors(tag)]
        for tag in events.Tags()["tensors"]
    }


def steps(folder, tag):
    return [step for step, _ in scalars(folder)[tag]]


def test_every_logged_value(tmp_path):
    trainer = compiled_trainer()
    callback = tensorboard.ScalarSummaries(tmp_path)
    history = trainer.fit(
        dataset(6),
        epochs=2,
        validation_data=dataset(2),
        callbacks=[callback],
        shuffle=False,
        verbose=0,
    ).history
    for run, prefix in (("train", ""), ("validation", "val_")):
        written = scalars(tmp_path / run)
        assert set(written) == tiny_nets.LOGGED
        for tag, values in written.items():
            assert [step for step, _ in values] == [3, 6]
            np.testing.assert_allclose(
                [value for _, value in values], history[prefix + tag], rtol=1e-6
            )


def test_names_with_a_slash_and_one_element_arrays(tmp_path):
    callback = tensorboard.ScalarSummaries(tmp_path)
    callback.set_model(compiled_trainer())
    callback.on_train_begin()
    callback.on_epoch_end(0, {"loss/depth": 0.5, "val_mask/mean": np.array([0.25], "float32")})
    # Read before the end of training, as TensorBoard does.
    assert [float(v) for _, v in scalars(tmp_path / "train")["loss/depth"]] == [0.5]
    assert [float(v) for _, v in scalars(tmp_path / "validation")["mask/mean"]] == [0.25]
    callback.on_train_end()


def test_strips_of_fixed_frames(tmp_path):
    trainer = compiled_trainer()
    image = frames(2)["image"]
    callback = tensorboard.MaskSummaries(tmp_path, {"image": image}, trainer, every_epochs=2)
    trainer.fit(dataset(4), epochs=4, callbacks=[callback], shuffle=False, verbose=0)
    written = scalars(tmp_path / "frames")
    assert set(written) == {"frame/0", "frame/1"}
    for number, tag in enumerate(sorted(written)):
        assert [step for step, _ in written[tag]] == [4, 8]
        last = np.asarray(Image.open(io.BytesIO(written[tag][-1][1][2])))
        shown = image[number : number + 1]
        mask = keras.ops.convert_to_numpy(trainer.mask_net(shown))
        depth = keras.ops.convert_to_numpy(trainer.depth_net(shown))
        masked = keras.ops.convert_to_numpy(trainer.depth_net(shown * mask))
        rgb = shown * transforms.IMAGENET_STD + transforms.IMAGENET_MEAN
        expected = strips.draw_strip(rgb[0], mask[0], depth[0], masked[0])
        assert last.shape == expected.shape
        # Only the mean is small: rounding of the scale's end may move pixels of its label.
        assert np.abs(last.astype(int) - expected).mean() < 0.5
    first = np.asarray(Image.open(io.BytesIO(written["frame/0"][0][1][2])))
    assert (first != np.asarray(Image.open(io.BytesIO(written["frame/0"][1][1][2])))).any()


def test_continued_run_has_no_step_twice(tmp_path):
    trainer = compiled_trainer()

    def train(epochs):
        callbacks = [
            tensorboard.ScalarSummaries(tmp_path),
            tensorboard.MaskSummaries(tmp_path, frames(1), trainer),
        ]
        trainer.fit(dataset(4), epochs=epochs, callbacks=callbacks, shuffle=False, verbose=0)

    train(2)
    # The checkpoint is from the end of the first epoch, so the second epoch is repeated.
    trainer.optimizer.iterations.assign(2)
    train(2)
    assert steps(tmp_path / "train", "loss") == [2, 4, 6]
    assert steps(tmp_path / "frames", "frame/0") == [2, 4, 6]


def test_file_cut_short(tmp_path):
    path = write_events(tmp_path)
    path.write_bytes(path.read_bytes()[:-5])
    event_files.forget_after(tmp_path, 1)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    assert steps(tmp_path, "a") == [1]
    untouched = path.stat().st_mtime_ns
    event_files.forget_after(tmp_path, 1)
    event_files.forget_after(tmp_path / "not there", 1)
    assert path.stat().st_mtime_ns == untouched


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_not_finite(tmp_path, value):
    callback = tensorboard.ScalarSummaries(tmp_path)
    callback.set_model(compiled_trainer())
    callback.on_epoch_end(0, {"loss": value})
    callback.on_train_end()
    np.testing.assert_equal(float(scalars(tmp_path / "train")["loss"][0][1]), value)
