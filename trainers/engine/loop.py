"""The loop over epochs and steps, which can go on from any step of an epoch.

Keras's `fit` goes on at the beginning of an epoch only, so this stands in its place.
"""

import dataclasses
import functools
import sys

import numpy as np
import tensorflow as tf

from tfdepthviz.utils.errors import InputError
from tfdepthviz.utils.tables import write_csv
from trainers.engine import cluster, signals


@dataclasses.dataclass
class Progress:
    """How far a run has come, beside its variables.

    Attributes:
      epoch: finished epochs, validation included.
      step: finished steps of the epoch after them.
      logs: what training logged in that epoch, once its steps are done; None before.
      history: what each finished epoch logged, `epoch` included.
      skipped: steps that were left out because something was not finite.
      iterations: the optimiser's count of steps at the end of the last finished epoch.
    """

    epoch: int = 0
    step: int = 0
    logs: dict | None = None
    history: list[dict] = dataclasses.field(default_factory=list)
    iterations: int = 0
    skipped: int = 0

    @classmethod
    def of(cls, held):
        """Progress from what a checkpoint's progress.json holds; None: that of a new run.

        Raises:
          InputError: it holds something else.
        """
        try:
            progress = cls(**({} if held is None else held))
            counts = progress.epoch, progress.step, progress.iterations, progress.skipped
            sound = all(type(count) is int and count >= 0 for count in counts)
            rows = [*progress.history, *([] if progress.logs is None else [progress.logs])]
            sound &= len({frozenset(row.keys()) for row in progress.history}) <= 1
            sound &= all(type(value) in (int, float) for row in rows for value in row.values())
            if sound and all("epoch" in row for row in progress.history):
                return progress
        except (TypeError, AttributeError):
            pass
        raise InputError("progress.json of the checkpoint: is not one of ours; start anew")


