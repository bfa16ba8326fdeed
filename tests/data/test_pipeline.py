"""The chain to batches: cardinality, order, repeatability, continuation, contents."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfdepthviz.data import pipeline, transforms

SIZES = {"input_size": (38, 57), "depth_size": (19, 29)}


def raw_examples(count, height=48, width=72):
    """Frames of one grey each, 10, 20, ..., at a depth of as many tenths of a metre."""
    levels = 10 * np.arange(1, count + 1)
    image = np.broadcast_to(levels[:, None, None, None], (count, height, width, 3))
    depth = np.broadcast_to(levels[:, None, None, None] / 10, (count, height // 2, width // 2, 1))
    return tf.data.Dataset.from_tensor_slices(
        {"image": image.astype(np.uint8), "depth": depth.astype("float32")}
    )


def training(count=7, steps=6, **options):
    """The first steps of training batches."""
    options = {"batch_size": 3, "seed": 5, **SIZES, **options}
    return list(
        pipeline.training_batches(raw_examples(count), **options).take(steps).as_numpy_iterator()
    )


def same(first, second):
    return all((first[name] == second[name]).all() for name in ("image", "depth"))


def level(depth):
    """Number of the frame, from 1, that one depth map of a batch was made from."""
    (value,) = set(np.unique(depth)) - {0}
    return round(float(value))


def test_training_batches_are_endless_and_of_stated_sizes():
    data = pipeline.training_batches(raw_examples(7), batch_size=3, seed=0, **SIZES)
    assert data.cardinality() == tf.data.INFINITE_CARDINALITY
    assert {
        name: (spec.shape.as_list(), spec.dtype) for name, spec in data.element_spec.items()
    } == {
        "image": ([3, 38, 57, 3], tf.float32),
        "depth": ([3, 19, 29, 1], tf.float32),
    }
    assert pipeline.steps_per_epoch(raw_examples(7), 3) == 2
    assert pipeline.steps_per_epoch(raw_examples(2), 3) == 1
    # A batch may hold more frames than the set.
    (batch,) = training(count=2, steps=1, batch_size=5)
    assert batch["image"].shape == (5, 38, 57, 3)


def test_every_frame_comes_once_an_epoch_in_a_new_order():
    batches = training(count=6, steps=6, batch_size=3)
    frames = [level(depth) for batch in batches for depth in batch["depth"]]
    epochs = [frames[i : i + 6] for i in range(0, 18, 6)]
    assert all(sorted(epoch) == [1, 2, 3, 4, 5, 6] for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 3


def test_the_seed_decides_the_batches():
    first, again, other = training(), training(), training(seed=6)
    assert all(same(*pair) for pair in zip(first, again, strict=True))
    assert not any(same(*pair) for pair in zip(first, other, strict=True))


def test_views_of_one_frame_differ_from_epoch_to_epoch():
    batches = training(count=1, steps=4, batch_size=1)
    assert not any(same(a, b) for i, a in enumerate(batches) for b in batches[:i])


@pytest.mark.parametrize("first_step", [1, 2, 5])
def test_continued_run_sees_the_same_batches(first_step):
    whole = training(steps=7)
    rest = training(steps=7 - first_step, first_step=first_step)
    assert all(same(*pair) for pair in zip(whole[first_step:], rest, strict=True))


def test_frames_too_many_to_cache_are_read_again(monkeypatch):
    cached = training()
    monkeypatch.setattr(pipeline, "CACHE_LIMIT_BYTES", 0)
    assert all(same(*pair) for pair in zip(cached, training(), strict=True))


@pytest.mark.parametrize("drop_remainder", [False, True])
def test_evaluation_covers_every_frame_once_in_order(drop_remainder):
    data = pipeline.evaluation_batches(
        raw_examples(7), batch_size=3, drop_remainder=drop_remainder, **SIZES
    )
    for _ in range(2):
        batches = list(data.as_numpy_iterator())
        assert len(batches) == data.cardinality() == (2 if drop_remainder else 3)
        images = np.concatenate([batch["image"] for batch in batches])
        depths = np.concatenate([batch["depth"] for batch in batches])
        frames = np.arange(1, 7 if drop_remainder else 8)
        assert images.shape[1:] == (38, 57, 3) and depths.shape[1:] == (19, 29, 1)
        np.testing.assert_array_equal(depths, frames[:, None, None, None] + np.zeros_like(depths))
        mean, std = np.array(transforms.IMAGENET_MEAN), np.array(transforms.IMAGENET_STD)
        expected = (10 * frames[:, None, None, None] / 255 - mean) / std
        np.testing.assert_allclose(images, expected + np.zeros_like(images), atol=1e-5)


def test_keras_evaluates_no_extra_batch():
    """Keras adds a batch of zeros to the metrics where the cardinality is unknown."""

    class Watch(keras.Model):
        def __init__(self):
            super().__init__()
            self.mean = keras.metrics.Mean(name="mean")

        @property
        def metrics(self):
            return [self.mean]

        def test_step(self, data):
            self.mean.update_state(data["depth"])
            return {"mean": self.mean.result()}

    watch = Watch()
    watch.compile()
    data = pipeline.evaluation_batches(raw_examples(6), batch_size=2, **SIZES)
    logged = watch.evaluate(data, return_dict=True, verbose=0)
    np.testing.assert_allclose(logged["mean"], (1 + 2 + 3 + 4 + 5 + 6) / 6, rtol=1e-6)


@pytest.mark.parametrize("count, expected", [(1, [4]), (3, [2, 4, 6]), (7, list(range(1, 8)))])
def test_spread_takes_frames_evenly(count, expected):
    batch = pipeline.spread(raw_examples(7), count, **SIZES)
    assert [level(depth) for depth in batch["depth"]] == expected
    assert len(pipeline.spread(raw_examples(2), 4, **SIZES)["depth"]) == 2


@pytest.mark.parametrize("count", [1, 3, 7, 9])
def test_evenly_spread_frames_know_their_places(count):
    frames, places = pipeline.evenly(raw_examples(7), count)
    assert [level(frame["depth"].numpy()) for frame in frames] == [place + 1 for place in places]
    assert len(places) == min(count, 7)
