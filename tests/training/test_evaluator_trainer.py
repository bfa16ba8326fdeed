"""EvaluatorTrainer: the masks that it draws, what it learns, and what it leaves alone."""

import numpy as np
import pytest
import tensorflow as tf
import tiny_nets

from tfdepthviz.models.target import DepthTarget
from tfdepthviz.training import EvaluatorTrainer, build_optimizer
from tfdepthviz.training.evaluator_trainer import SIDES, random_squares
from tfdepthviz.utils.errors import InputError

SHAPE = (64, 32, 40, 3)


def trained(epochs=8):
    n, n_e = tiny_nets.depth_net(), tiny_nets.depth_net()
    before = n.get_weights()
    n_e.set_weights(before)
    trainer = EvaluatorTrainer(DepthTarget(n), n_e)
    trainer.compile(build_optimizer("adamw", learning_rate=1e-2, weight_decay=0.0))
    batches = tf.data.Dataset.from_tensor_slices(tiny_nets.frames(8)).batch(4)
    options = {"validation_data": batches, "epochs": epochs, "verbose": 0, "shuffle": False}
    return n, before, n_e, trainer.fit(batches, **options).history


def test_learns_and_leaves_n_alone():
    n, before, n_e, history = trained()
    for weight, same in zip(n.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, same)
    assert history["loss"][-1] < history["loss"][0]
    assert history["val_fidelity/pixels_36"][-1] < history["val_fidelity/pixels_36"][0]
    # Batch statistics stay N's; kernels move.
    for name in ("moving_mean", "moving_variance"):
        ours, theirs = (np.array(getattr(net.get_layer("bn"), name)) for net in (n, n_e))
        np.testing.assert_array_equal(ours, theirs)
    assert not np.allclose(n.get_layer("conv").get_weights(), n_e.get_layer("conv").get_weights())


def test_first_loss_by_hand():
    n = tiny_nets.depth_net()
    n_e = tiny_nets.depth_net()
    n_e.set_weights(n.get_weights())
    trainer = EvaluatorTrainer(n, n_e)
    trainer.compile(build_optimizer("adamw", learning_rate=0.0, weight_decay=0.0))
    image = tiny_nets.frames(4)["image"]
    logs = trainer.evaluate(tf.data.Dataset.from_tensors({"image": image}), verbose=0)
    mask = random_squares(image.shape, (0, 0), rate=0.36, side=8).numpy()
    seen = n.predict_on_batch(image * mask) - n.predict_on_batch(image)
    names = dict(zip(trainer.metrics_names, logs, strict=True)) if isinstance(logs, list) else {}
    values = names or trainer.get_metrics_result()
    expected = np.sqrt(np.mean(seen**2))
    assert float(values["fidelity/blocks_36"]) == pytest.approx(expected, rel=1e-4)
    assert float(values["fidelity/whole"]) == 0


@pytest.mark.parametrize("side", SIDES)
def test_squares(side):
    mask = random_squares(SHAPE, (0, side), rate=0.5, side=side).numpy()
    assert mask.shape == (*SHAPE[:3], 1) and set(np.unique(mask)) == {0, 1}
    assert mask.mean() == pytest.approx(0.5, abs=0.1)
    # Equal within squares: values change in a row only at one place of `side`.
    changes = np.unique(np.flatnonzero(np.diff(mask[..., 0], axis=2).any(axis=(0, 1))) % side)
    assert len(changes) == 1 or side == 1


def test_rates_and_sides_differ_between_images():
    mask = random_squares(SHAPE, (0, 0)).numpy()
    rates = mask.mean(axis=(1, 2, 3))
    assert rates.min() < 0.2 and rates.max() > 0.8
    edges = np.abs(np.diff(mask[..., 0], axis=2)).mean(axis=(1, 2))
    assert edges.max() > 10 * max(edges.min(), 0.01)
    np.testing.assert_array_equal(mask, random_squares(SHAPE, (0, 0)).numpy())


def test_linear_is_refused():
    with pytest.raises(InputError, match="removal=linear"):
        EvaluatorTrainer(DepthTarget(tiny_nets.depth_net(), removal="linear"), None)
