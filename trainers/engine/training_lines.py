"""Training lines: what a training prints, from its size to the values of each epoch."""

import math
import sys
import textwrap
import time

import keras

from tfdepthviz.utils.constants import COLUMNS
from trainers.engine.progress import bar

# Steps below which masks are usually poor.
FEW_STEPS = 100
# Steps after the first from whose time that of the others is expected.
TIMED_STEPS = 5


def announce(frames, steps_per_epoch, epochs):
    """Prints the size of a training.

    Args:
      frames: dict of split -> number of frames.
      steps_per_epoch, epochs: of the whole run.
    """
    steps = steps_per_epoch * epochs
    print(
        f"images: {frames['train']} to train on, {frames['validation']} to validate on; "
        f"epochs: {epochs}; steps: {steps_per_epoch} an epoch, {steps} in all",
        flush=True,
    )
    if steps < FEW_STEPS:
        print(
            f"warning: results are usually poor below {FEW_STEPS} steps; take more --epochs "
            "or images",
            flush=True,
        )


class TrainingLines(keras.callbacks.Callback):
    """Prints the expected time, progress within each epoch, and the logged values of each.

    Values that are NaN, such as errors where there is no ground truth, are left out.

    Args:
      epochs, steps_per_epoch: of the whole run.
      first_step: finished steps of the epoch in which the run continues.
    """

    def __init__(self, epochs, steps_per_epoch, first_step=0):
        super().__init__()
        self.epochs, self.steps_per_epoch = epochs, steps_per_epoch
        self.first_step = first_step
        self.timed = None  # (time, number) of the first step, which also compiles

    def on_epoch_begin(self, epoch, logs=None):
        self.started = time.monotonic()
        self.steps = bar(
            desc=f"epoch {epoch + 1}/{self.epochs}",
            total=self.steps_per_epoch,
            initial=self.first_step,
            unit="step",
            leave=False,
            file=sys.stdout,
        )
        self.first_step, self.done_epochs = 0, epoch

    def on_train_batch_end(self, batch, logs=None):
        self.steps.update()
        loss = (logs or {}).get("loss")
        if loss is not None and math.isfinite(loss):
            self.steps.set_postfix_str(f"loss {loss:.3g}", refresh=False)
        done = self.done_epochs * self.steps_per_epoch + batch + 1
        if self.timed is None:
            self.timed = time.monotonic(), done
        elif done == self.timed[1] + TIMED_STEPS:
            self._expect((time.monotonic() - self.timed[0]) / TIMED_STEPS, done)

    def on_epoch_end(self, epoch, logs=None):
        self.steps.close()
        took = in_words(time.monotonic() - self.started)
        print(f"epoch {epoch + 1}/{self.epochs}, {took}")
        training, validation = {}, {}
        for name, value in (logs or {}).items():
            values = validation if name.startswith("val_") else training
            if not math.isnan(value):
                values[name.removeprefix("val_")] = value
        for part, values in (("training", training), ("validation", validation)):
            text = ", ".join(f"{name} {value:.4g}" for name, value in values.items())
            print(textwrap.fill(f"  {part}: {text}", COLUMNS, subsequent_indent="    "))
        sys.stdout.flush()

    def _expect(self, seconds_per_step, done):
        steps = self.epochs * self.steps_per_epoch - done
        if steps >= FEW_STEPS // 2:
            text = f"about {in_words(steps * seconds_per_step)} for the other {steps} steps"
            self.steps.clear()
            print(f"{text}, and more for validation", flush=True)


def in_words(seconds):
    """A time in the unit that suits it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
