"""Survey: figures of single frames, which of them are unusual, and which show the same."""

import dataclasses
import math
from collections.abc import Iterable, Sequence

import numpy as np
from PIL import Image

from tfdepthviz.utils.arrays import valid_depth

# Side of the small copy by which frames are compared.
SIDE = 16
# Correlation of two small copies from which on two frames show the same. Copies of the embedded
# frames, stored again at a quarter of the size, reach 0.9967 at least.
SAME = 0.995
# Figures of frames: name in words, unit, and the least deviation that is assumed.
FIGURES = {
    "brightness": ("brightness", "", 0.02),
    "contrast": ("contrast", "", 0.01),
    "aspect": ("width / height", "", 0.01),
    "valid": ("valid depth", "%", 0.02),
    "median": ("median depth", " m", 0.05),
}
# Ratios of these matter, not differences.
BY_RATIO = ("aspect", "median")
# Standard deviations from the median beyond which a value is unusual. The deviation is that of a
# normal distribution whose 10th and 90th percentiles are those of the values, because the mean
# square would count the unusual values themselves.
OUTLIER = 3.0
TENTHS = (10, 90)
BETWEEN_TENTHS = 2.563


@dataclasses.dataclass(frozen=True)
class Frame:
    """Figures of one raw example.

    Attributes:
      split, name: which frame it is.
      width, height: of the image, pixels.
      brightness, contrast: mean and standard deviation of the small copy, black = 0, white = 1.
      valid: share of the pixels that have depth.
      low, median, high: metres, 98 % of the valid depth lies from low to high; None without any.
    """

    split: str
    name: str
    width: int
    height: int
    brightness: float
    contrast: float
    valid: float
    low: float | None
    median: float | None
    high: float | None

    @property
    def aspect(self) -> float:
        return self.width / self.height


def figures_of(example, split: str, name: str) -> tuple[Frame, np.ndarray]:
    """Figures of a raw example of NumPy arrays, and its small copy (SIDE, SIDE, 3) uint8."""
    image, depth = example["image"], example["depth"]
    small = Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.BOX)
    small = np.asarray(small)
    valid = depth[valid_depth(depth)]
    low, median, high = np.percentile(valid, (1, 50, 99)) if valid.size else (None,) * 3
    frame = Frame(
        split,
        name,
        image.shape[1],
        image.shape[0],
        float(small.mean()) / 255,
        float(small.std()) / 255,
        valid.size / depth.size,
        *(None if metres is None else float(metres) for metres in (low, median, high)),
    )
    return frame, small


def unusual(frames: Sequence[Frame]) -> list[list[str]]:
    """For each frame the figures that set it apart, in words, the most unusual first.

        unusual(frames)[7]  # ["median depth 38 m (usual: 2.7 m)"]

    A figure is unusual where it is more than OUTLIER deviations away from the median.
    """
    scored = [[] for _ in frames]
    for name, (words, unit, least) in FIGURES.items():
        values = [getattr(frame, name) for frame in frames]
        known = [value for value in values if value is not None]
        if not known:
            continue
        usual = float(np.median(known))
        scores = _scores(name, values, known, least)
        for place, (value, score) in enumerate(zip(values, scores, strict=True)):
            if score > OUTLIER:
                text = f"{words} {_written(value, unit)} (usual: {_written(usual, unit)})"
                scored[place].append((-score, text))
    return [[text for _, text in sorted(texts)] for texts in scored]


def _scores(name, values, known, least):
    """Deviations from the median; 0 where a frame has no such figure."""
    change = math.log if name in BY_RATIO else float
    known = [change(value) for value in known]
    low, high = np.percentile(known, TENTHS)
    middle, deviation = np.median(known), max((high - low) / BETWEEN_TENTHS, least)
    return [0.0 if value is None else abs(change(value) - middle) / deviation for value in values]


def _written(value, unit):
    return f"{value:.1%}" if unit == "%" else f"{value:.3g}{unit}"


def nearest(copies: Iterable[np.ndarray], others: Iterable[np.ndarray]) -> tuple[np.ndarray, ...]:
    """For each small copy the most similar one of others.

    Similarity is the correlation of all values of two copies; a flat one is similar to none.

    Args:
      copies, others: (n, SIDE, SIDE, 3) and (m, SIDE, SIDE, 3) uint8, m at least 1.
    Returns:
      (n,) places in others, and (n,) similarities.
    """
    one, two = _standardised(copies), _standardised(others)
    # In parts, because all similarities of two large sets would not fit.
    parts = [one[start : start + 256] @ two.T for start in range(0, len(one), 256)]
    places = np.concatenate([part.argmax(1) for part in parts])
    return places, np.concatenate([part.max(1) for part in parts])


def _standardised(copies):
    vectors = np.stack([np.ravel(copy) for copy in copies]).astype("float32")
    vectors -= vectors.mean(1, keepdims=True)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6)
