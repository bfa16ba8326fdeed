"""Training loop over epochs and steps that can continue from any step of an epoch.

It replaces Keras's `fit`, which continues only from the beginning of an epoch.
"""

import dataclasses
import sys

import numpy as np
import tensorflow as tf

from tfdepthviz.utils.errors import InputError
from tfdepthviz.utils.graphs import compiled
from tfdepthviz.utils.tables import write_csv
from trainers.engine import cluster, signals


@dataclasses.dataclass
class Progress:
    """Progress of a run: the part of its state that is not in variables.

    Attributes:
      epoch: finished epochs, validation included.
      step: finished steps of the epoch after them.
      logs: training's logged values of that epoch once all its steps are done; None before.
      history: logged values of each finished epoch, its number `epoch` included.
      iterations: the optimiser's count of steps at the end of the last finished epoch.
      skipped: steps that were undone because their loss or a gradient was not finite.
    """

    epoch: int = 0
    step: int = 0
    logs: dict | None = None
    history: list[dict] = dataclasses.field(default_factory=list)
    iterations: int = 0
    skipped: int = 0

    @classmethod
    def of(cls, held):
        """Progress from the content of a checkpoint's progress.json, checked.

        Args:
          held: what JSON reads from the file; None for a new run.
        Raises:
          InputError: the content is not a Progress.
        """
        try:
            progress = cls(**({} if held is None else held))
            counts = progress.epoch, progress.step, progress.iterations, progress.skipped
            valid = all(type(count) is int and count >= 0 for count in counts)
            rows = [*progress.history, *([] if progress.logs is None else [progress.logs])]
            valid &= len({frozenset(row.keys()) for row in progress.history}) <= 1
            valid &= all(type(value) in (int, float) for row in rows for value in row.values())
            if valid and all("epoch" in row for row in progress.history):
                return progress
        except (TypeError, AttributeError):
            pass
        raise InputError("progress.json of the checkpoint: is not one of ours; start anew")


class Loop:
    """Trains, validates, and saves now and then.

    Args:
      plan: Plan of the run.
      checkpoints: Checkpoints of its variables.
      progress: Progress that belongs to the current values of the variables.
      callbacks: keras.callbacks.CallbackList.
      faults: FaultHandler that decides what happens after a step that is not finite.
    """

    def __init__(self, plan, checkpoints, progress, callbacks, faults):
        self.plan = plan
        self.trainer = plan.trainer
        self.checkpoints = checkpoints
        self.progress = progress
        self.callbacks = callbacks
        self.faults = faults
        self.train_step = self._compiled_train_step()
        self.test_step = self._compiled_test_step()

    def run(self):
        """Trains until all epochs of the plan are finished.

        Raises:
          Interrupted: a signal arrived; what was done is saved.
        """
        training = iter(self._distributed(self.plan.training(self._steps_done())))
        validation = self._distributed(self.plan.validation)
        self.callbacks.on_train_begin()
        with signals.caught_signals() as self.signals:
            while self.progress.epoch < self.plan.epochs:
                self.callbacks.on_epoch_begin(self.progress.epoch)
                if self.progress.logs is None:
                    self._train_epoch(training)
                self._finish_epoch(self._validate(validation))
        self.callbacks.on_train_end()

    def _distributed(self, batches):
        return self.plan.workers.distribute(self.plan.strategy, batches)

    def _steps_done(self):
        """Finished steps of the whole run, which is the number of the next one."""
        return self.progress.epoch * self.plan.steps_per_epoch + self.progress.step

    def _train_epoch(self, batches):
        if not self.progress.step:  # otherwise the restored running means continue
            self.trainer.reset_metrics()
        while self.progress.step < self.plan.steps_per_epoch:
            step = self.progress.step
            self.callbacks.on_train_batch_begin(step)
            self._update(next(batches))
            self.progress.step += 1
            self.callbacks.on_train_batch_end(step, self._running_logs())
            self._save_if_due()
        # No checkpoint lies between the last step and this line, so `settle` runs once an epoch.
        if self.plan.settle:
            self.plan.settle()
        self.progress.logs = self._logs()

    def _update(self, batch):
        before = self.faults.snapshot()
        counts = self.train_step(batch).numpy()
        if counts.any():
            place = self.progress.epoch, self.progress.step
            done = self._steps_done()
            wrong = [name for name, count in zip(self.fault_names, counts, strict=True) if count]
            self.faults.handle(batch, wrong, place, done, before)
            self.progress.skipped += 1
            print(f"{self.progress.skipped} of {done + 1} steps skipped so far", file=sys.stderr)

    def _save_if_due(self):
        """Saves within an epoch; its end is saved after its validation."""
        if self.progress.step == self.plan.steps_per_epoch:
            return
        if self._stop_signal() or not self.progress.step % self.plan.checkpoint_steps:
            self._save()
            self._stop_if_asked()

    def _validate(self, batches):
        self.trainer.reset_metrics()
        for batch in batches:
            if self._stop_signal():  # the checkpoint holds the epoch's training logs
                self._save()
                self._stop_if_asked()
            self.test_step(batch)
        return {f"val_{name}": value for name, value in self._logs().items()}

    def _finish_epoch(self, validation_logs):
        epoch, logs = self.progress.epoch, self.progress.logs | validation_logs
        self.callbacks.on_epoch_end(epoch, logs)
        self.progress = Progress(
            epoch=epoch + 1,
            history=[*self.progress.history, {"epoch": epoch, **logs}],
            iterations=int(self.trainer.optimizer.iterations.numpy()),
            skipped=self.progress.skipped,
        )
        if self.plan.workers.is_chief:
            write_history(self.plan.workdir / "history.csv", self.progress.history)
        self._save()
        self._stop_if_asked()

    def _save(self):
        progress = dataclasses.asdict(self.progress)
        self.checkpoints.save(self.progress.epoch, self.progress.step, progress)

    def _stop_if_asked(self):
        if number := self._stop_signal():
            where = f"step {self.progress.step} of epoch {self.progress.epoch + 1}"
            self.plan.workers.leave_together()
            raise signals.Interrupted(number, where)

    def _stop_signal(self):
        """Number of the signal that asks any worker to stop; 0 if there is none."""
        return int(self.plan.workers.greatest(self.signals[0] if self.signals else 0))

    def _compiled_train_step(self):
        strategy = self.plan.strategy

        def run(batch):
            _, faults = strategy.run(self.trainer.step_and_faults, args=(batch,))
            self.fault_names = list(faults)
            counts = [strategy.reduce("SUM", count, axis=None) for count in faults.values()]
            return tf.stack(counts)

        return compiled(run, autograph=False)

    def _compiled_test_step(self):
        strategy = self.plan.strategy

        def run(batch):
            strategy.run(self.trainer.test_step, args=(batch,))

        return compiled(run, autograph=False)

    def _running_logs(self):
        """Values for the progress bar; in a cluster each would cost a message to every machine."""
        return self._logs() if self.plan.workers is cluster.ALONE else {}

    def _logs(self):
        """The running means as Python floats, which JSON holds exactly."""
        results = self.trainer.get_metrics_result()
        return {name: float(np.asarray(value)) for name, value in results.items()}


def write_history(path, history):
    """Writes the logged values of each epoch as a CSV file, whole or not at all.

    Args:
      path: Path of the file; it is removed if the history is empty.
      history: dicts with the same keys, one an epoch.
    """
    if not history:
        path.unlink(missing_ok=True)
        return
    write_csv(path, ["epoch", *sorted(history[0].keys() - {"epoch"})], history)
