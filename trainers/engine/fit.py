"""Runs a training: restores the newest checkpoint, trains to the last epoch, saves the network."""

import hashlib
import sys

import keras
import numpy as np

from tfdepthviz.utils.errors import InputError
from tfdepthviz.utils.files import whole_file, writing
from trainers.engine import checkpoints, cluster, nonfinite
from trainers.engine import loop as training_loop


def fit(
    trainer,
    net,
    workdir,
    *,
    training,
    validation,
    epochs,
    steps_per_epoch,
    checkpoint_steps,
    frames_of_step,
    skip_nonfinite_steps=False,
    state=None,
    settle=None,
    callbacks=(),
    reports=(),
    workers=cluster.ALONE,
):
    """Trains to `epochs`, from the newest whole checkpoint in the work folder if there is one.

    Args:
      trainer: compiled MaskTrainer or DepthTrainer.
      net: the network that it trains, saved as <workdir>/<name of its role>.keras at the end.
      training: function of the first step -> endless batches, this worker's part of each.
      validation: batches of finite cardinality, this worker's part of each.
      checkpoint_steps: steps of an epoch after which to save.
      frames_of_step: function of a step's number in the run -> names of its frames.
      skip_nonfinite_steps: take back steps that are not finite, in place of stopping.
      state: dict of variables that a checkpoint holds beside network and optimiser.
      settle: called after the last step of each epoch, before its validation.
      callbacks: keras.callbacks.Callback that take part in the training.
      reports: keras.callbacks.Callback that write or print; the chief's alone.
      workers: cluster in which the run takes place.
    """
    if not len(validation):
        raise InputError(
            "--batch_size: replicas share whole batches, and there are fewer validation frames"
        )
    with trainer.distribute_strategy.scope():  # Adam's moments are made where its weights are
        variables = _variables(trainer, net, state or {})
    saved = checkpoints.Checkpoints(workdir / "checkpoints", variables, workers)
    held = saved.restore()
    progress = training_loop.Progress.of(held)
    if held:
        place = f"epoch {progress.epoch} of {epochs}"
        place += f" and {progress.step} steps" if progress.step else ""
        print(f"continuing after {place} in {workdir}", flush=True)
    if workers.is_chief:
        training_loop.write_history(workdir / "history.csv", progress.history)
    workers.check_same({"progress": held, "weights": _fingerprint(trainer, workers)})
    if progress.epoch == epochs:
        return
    verbose = 1 if sys.stdout.isatty() else 2
    loop = training_loop.Loop(
        trainer,
        saved,
        progress,
        history_path=workdir / "history.csv",
        steps_per_epoch=steps_per_epoch,
        checkpoint_steps=checkpoint_steps,
        settle=settle,
        not_finite=nonfinite.NotFinite(
            workdir,
            trainer.distribute_strategy,
            workers,
            _changing(trainer, net, state or {}),
            frames_of_step=frames_of_step,
            skip=skip_nonfinite_steps,
        ),
        callbacks=keras.callbacks.CallbackList(
            [*callbacks, *(reports if workers.is_chief else ())],
            add_progbar=workers.is_chief,
            model=trainer,
            verbose=verbose,
            epochs=epochs,
            steps=steps_per_epoch,
            # What was written later belongs to steps that come again.
            kept_step=progress.iterations,
        ),
        workers=workers,
    )
    loop.run(training(progress.epoch * steps_per_epoch + progress.step), validation, epochs)


def _variables(trainer, net, more):
    """Everything that changes while training, as `tf.train.Checkpoint` takes it."""
    trainer.optimizer.build(net.trainable_variables)
    seeds = [v for v in net.variables if v.path.endswith("seed_generator_state")]
    return {
        "net": net,
        "optimizer": trainer.optimizer,
        **more,
        # Keras gives a checkpoint the weights only; without these dropout would start anew.
        "seeds": [seed.value for seed in seeds],
        "metrics": [[v.value for v in metric.variables] for metric in trainer.metrics],
    }


def _changing(trainer, net, more):
    """The variables that one step changes."""
    metrics = [variable for metric in trainer.metrics for variable in metric.variables]
    found = [v.value for v in (*net.variables, *trainer.optimizer.variables, *metrics)]
    return [*found, *more.values()]


def _fingerprint(trainer, workers):
    """By which other weights than the chief's are found; costs nothing without a cluster."""
    if workers is cluster.ALONE:
        return None
    sums = hashlib.sha256()
    for variable in (*trainer.variables, *trainer.optimizer.variables):
        sums.update(np.ascontiguousarray(variable).tobytes())
    return sums.hexdigest()


def keep_model(net, path, workers):
    """Saves the trained network, as the chief; the others wait, or the chief would lose them."""
    if workers.is_chief:
        save_model(net, path)
        print(f"wrote {path}", flush=True)
    workers.leave_together()


def save_model(model, path):
    """Saves a network as a .keras file, or its weights as .weights.h5, beside and renamed.

    Raises:
      WriteError: there is no room, or no right to write.
    """
    # HDF5's library says by RuntimeError that a file could not be closed.
    with writing(path, RuntimeError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as partial:
            model.save(partial) if path.suffix == ".keras" else model.save_weights(partial)
