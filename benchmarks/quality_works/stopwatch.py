"""Stopwatch: a callback that times training steps, rates G now and then, and ends the training."""

import csv
import dataclasses
import math
import os
import signal
import statistics
import time

import keras
import numpy as np

from tfdepthviz.evaluation.controls import control_scores
from tfdepthviz.evaluation.measurement import FIGURES, Measurement
from tfdepthviz.evaluation.ranking import ranking
from tfdepthviz.metrics import curves
from tfdepthviz.utils.constants import THRESHOLD
from tfdepthviz.utils.tables import write_csv

COLUMNS = ("seconds", "step", "fidelity_rmse", "edges", "times_edges")
# Ratings grow rarer, or they would take most of a long training's time: the clock is known to 5 %.
GROWTH = 1.05


@dataclasses.dataclass(frozen=True)
class Setting:
    """When to rate and when to stop.

    Attributes:
      share: of the pixels that N sees.
      times: the goal, as a part of the distance that edges leave.
      every: least seconds of training between two ratings.
      limit: seconds of training after which to stop.
    """

    share: float
    times: float
    every: float
    limit: float

    def done(self, ratings):
        """Whether the last rating is at the goal or at the limit."""
        last = ratings[-1]
        return last["times_edges"] <= self.times or last["seconds"] >= self.limit

    def next_rating(self, seconds):
        """The time of the first rating after one at this time."""
        return min(max(seconds + self.every, seconds * GROWTH), max(self.limit, seconds))


class Stopwatch(keras.callbacks.Callback):
    """Times every step of a run of train_mask, and stops it as SIGTERM does, saved.

    Args:
      recipe: name for what is printed.
      folder: pathlib.Path, work folder of the run; times.csv and ratings.csv are written there.
      setting: Setting.
      batches: of {"image"} to rate on.
    """

    def __init__(self, recipe, folder, setting, batches):
        super().__init__()
        self.recipe, self.folder, self.setting, self.batches = recipe, folder, setting, batches
        self.ratings, self.stopped = [], False

    def on_train_begin(self, logs=None):
        step = int(self.model.optimizer.iterations)
        # Steps after the newest checkpoint are trained again.
        self.times = [row["seconds"] for row in _read(self.folder / "times.csv")][:step]
        self.continued = bool(self.times)
        self.ratings = [row for row in ratings_of(self.folder) if row["step"] <= step]
        self.measure = self._measurement(ranking(self.model.mask_net))
        _write_times(self.folder / "times.csv", self.times)
        if self.ratings:
            self.edges = self.ratings[0]["edges"]
        else:
            scores = control_scores(self.model.depth_net, ("sobel",))["sobel"]
            self.edges = self._distance(self._measurement(scores))
            self._rate()

    def on_train_batch_begin(self, batch, logs=None):
        self.started = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        seconds = time.perf_counter() - self.started
        if self.continued:  # the step was traced before
            seconds, self.continued = statistics.median(self.times), False
        self.times.append(seconds)
        with open(self.folder / "times.csv", "a") as file:
            file.write(f"{seconds:.6f}\n")
        if self.stopped:
            return
        due = self.setting.next_rating(self.ratings[-1]["seconds"])
        if self.seconds >= due and not self.setting.done(self.ratings):
            self._rate()
        if self.setting.done(self.ratings):
            self.stopped = True
            os.kill(os.getpid(), signal.SIGTERM)

    def on_train_end(self, logs=None):
        if self.ratings[-1]["step"] < len(self.times):
            self._rate()

    @property
    def seconds(self):
        """Seconds of training so far."""
        return math.fsum(self.times)

    def _rate(self):
        distance = self._distance(self.measure)
        row = {
            "seconds": self.seconds,
            "step": len(self.times),
            "fidelity_rmse": distance,
            "edges": self.edges,
            "times_edges": distance / self.edges,
        }
        self.ratings.append(row)
        write_csv(self.folder / "ratings.csv", COLUMNS, self.ratings)
        print(
            f"{self.recipe}: after {row['seconds']:.0f} s and {row['step']} steps "
            f"{distance:.3f} from N(I), {row['times_edges']:.2f} times the distance of edges; the "
            f"goal is {self.setting.times:g} times",
            flush=True,
        )

    def _distance(self, measure):
        """Distance from N(I) over the test images, as a function of `_measurement` rates it."""
        parts = [measure(batch, 0, lambda size: None)["insert/"] for batch in self.batches]
        return float(curves.set_rmse(np.concatenate(parts)[:, 0, FIGURES.index("fidelity_mse")]))

    def _measurement(self, scores):
        """A Measurement of the top share of these scores, compiled once."""
        target, share = self.model.target, self.setting.share
        views = {"rankings": {}, "predictions": {}, "views": ("insert",)}
        return Measurement(target, {}, {"": scores}, (share,), THRESHOLD, **views)


def ratings_of(folder):
    """Ratings of an earlier process, as `Stopwatch.ratings`."""
    rows = _read(folder / "ratings.csv")
    return [{**row, "step": int(row["step"])} for row in rows]


def _read(path):
    if not path.exists():
        return []
    with open(path, newline="") as file:
        return [{name: float(text) for name, text in row.items()} for row in csv.DictReader(file)]


def _write_times(path, times):
    write_csv(path, ("seconds",), [{"seconds": f"{seconds:.6f}"} for seconds in times])
