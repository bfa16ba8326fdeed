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
from tfdepthviz.reports import event_files, panels, strips, tensorboard
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
            by_step = dict(values)
            assert list(by_step) == ([1, 2, 3, 4, 5, 6] if run == "train" else [3, 6])
            ends = [by_step[3], by_step[6]]
            np.testing.assert_allclose(ends, history[prefix + tag], rtol=1e-6)


def test_names_with_a_slash_and_one_element_arrays(tmp_path):
    callback = tensorboard.ScalarSummaries(tmp_path)
    callback.set_model(compiled_trainer())
    callback.on_train_begin()
    unknown = {"rmse": np.nan, "val_rmse": np.nan}
    values = {"loss/depth": 0.5, "val_mask/mean": np.array([0.25], "float32")}
    callback.on_epoch_end(0, values | unknown)
    assert all("rmse" not in scalars(tmp_path / run) for run in ("train", "validation"))
    # Read before the end of training, as TensorBoard does.
    assert [float(v) for _, v in scalars(tmp_path / "train")["loss/depth"]] == [0.5]
    assert [float(v) for _, v in scalars(tmp_path / "validation")["mask/mean"]] == [0.25]
    callback.on_train_end()


def picture(event):
    return np.asarray(Image.open(io.BytesIO(event[1][2])))


def test_pictures_of_fixed_frames(tmp_path):
    trainer = compiled_trainer()
    image = frames(2)["image"]
    callback = tensorboard.MaskSummaries(tmp_path, {"image": image}, trainer, threshold=0.5)
    trainer.fit(dataset(4), epochs=2, callbacks=[callback], shuffle=False, verbose=0)
    written = scalars(tmp_path / "frames")
    pictures = {tag: events for tag, events in written.items() if tag.startswith("frame_")}
    names = ["1_all", "2_mask", "3_binary_mask", "4_depth", "5_binary_depth", "6_difference"]
    assert sorted(pictures) == [f"frame_{number}/{name}" for number in (0, 1) for name in names]
    mask = keras.ops.convert_to_numpy(trainer.mask_net(image))
    binary = (mask > 0.5).astype("float32")
    depth, binary_depth, blank_depth = (
        keras.ops.convert_to_numpy(trainer.depth_net(shown))
        for shown in (image, image * binary, 0 * image)
    )
    rgb = np.clip(image * transforms.IMAGENET_STD + transforms.IMAGENET_MEAN, 0, 1)
    for number in (0, 1):
        maps = [m[number] for m in (rgb, mask, depth, binary_depth, blank_depth)]
        of_frame = strips.frame_panels(*maps, threshold=0.5)
        grid = panels.draw_panels(of_frame.values(), SIZE, 3)
        alone = dict(zip(of_frame, panels.cut_panels(grid, 6, SIZE, 3), strict=True))
        expected = {"all": grid, **alone}
        for name in names:
            events = pictures[f"frame_{number}/{name}"]
            assert [step for step, _ in events] == [2, 4]
            last, wanted = picture(events[-1]), expected[name[2:]]
            assert last.shape == wanted.shape
            # Only the mean is small: rounding of the scale's end may move pixels of its label.
            assert np.abs(last.astype(int) - wanted).mean() < 0.5
    first, last = map(picture, pictures["frame_0/2_mask"])
    assert (first != last).any()
    first, last = map(picture, pictures["frame_0/4_depth"])
    assert (first == last).all()


def test_measures_of_fixed_frames(tmp_path):
    trainer = compiled_trainer()
    image = frames(2)["image"]
    callback = tensorboard.MaskSummaries(tmp_path, {"image": image}, trainer, threshold=0.5)
    trainer.fit(dataset(20), epochs=1, callbacks=[callback], shuffle=False, verbose=0)
    runs = {run: scalars(tmp_path / run) for run in ("frames", "edges", "random_pixels")}
    measures = {tag: e for tag, e in runs["frames"].items() if not tag.startswith("frame_")}
    assert set(measures) == {"frames/fidelity_36", "frames/share"}
    controls = [runs[run]["frames/fidelity_36"] for run in ("edges", "random_pixels")]
    for events in (*measures.values(), *controls):
        assert [step for step, _ in events] == [2, 4, 6, 8, 10]  # five times in ten steps
    for events in controls:
        assert len({float(value) for _, value in events}) == 1
    mask = keras.ops.convert_to_numpy(trainer.mask_net(image))
    assert measures["frames/share"][-1][1] == np.float32((mask > 0.5).mean())
    # By hand: the 36 % of each frame's pixels with the highest mask.
    count = round(0.36 * SIZE[0] * SIZE[1])
    lowest = np.sort(mask.reshape(2, -1))[:, -count].reshape(2, 1, 1, 1)
    full, shown = (
        keras.ops.convert_to_numpy(trainer.depth_net(x)) for x in (image, image * (mask >= lowest))
    )
    expected = np.sqrt(np.mean((full - shown) ** 2))
    np.testing.assert_allclose(measures["frames/fidelity_36"][-1][1], expected, rtol=1e-5)


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
    assert steps(tmp_path / "train", "loss") == [1, 2, 3, 4, 5, 6]
    for run in ("frames", "edges", "random_pixels"):
        assert steps(tmp_path / run, "frames/fidelity_36") == [1, 2, 3, 4, 5, 6]
    assert steps(tmp_path / "frames", "frame_0/1_all") == [2, 4, 6]


@pytest.mark.parametrize("killed_at, kept", [((2, 3), [1, 2, 3]), ((2, 4, "end"), [1, 2, 3])])
def test_run_that_continues_within_an_epoch(tmp_path, killed_at, kept):
    """Values within the epoch are not written again, its end is."""
    trainer = compiled_trainer()
    callback = tensorboard.ScalarSummaries(tmp_path)
    trainer.fit(dataset(4), epochs=2, callbacks=[callback], shuffle=False, verbose=0)
    finished, step, *ended = killed_at
    trainer.optimizer.iterations.assign(step)
    callback.set_params({"steps": 2, "kept_step": step - len(ended), "finished_step": finished})
    callback.on_train_begin()
    assert steps(tmp_path / "train", "loss") == kept
    if not ended:
        trainer.optimizer.iterations.assign(4)
    callback.on_epoch_end(1, {"loss": 1.0})
    callback.on_train_end()
    assert steps(tmp_path / "train", "loss") == [*kept, 4]


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
