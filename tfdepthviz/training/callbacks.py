"""Masks that keep nothing or everything, said while there is still time to stop."""

import sys

import keras

EMPTY, FULL = 0.001, 0.999


class CollapseWarning(keras.callbacks.Callback):
    """Warns once, on standard error, when a whole epoch's masks kept nothing or everything.

    Args:
      objective: "preserve", where lambda is the price of a kept pixel, or "delete", of a deleted.
      warmup_epochs: epochs in which lambda rises, of which nothing is said.
    """

    def __init__(self, objective="preserve", warmup_epochs=0.0):
        super().__init__()
        self.objective = objective
        self.warmup_epochs = warmup_epochs
        self.warned = False

    def on_epoch_end(self, epoch, logs=None):
        share = (logs or {}).get("mask/sparseness")
        if share is not None and share >= FULL and epoch == 0:
            return  # masks start open
        text = describe(share, self.objective)
        if text and not self.warned and epoch >= self.warmup_epochs:
            self.warned = True
            print(f"warning: epoch {epoch + 1}: {text}", file=sys.stderr, flush=True)


def describe(share, objective):
    """What is wrong with masks that keep this share of the pixels; None if nothing is.

    Args:
      share: mean over an epoch of the share of pixels that M' keeps, or None.
      objective: "preserve" or "delete".
    """
    if share is None or EMPTY < share < FULL:
        return None
    kept = "almost nothing" if share <= EMPTY else "almost everything"
    too_large = (share <= EMPTY) == (objective == "preserve")
    cause = "too large" if too_large else "too small"
    remedy = (
        "a smaller --sparsity_weight, or --sparsity_warmup=1"
        if too_large
        else "a larger --sparsity_weight"
    )
    if objective == "preserve":
        remedy += ", or --target_sparseness, which adapts lambda"
    return (
        f"the masks kept {kept} ({100 * share:.2f} % of the pixels), usually because lambda is "
        f"{cause}; try {remedy}"
    )
