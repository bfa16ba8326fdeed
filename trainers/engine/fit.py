"""Training run: restores the newest checkpoint, trains to the last epoch, saves the network."""

import hashlib

import keras
import numpy as np

from tfdepthviz.utils.errors import InputError
from tfdepthviz.utils.files import whole_file, writing
from trainers.engine import checkpoints, cluster, loop, nonfinite
from trainers.engine.run_record import write_record
from trainers.engine.training_lines import TrainingLines


def fit(plan):
    """Trains to the plan's last epoch, from the newest whole checkpoint if there is one.

    Args:
      plan: Plan of the run.
    Raises:
      InputError: the batches are too few for the replicas, the checkpoints cannot be continued
        from, the workers of a cluster differ, or a step is not finite.
      Interrupted: a signal arrived; the run is saved, and the same command continues it.
      WriteError: a file of the run cannot be written.
    """
    if not len(plan.validation):
        raise InputError(
            "--batch_size: replicas share whole batches, and there are fewer validation frames"
        )
    with plan.strategy.scope():  # an optimiser's moments are made where its weights are
        variables = _variables(plan)
    saved = checkpoints.Checkpoints(plan.workdir / "checkpoints", variables, plan.workers)
    held = saved.restore()
    progress = loop.Progress.of(held)
    if progress.epoch > plan.epochs:
        raise InputError(
            f"--epochs={plan.epochs}: the run in {plan.workdir} has finished {progress.epoch}"
        )
    if held:
        place = f"epoch {progress.epoch} of {plan.epochs}"
        place += f" and {progress.step} steps" if progress.step else ""
        print(f"continuing after {place} in {plan.workdir}", flush=True)
    if plan.workers.is_chief:
        loop.write_history(plan.workdir / "history.csv", progress.history)
    plan.workers.check_same({"progress": held, "weights": _fingerprint(plan)})
    if progress.epoch < plan.epochs:
        loop.Loop(plan, saved, progress, _callbacks(plan, progress), _fault_handler(plan)).run()


def _variables(plan):
    """Everything that changes during training, as `tf.train.Checkpoint` takes it."""
    plan.trainer.optimizer.build(plan.net.trainable_variables)
    seeds = [v for v in plan.net.variables if v.path.endswith("seed_generator_state")]
    return {
        "net": plan.net,
        "optimizer": plan.trainer.optimizer,
        **plan.state,
        # Keras gives a checkpoint the weights only; without these dropout would start anew.
        "seeds": [seed.value for seed in seeds],
        "metrics": [[v.value for v in metric.variables] for metric in plan.trainer.metrics],
    }


def _fingerprint(plan):
    """Hash of every variable, to find workers that start from other weights than the chief."""
    if plan.workers is cluster.ALONE:
        return None  # nobody to compare with
    sums = hashlib.sha256()
    for variable in (*plan.trainer.variables, *plan.trainer.optimizer.variables):
        sums.update(np.ascontiguousarray(variable).tobytes())
    return sums.hexdigest()


def _callbacks(plan, progress):
    lines = TrainingLines(plan.epochs, plan.steps_per_epoch, progress.step)
    return keras.callbacks.CallbackList(
        [*plan.callbacks, *([*plan.reports, lines] if plan.workers.is_chief else ())],
        model=plan.trainer,
        epochs=plan.epochs,
        steps=plan.steps_per_epoch,
        # Summaries of later steps are dropped: those steps are trained again.
        kept_step=_kept_step(plan, progress),
        finished_step=progress.iterations,
    )


def _kept_step(plan, progress):
    """Last step whose summaries are not written again."""
    step = int(plan.trainer.optimizer.iterations.numpy())
    # Once all steps of an epoch are done, its end is still to be written.
    return step if progress.logs is None else max(step - 1, progress.iterations)


def _fault_handler(plan):
    metrics = [variable for metric in plan.trainer.metrics for variable in metric.variables]
    changing = (*plan.net.variables, *plan.trainer.optimizer.variables, *metrics)
    return nonfinite.FaultHandler(
        plan.workdir,
        plan.strategy,
        plan.workers,
        [*(variable.value for variable in changing), *plan.state.values()],
        frames_of_step=plan.frames_of_step,
        skip=plan.skip_nonfinite_steps,
    )


def keep_model(net, path, workers, record=None):
    """Saves the trained network in the chief; the others wait, or the chief would lose them.

    Args:
      net: keras.Model.
      path: Path that ends in .keras.
      workers: cluster of the run.
      record: of `run_record.recorded`, to keep in the file.
    """
    if workers.is_chief:
        save_model(net, path, record)
        print(f"wrote {path}", flush=True)
    workers.leave_together()


def save_model(model, path, record=None):
    """Saves a network, or its weights alone, whole or not at all.

    Args:
      model: keras.Model.
      path: Path that ends in .keras for the network, in .weights.h5 for its weights.
      record: of `run_record.recorded`, which a .keras file takes; None: no record.
    Raises:
      WriteError: there is no room, or no right to write.
    """
    # HDF5 raises RuntimeError when it cannot close a file.
    with writing(path, RuntimeError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as partial:
            model.save(partial) if path.suffix == ".keras" else model.save_weights(partial)
            if record:
                write_record(partial, record)
