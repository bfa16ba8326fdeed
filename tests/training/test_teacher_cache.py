"""TeacherCache gives N(I) bit by bit, for this N and these images alone."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny_nets

from tfdepthviz import evaluation
from tfdepthviz.models.target import depth_target
from tfdepthviz.training.mask_trainer import MaskTrainer
from tfdepthviz.training.teacher_cache import TeacherCache, net_sum
from tfdepthviz.utils.errors import InputError

BATCH = {name: tf.constant(value) for name, value in tiny_nets.frames(2).items()}


def entries(folder):
    return sorted(folder.glob("*/*.npz"))


def test_batch_is_computed_once():
    n = tiny_nets.depth_net()
    cache = TeacherCache(n)
    first = cache(BATCH["image"])
    np.testing.assert_array_equal(first, tf.function(n)(BATCH["image"]))
    n.get_layer("depth").bias.assign([100.0])  # N, asked again, would give other depth
    np.testing.assert_array_equal(cache(BATCH["image"]), first)
    assert np.abs(cache(BATCH["image"][:1]) - first[:1]).min() > 90


def test_entry_on_disk_is_read(tmp_path):
    first = TeacherCache(tiny_nets.depth_net(), tmp_path)(BATCH["image"])
    keras.utils.set_random_seed(0)
    (file,) = entries(tmp_path)
    stamp = file.stat().st_mtime_ns
    again = TeacherCache(tiny_nets.depth_net(), tmp_path)(BATCH["image"])
    np.testing.assert_array_equal(again, first)
    assert entries(tmp_path) == [file] and file.stat().st_mtime_ns == stamp


def test_another_depth_net_has_other_entries(tmp_path):
    n = tiny_nets.depth_net()
    before = TeacherCache(n, tmp_path)(BATCH["image"])
    n.get_layer("bn").moving_mean.assign(np.full(4, 0.7))
    after = TeacherCache(n, tmp_path)(BATCH["image"])
    assert np.abs(before - after).max() > 0.1
    assert len(entries(tmp_path)) == 2
    as_it_was = net_sum(n)
    n.trainable = False  # N(I) stays the same
    assert net_sum(n) == as_it_was
    n.get_layer("tanh").activation = keras.activations.relu
    assert net_sum(n) != as_it_was


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty"])
def test_damaged_entry_is_computed_again(damage, tmp_path, capsys):
    n = tiny_nets.depth_net()
    first = TeacherCache(n, tmp_path)(BATCH["image"])
    (file,) = entries(tmp_path)
    whole = file.read_bytes()
    middle = len(whole) // 2
    flipped = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
    file.write_bytes({"cut": whole[:middle], "flipped": flipped, "empty": b""}[damage])
    np.testing.assert_array_equal(TeacherCache(n, tmp_path)(BATCH["image"]), first)
    assert f"{file}: is damaged" in capsys.readouterr().err
    np.testing.assert_array_equal(TeacherCache(n, tmp_path)(BATCH["image"]), first)
    assert capsys.readouterr().err == ""


def test_memory_limit(monkeypatch):
    monkeypatch.setattr("tfdepthviz.training.teacher_cache.MEMORY_LIMIT_BYTES", 1)
    cache = TeacherCache(tiny_nets.depth_net())
    for image in (BATCH["image"], BATCH["image"] + 1.0, BATCH["image"] + 1.0):
        assert cache(image).shape == (2, *tiny_nets.DEPTH_SIZE, 1)
    assert len(cache.memory) == 1


def test_foreign_code_has_no_sum(tmp_path):
    class Own(keras.layers.Layer):
        def call(self, x):
            return x + 1.0

    n = tiny_nets.depth_net()
    own = keras.Model(n.inputs, Own()(n.outputs[0]))
    as_function = depth_target(
        lambda image: n(image), depth_kind="metric", input_size=tiny_nets.SIZE
    )
    for net, says in ((own, "is code of its own"), (as_function.net, "no configuration")):
        with pytest.raises(InputError, match=f"needs an N with a SHA-256 sum.*{says}"):
            TeacherCache(net, tmp_path)
        TeacherCache(net)(BATCH["image"])
    behind = depth_target(n, depth_kind="metric", normalisation="unit").net
    assert net_sum(behind) != net_sum(n)


def test_same_bits_with_and_without_cache(tmp_path):
    trainer = MaskTrainer(tiny_nets.depth_net(dropout=0.3), tiny_nets.mask_net())
    batches = tf.data.Dataset.from_tensor_slices(tiny_nets.frames(5)).batch(2)
    step = tf.function(trainer.test_step)

    def validated(batches):
        trainer.reset_metrics()
        for batch in batches:
            logs = step(batch)
        return {name: float(value) for name, value in logs.items()}

    def rated(batches):
        return evaluation.evaluate_masks(trainer.depth_net, trainer.mask_net, batches).per_image

    without = validated(batches)
    for folder in (None, tmp_path, tmp_path):
        cached = TeacherCache(trainer.depth_net, folder).with_teacher(batches)
        assert len(cached) == 3
        for _ in range(2):
            assert validated(cached) == without
    assert rated(cached) == rated(batches)
    assert len(entries(tmp_path)) == 3