class Loop:
    """Trains, validates, and saves now and then.

    Args:
      trainer: compiled MaskTrainer or DepthTrainer.
      checkpoints: Checkpoints of its variables.
      progress: Progress that belongs to the variables as they are.
      history_path: file to write what each epoch logged to.
      steps_per_epoch: steps of an epoch.
      checkpoint_steps: steps of an epoch after which to save; the end of an epoch is always saved.
      callbacks: keras.callbacks.CallbackList.
      not_finite: NotFinite: what to do about a step that is not.
      settle: called after the last step of an epoch, before its validation; may change the network.
      workers: cluster in which the run takes place; all do the same, step by step.
    """

    def __init__(
        self,
        trainer,
        checkpoints,
        progress,
        *,
        history_path,
        steps_per_epoch,
        checkpoint_steps,
        callbacks,
        not_finite,
        settle=None,
        workers=cluster.ALONE,
    ):
        self.trainer = trainer
        self.checkpoints = checkpoints
        self.progress = progress
        self.history_path = history_path
        self.steps_per_epoch = steps_per_epoch
        self.checkpoint_steps = checkpoint_steps
        self.callbacks = callbacks
        self.not_finite = not_finite
        self.settle = settle
        self.workers = workers
        self.train_step = self._compiled_train_step()
        self.test_step = self._compiled_test_step()

    def run(self, training, validation, epochs):
        """Trains until so many epochs are finished.

        Args:
          training: endless batches, the first of them that of the progress.
          validation: batches of finite cardinality.
          epochs: epochs in all.
        Raises:
          Interrupted: a signal arrived; what was done is saved.
        """
        distribute = functools.partial(self.workers.distribute, self.trainer.distribute_strategy)
        batches, validation = iter(distribute(training)), distribute(validation)
        self.callbacks.on_train_begin()
        with signals.caught_signals() as self.signals:
            while self.progress.epoch < epochs:
                self.callbacks.on_epoch_begin(self.progress.epoch)
                if self.progress.logs is None:
                    self._train_epoch(batches)
                self._finish_epoch(self._validate(validation))
        self.callbacks.on_train_end()

    def _train_epoch(self, batches):
        if not self.progress.step:  # else the metrics are restored and go on
            self.trainer.reset_metrics()
        while self.progress.step < self.steps_per_epoch:
            step = self.progress.step
            self.callbacks.on_train_batch_begin(step)
            self._update(next(batches))
            self.progress.step += 1
            self.callbacks.on_train_batch_end(step, self._running_logs())
            self._save_if_due()
        # Nothing is saved between the last step and here, so that this is done once.
        if self.settle:
            self.settle()
        self.progress.logs = self._logs()

    def _update(self, batch):
        before = self.not_finite.snapshot()
        counts = self.train_step(batch).numpy()
        if counts.any():
            place = self.progress.epoch, self.progress.step
            done = self.progress.epoch * self.steps_per_epoch + self.progress.step
            wrong = [name for name, count in zip(self.fault_names, counts, strict=True) if count]
            self.not_finite.handle(batch, wrong, place, done, before)
            self.progress.skipped += 1
            print(f"{self.progress.skipped} of {done + 1} steps skipped so far", file=sys.stderr)

    def _save_if_due(self):
        """Within an epoch; its end is saved once it is validated."""
        if self.progress.step == self.steps_per_epoch:
            return
        if self._asked() or not self.progress.step % self.checkpoint_steps:
            self._save()
            self._stop_if_asked()

    def _validate(self, batches):
        self.trainer.reset_metrics()
        for batch in batches:
            if self._asked():  # the training part is done and its logs are kept
                self._save()
                self._stop_if_asked()
            self.test_step(batch)
        return {f"val_{name}": value for name, value in self._logs().items()}

    def _finish_epoch(self, validated):
        epoch, logs = self.progress.epoch, self.progress.logs | validated
        self.callbacks.on_epoch_end(epoch, logs)
        self.progress = Progress(
            epoch=epoch + 1,
            history=[*self.progress.history, {"epoch": epoch, **logs}],
            iterations=int(self.trainer.optimizer.iterations.numpy()),
            skipped=self.progress.skipped,
        )
        if self.workers.is_chief:
            write_history(self.history_path, self.progress.history)
        self._save()
        self._stop_if_asked()

    def _save(self):
        progress = dataclasses.asdict(self.progress)
        self.checkpoints.save(self.progress.epoch, self.progress.step, progress)

    def _stop_if_asked(self):
        if number := self._asked():
            where = f"step {self.progress.step} of epoch {self.progress.epoch + 1}"
            self.workers.leave_together()
            raise signals.Interrupted(number, where)

    def _asked(self):
        """The signal that asks some worker to stop; 0 if there is none."""
        return int(self.workers.greatest(self.signals[0] if self.signals else 0))

    def _compiled_train_step(self):
        strategy = self.trainer.distribute_strategy

        @tf.function(reduce_retracing=True, autograph=False)
        def run(batch):
            _, faults = strategy.run(self.trainer.step_and_faults, args=(batch,))
            self.fault_names = list(faults)
            counts = [strategy.reduce("SUM", count, axis=None) for count in faults.values()]
            return tf.stack(counts)

        return run

    def _compiled_test_step(self):
        strategy = self.trainer.distribute_strategy

        @tf.function(reduce_retracing=True, autograph=False)
        def run(batch):
            strategy.run(self.trainer.test_step, args=(batch,))

        return run

    def _running_logs(self):
        """What the progress bar shows; between machines each value would cost a message."""
        return self._logs() if self.workers is cluster.ALONE else {}

    def _logs(self):
        """The running means as floats, which a JSON text holds exactly."""
        results = self.trainer.get_metrics_result()
        return {name: float(np.asarray(value)) for name, value in results.items()}


def write_history(path, history):
    """Writes what each epoch logged as CSV, whole.

    Args:
      path: file to write.
      history: dicts of the same keys, one an epoch; without any, there shall be no file.
    """
    if not history:
        path.unlink(missing_ok=True)
        return
    write_csv(path, ["epoch", *sorted(history[0].keys() - {"epoch"})], history)
