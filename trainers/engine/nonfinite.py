"""Handler of training steps whose loss or gradient is NaN or infinite."""

import sys

import tensorflow as tf

from tfdepthviz.utils.arrays import write_arrays
from tfdepthviz.utils.errors import InputError, WriteError


class FaultHandler:
    """Stops the run before its next checkpoint, or undoes the step.

    Args:
      workdir: folder of the run, where the batch is saved.
      strategy: the distribution strategy.
      workers: cluster in which the run takes place; the chief writes.
      variables: everything that a step changes; restored when the step is skipped.
      frames_of_step: function of a step's number in the run -> names of its frames.
      skip: undo such steps and continue.
    """

    def __init__(self, workdir, strategy, workers, variables, *, frames_of_step, skip):
        self.workdir = workdir
        self.strategy = strategy
        self.workers = workers
        self.variables = variables
        self.frames_of_step = frames_of_step
        self.skip = skip

    def snapshot(self):
        """Copies of the variables if faulty steps are skipped, else None."""
        return [tf.identity(variable) for variable in self.variables] if self.skip else None

    def handle(self, batch, wrong, place, done, before):
        """Undoes a faulty step, or ends the run.

        Args:
          batch: dict of name -> values, as the strategy distributes it.
          wrong: names of the values that are not finite.
          place: finished epochs, and finished steps of the epoch after them.
          done: the step's number in the run, from 0.
          before: the result of `snapshot` before the step.
        Raises:
          InputError: faulty steps are not skipped.
        """
        epoch, step = place
        what = ", ".join(wrong[:4]) + (f" and {len(wrong) - 4} more" if len(wrong) > 4 else "")
        where = f"step {step + 1} of epoch {epoch + 1}"
        if self.skip:
            for variable, value in zip(self.variables, before, strict=True):
                variable.assign(value)
            print(f"skipped {where}: not finite: {what}", file=sys.stderr, flush=True)
            return
        path = self.workdir / f"not_finite_step_{done}.npz"
        arrays = {k: self.workers.whole(self.strategy, values) for k, values in batch.items()}
        try:
            saved = "the chief saves the batch"
            if self.workers.is_chief:
                write_arrays(path, arrays, compressed=False)
                saved = f"the batch is saved in {path}"
        except WriteError as error:
            saved = f"the batch is not saved, {error}"
        self.workers.leave_together()
        raise InputError(
            f"{where}: not finite: {what}; frames: {', '.join(self.frames_of_step(done))}; "
            f"{saved}; lower --learning_rate, or give --skip_nonfinite_steps"
        )
