"""Result of one test of an audit: figures with intervals, and what follows from them."""

import dataclasses

import numpy as np

from tfdepthviz.metrics import curves

PASSED, FAILED, UNCLEAR = "passed", "failed", "unclear"


@dataclasses.dataclass(frozen=True)
class Result:
    """What one test says of a mask; `dataclasses.asdict` makes it a dict that JSON can hold.

    Attributes:
      verdict: PASSED, FAILED or UNCLEAR.
      says: what follows, in plain words.
      measured: the figures behind it, as a sentence.
      figures: name -> {"value", "low", "high"}, an estimate and its bootstrap interval.
      per_image: name -> list of N numbers, one for each image.
      table: rows of texts for the page, the first row holding the headings; () if there are none.
    """

    verdict: str
    says: str
    measured: str
    figures: dict
    per_image: dict = dataclasses.field(default_factory=dict)
    table: tuple = ()


class Samples:
    """Bootstrap samples of the images. All figures of an audit share them, so they are paired.

    A statistic is (1 + R,): its value on the images, then on each of R samples of them.

    Args:
      images: number of images.
      resamples: R.
      seed: of the samples.
    """

    def __init__(self, images, resamples=1000, seed=0):
        drawn = curves.bootstrap_counts(images, resamples, seed)
        self._counts = np.concatenate([np.ones((1, images), "int64"), drawn])

    def rms(self, squares):
        """Statistic: root of the mean of (N,) squares."""
        return curves.set_rmse(squares, self._counts)

    def mean(self, values):
        """Statistic: mean of (N,) values."""
        return self._counts @ np.asarray(values, "float64") / self._counts.sum(1)

    def explained(self, errors, totals):
        """Statistic: 1 - sum of (N,) errors / sum of (N,) totals; 0 where the totals are 0."""
        totals = self._counts @ np.asarray(totals, "float64")
        errors = self._counts @ np.asarray(errors, "float64")
        return 1 - np.divide(errors, totals, out=np.ones_like(errors), where=totals > 0)


def figure(statistic, level=0.95):
    """{"value", "low", "high"} of a statistic."""
    low, high = curves.interval(statistic[1:], level)
    return {"value": float(statistic[0]), "low": float(low), "high": float(high)}


def judged(difference):
    """PASSED if a difference in errors is below 0, interval included; FAILED if not below at all.

    Args:
      difference: a figure: an error minus that of its strongest rival.
    """
    if difference["high"] < 0:
        return PASSED
    return FAILED if difference["low"] >= 0 else UNCLEAR


def in_words(number, unit="", sign=""):
    """A figure as text: "0.12 m [0.10, 0.15]".

    Args:
      number: a figure.
      unit: of the number.
      sign: "+" for a difference.
    """
    value, low, high = (f"{number[part]:{sign}.3f}" for part in ("value", "low", "high"))
    return f"{value}{' ' if unit else ''}{unit} [{low}, {high}]"
