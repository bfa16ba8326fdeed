"""Callbacks of a mask's training: lambda rises from 0; a warning when masks collapse."""

import sys
import textwrap

import keras

from tfdepthviz.utils.constants import COLUMNS

# Share of pixels up to which a mask is called empty, and from which it is called full.
EMPTY, FULL = 0.001, 0.999


class SparsityWarmup(keras.callbacks.Callback):
    """Raises lambda in a straight line from 0 to its value over the first steps.

    A mask that is open at first and priced from the first step may close everywhere before any
    structure has formed. It does not open again.

    Args:
      trainer: MaskTrainer.
      sparsity_weight: lambda after the rise.
      steps: optimiser steps of the rise; 0: none.

    Example:

        trainer.fit(batches, callbacks=[SparsityWarmup(trainer, 5.0, steps=100)])
    """

    def __init__(self, trainer, sparsity_weight, steps):
        super().__init__()
        self.trainer = trainer
        self.sparsity_weight = sparsity_weight
        self.steps = steps

    def on_train_batch_begin(self, batch, logs=None):
        done = int(self.trainer.optimizer.iterations.numpy())
        if done <= self.steps:
            share = done / self.steps if self.steps else 1.0
            self.trainer.sparsity_weight.assign(self.sparsity_weight * share)


class CollapseWarning(keras.callbacks.Callback):
    """Warns once, on standard error, when the masks of a whole epoch kept nothing or everything.

    Args:
      objective: "preserve", where lambda is the price of a kept pixel, or "delete", of a removed
        one.
      warmup_epochs: epochs in which lambda rises; no warning comes in them.
      advice: function of (objective, whether lambda is too large) -> what to try.
    """

    def __init__(self, objective="preserve", warmup_epochs=0.0, advice=None):
        super().__init__()
        self.objective = objective
        self.warmup_epochs = warmup_epochs
        self.advice = advice or advise
        self.warned = False

    def on_epoch_end(self, epoch, logs=None):
        share = (logs or {}).get("mask/sparseness")
        if share is not None and share >= FULL and epoch == 0:
            return  # masks are open at first
        text = describe(share, self.objective, self.advice)
        if text and not self.warned and epoch >= self.warmup_epochs:
            self.warned = True
            text = f"warning: epoch {epoch + 1}: {text}"
            text = textwrap.fill(text, COLUMNS, break_on_hyphens=False)
            print(text, file=sys.stderr, flush=True)


def advise(objective, too_large):
    """Advice against collapsed masks, by the names of MaskTrainer's arguments."""
    if too_large:
        text = "a smaller sparsity_weight, or SparsityWarmup"
    else:
        text = "a larger sparsity_weight"
    return text + (", or RankingTrainer, which needs none" if objective == "preserve" else "")


def describe(share, objective, advice=advise):
    """Describes masks that keep nearly no pixels or nearly all of them.

    Args:
      share: mean over an epoch of the share of pixels that M' keeps, or None.
      objective: "preserve" or "delete".
      advice: as for `CollapseWarning`.
    Returns:
      str, or None where the masks are neither empty nor full.
    """
    if share is None or EMPTY < share < FULL:
        return None
    kept = "almost nothing" if share <= EMPTY else "almost everything"
    too_large = (share <= EMPTY) == (objective == "preserve")
    return (
        f"the masks kept {kept} ({100 * share:.2f} % of the pixels), usually because lambda is "
        f"too {'large' if too_large else 'small'}; try {advice(objective, too_large)}"
    )
