"""Lambda's rise, and the warning of masks that keep nothing or everything."""

import keras
import pytest
import tensorflow as tf
import tiny_nets

from tfdepthviz.training import MaskTrainer, build_optimizer, callbacks


def tiny_trainer():
    trainer = MaskTrainer(tiny_nets.depth_net(), tiny_nets.mask_net(), sparsity_weight=4.0)
    trainer.compile(build_optimizer("sgd", learning_rate=0.0, weight_decay=0.0))
    return trainer


def test_lambda_rises_in_a_straight_line():
    class Recorder(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            weights.append(float(trainer.sparsity_weight))

    weights, frames = [], tiny_nets.frames(4)
    trainer = tiny_trainer()
    rise = [callbacks.SparsityWarmup(trainer, 4.0, steps=4), Recorder()]
    trainer.fit(
        tf.data.Dataset.from_tensor_slices(frames).batch(2),
        epochs=3,
        shuffle=False,
        callbacks=rise,
        verbose=0,
    )
    assert weights == [0, 1, 2, 3, 4, 4]
    # A run that continues at step 1, or after the rise, gets that step's lambda.
    for step, expected in ((1, 1), (9, 4)):
        again = tiny_trainer()
        again.optimizer.iterations.assign(step)
        callbacks.SparsityWarmup(again, 4.0, steps=4).on_train_batch_begin(0)
        assert float(again.sparsity_weight) == expected
    callbacks.SparsityWarmup(trainer, 2.5, steps=0).on_train_batch_begin(0)


@pytest.mark.parametrize(
    ("share", "objective", "cause"),
    [
        (0.0, "preserve", "lambda is too large"),
        (0.001, "delete", "lambda is too small"),
        (0.999, "preserve", "lambda is too small"),
        (1.0, "delete", "lambda is too large"),
    ],
)
def test_cause_depends_on_the_objective(share, objective, cause):
    text = callbacks.describe(share, objective)
    assert cause in text and "--" not in text
    assert ("RankingTrainer" in text) == (objective == "preserve")


def test_advice_of_the_caller():
    text = callbacks.describe(0.0, "preserve", lambda objective, too_large: f"{too_large} advice")
    assert text.endswith("lambda is too large; try True advice")


def test_one_warning_after_the_rise_of_lambda(capsys):
    callback = callbacks.CollapseWarning(warmup_epochs=1.5)
    for epoch, share in enumerate([1.0, 1.0, 0.5, 1.0, 1.0]):
        callback.on_epoch_end(epoch, {"mask/sparseness": share})
    written = capsys.readouterr().err
    assert written.count("warning") == 1 and written.startswith("warning: epoch 4: ")
    assert "100.00 % of the pixels" in written


def test_no_warning_of_other_masks(capsys):
    callback = callbacks.CollapseWarning()
    for epoch, share in enumerate([0.0011, 0.5, 0.9989]):
        callback.on_epoch_end(epoch, {"mask/sparseness": share})
    assert capsys.readouterr().err == ""


def test_first_epoch_may_be_full_but_not_empty(capsys):
    callbacks.CollapseWarning().on_epoch_end(0, {"mask/sparseness": 1.0})
    assert capsys.readouterr().err == ""
    callbacks.CollapseWarning().on_epoch_end(0, {"mask/sparseness": 0.0})
    assert capsys.readouterr().err.startswith("warning: epoch 1: the masks kept almost nothing")
