"""Search and SearchResult: settings and result of a search for the masks of single images."""

import dataclasses
import math

import numpy as np

from tfdepthviz.utils.errors import InputError
from tfdepthviz.utils.shown import Shown


@dataclasses.dataclass(frozen=True)
class Search:
    """Settings of a search.

    Attributes:
      steps: greatest number of steps of Adam.
      learning_rate: of Adam, on the logits.
      patience: an image stops after this many steps in a row that together lower its best loss by
        less than LEAST_GAIN.
      restarts: number of searches of each image; each starts from new logits drawn from N(0, 1).
      logit_stride: image pixels between neighbouring logits. Above 1 the logits are enlarged by
        aligned-corner interpolation, and masks are smooth.
      seed: fixes the first logits of each image, however images are put into batches.
    Raises:
      InputError: a number of steps, restarts or pixels below 1, or a learning rate of 0 or less.
    """

    steps: int = 60
    learning_rate: float = 0.1
    patience: int = 20
    restarts: int = 2
    logit_stride: int = 1
    seed: int = 0

    def __post_init__(self):
        for name in ("steps", "patience", "restarts", "logit_stride"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1. Received: {getattr(self, name)}")
        if not self.learning_rate > 0:
            raise InputError(f"learning_rate must be above 0. Received: {self.learning_rate}")

    def grid(self, size):
        """(h, w) of the logits of an image of size (H, W)."""
        return tuple(max(2, math.ceil(pixels / self.logit_stride)) for pixels in size)

    def first_logits(self, size, restart, images):
        """Logits that a restart begins with.

        Args:
          size: (H, W) of the images.
          restart: number of the restart.
          images: numbers of the images in their set.
        Returns:
          (len(images), h, w, 1) float32.
        """
        grid = self.grid(size)
        return np.stack(
            [
                np.random.default_rng((self.seed, restart, image)).standard_normal((*grid, 1))
                for image in images
            ]
        ).astype("float32")


@dataclasses.dataclass(frozen=True, repr=False)
class SearchResult(Shown):
    """Masks of B images from R restarts.

    Attributes:
      logits: (R, B, H, W, 1) float32, those of the lowest loss that the search passed.
      masks: (R, B, H, W, 1) float32, M of these logits; 0 and 1 with a share.
      loss: (R, B) float32, their loss.
      steps: (R, B) int, steps until the image stopped.
      best: (B,) int, the restart of lowest loss.
    """

    logits: np.ndarray
    masks: np.ndarray
    loss: np.ndarray
    steps: np.ndarray

    @property
    def best(self):
        return self.loss.argmin(axis=0)

    def best_of(self, values):
        """Picks each image's best restart: (R, B, ...) -> (B, ...)."""
        return values[self.best, np.arange(values.shape[1])]
