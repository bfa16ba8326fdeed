"""Depth summary: what the depth of a few frames looks like, before hours are spent on it."""

import dataclasses
from collections.abc import Iterable

import numpy as np

# Metres that depth of rooms and streets lies within; more or less is most often a wrong unit.
PLAUSIBLE = (0.1, 300.0)
# Of the valid pixels, percent: single wrong pixels do not count.
RANGE = (1, 99)


@dataclasses.dataclass(frozen=True)
class DepthSummary:
    """Valid depth of some frames.

    Attributes:
      frames: number of frames.
      valid: share of the pixels that have depth.
      median: metres.
      low, high: metres; 98 % of the valid depth lies between them.
    """

    frames: int
    valid: float
    median: float
    low: float
    high: float

    @property
    def is_plausible(self) -> bool:
        return PLAUSIBLE[0] <= self.low and self.high <= PLAUSIBLE[1]

    def in_words(self) -> str:
        return (
            f"{self.valid:.1%} of the pixels valid, median {self.median:.3g} m, 98 % from "
            f"{self.low:.3g} to {self.high:.3g} m ({self.frames} frames)"
        )


def summarise(depths: Iterable[np.ndarray]) -> DepthSummary | None:
    """Summary of depth maps in metres, 0 = missing; None if no pixel of any of them is valid."""
    maps = [np.ravel(depth) for depth in depths]
    pixels = np.concatenate([*maps, np.zeros(0)])
    valid = pixels[pixels > 0]
    if not valid.size:
        return None
    low, median, high = np.percentile(valid, (RANGE[0], 50, RANGE[1]))
    return DepthSummary(len(maps), valid.size / pixels.size, median, low, high)
