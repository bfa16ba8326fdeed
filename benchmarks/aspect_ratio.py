"""Accuracy and fidelity for photographs of another shape than N's input, by three rules.

    python benchmarks/aspect_ratio.py                   embedded frames
    python benchmarks/aspect_ratio.py --data_dir=NYU    test frames of NYU Depth v2

Cuts windows of several shapes out of test frames, and brings each to N's input size: `crop` shows N
the largest window of N's shape in the middle, `stretch` the whole one with other proportions,
`letterbox` the whole one with mean colour around it. All are rated on the pixels that `crop` shows:
N(I) against ground truth, and N(I * M') with 36 % of the photograph's pixels against N(I).
Writes the table as CSV and JSON.
"""

import math
import pathlib

import numpy as np
import tensorflow as tf
from absl import app, flags
from common import record
from tqdm import tqdm

from tfdepthviz.data import transforms
from tfdepthviz.evaluation.ranking import compiled
from tfdepthviz.masks import apply_mask, top_share_mask
from tfdepthviz.metrics import curves
from tfdepthviz.models import build_depth_net, build_mask_net
from tfdepthviz.models.scores import scores_net
from tfdepthviz.utils.arrays import evenly
from tfdepthviz.utils.constants import SHARE
from tfdepthviz.utils.tables import write_csv
from trainers.cli.data import Data
from trainers.engine.source import Source

DATA_DIR = flags.DEFINE_string("data_dir", None, "Folder of the NYU data set.")
IMAGES = flags.DEFINE_integer("images", 100, "Test frames, evenly spread.", lower_bound=2)
OUTPUT = flags.DEFINE_string("output", "runs/benchmarks/aspect_ratio.json", "Where to write.")

SHAPES = {"4:3": 4 / 3, "16:9": 16 / 9, "2.35:1": 2.35, "3:1": 3.0, "1:1": 1.0, "9:16": 9 / 16}
RULES = ("crop", "stretch", "letterbox")
OUTSIDE = -1e9  # the score of a pixel around a letterboxed photograph: never kept


def box_of(height, width, aspect):
    """(top, left, height, width) of the largest window of an aspect ratio in the middle."""
    box_height = min(height, round(width / aspect))
    box_width = min(width, round(height * aspect))
    return (height - box_height) // 2, (width - box_width) // 2, box_height, box_width


def cut(array, box):
    top, left, height, width = box
    return array[top : top + height, left : left + width]


def shown_by(rule, window, aspect):
    """What N sees, and where in it the photograph lies, as fractions (y0, x0, y1, x1)."""
    height, width = window.shape[:2]
    if rule == "crop":
        return cut(window, box_of(height, width, aspect)), (0, 0, 1, 1)
    if rule == "stretch":
        return window, (0, 0, 1, 1)
    high, wide = max(height, round(width / aspect)), max(width, round(height * aspect))
    top, left = (high - height) // 2, (wide - width) // 2
    around = [(top, high - height - top), (left, wide - width - left), (0, 0)]
    place = (top / high, left / wide, (top + height) / high, (left + width) / wide)
    return np.pad(window, around), place


def compared_part(rule, window, place, aspect):
    """Where the pixels that `crop` shows lie in what N sees, as fractions."""
    if rule == "crop":
        return (0, 0, 1, 1)
    height, width = window.shape[:2]
    top, left, box_height, box_width = box_of(height, width, aspect)
    y0, x0, y1, x1 = place
    ys = [y0 + (y1 - y0) * v / height for v in (top, top + box_height)]
    xs = [x0 + (x1 - x0) * v / width for v in (left, left + box_width)]
    return ys[0], xs[0], ys[1], xs[1]


def part(maps, place, size, method="bilinear"):
    """The part of each (B, h, w, 1) map at a place, at a size."""
    return tf.image.crop_and_resize(maps, [place], [0], size, method=method)


class Rater:
    """N and G of the package."""

    def __init__(self):
        net = build_depth_net("compact", weights="default")
        self.net = compiled(net)
        self.scores = compiled(scores_net(build_mask_net(weights="default")))
        self.size, self.depth_size = net.input_shape[1:3], net.output_shape[1:3]
        self.aspect = self.size[1] / self.size[0]

    def rate(self, rule, window, truth):
        """(squared error of N(I), squared distance of N(I * M')), means over the pixels compared.

        Args:
          window: (h, w, 3) float32, normalised: 0 is the mean colour.
          truth: (h, w, 1) float32, metres, 0 = missing.
        """
        shown, place = shown_by(rule, window, self.aspect)
        image = tf.image.resize(shown[None], self.size, antialias=True)
        scores, share = self.scores(image), SHARE
        if rule == "letterbox":
            inside = tf.image.resize(np.pad(*self._inside(window, shown)), self.size) > 0.5
            scores = tf.where(inside, scores, OUTSIDE)
            share *= float(tf.reduce_mean(tf.cast(inside, tf.float32)))
        full = self.net(image)
        masked = self.net(apply_mask(image, top_share_mask(scores, [share])))
        where = compared_part(rule, window, place, self.aspect)
        full, masked = (part(y, where, self.depth_size).numpy() for y in (full, masked))
        box = cut(truth, box_of(*truth.shape[:2], self.aspect))[None]
        y_true = part(box, (0, 0, 1, 1), self.depth_size, "nearest").numpy()
        valid = y_true > 0
        return np.mean((full - y_true)[valid] ** 2), np.mean((masked - full) ** 2)

    def _inside(self, window, shown):
        height, width = window.shape[:2]
        high, wide = shown.shape[:2]
        top, left = (high - height) // 2, (wide - width) // 2
        around = [(0, 0), (top, high - height - top), (left, wide - width - left), (0, 0)]
        return np.ones((1, height, width, 1), "float32"), around


def main(_):
    dataset = "nyu" if DATA_DIR.value else "samples"
    frames = Source(Data(dataset=dataset, data_dir=DATA_DIR.value)).load("validation")
    chosen = set(evenly(len(frames), IMAGES.value))
    rater, squares, bar = Rater(), {}, tqdm(total=len(chosen), unit="frame")
    for number, example in frames.enumerate().as_numpy_iterator():
        if number not in chosen:
            continue
        image = np.asarray(transforms.normalise(example["image"].astype("float32") / 255))
        depth = example["depth"].reshape(*example["depth"].shape[:2], 1)
        for name, aspect in SHAPES.items():
            window = cut(image, box_of(*image.shape[:2], aspect))
            truth = cut(depth, box_of(*depth.shape[:2], aspect))
            for rule in RULES:
                squares.setdefault((name, rule), []).append(rater.rate(rule, window, truth))
        bar.update()
    bar.close()
    rows = [row_of(name, rule, squares, rater.aspect) for name, rule in squares]
    for row in rows:
        print(*(f"{v:.3f}" if isinstance(v, float) else v for v in row.values()))
    path = pathlib.Path(OUTPUT.value)
    record.write(path, {"results": rows}, ("tensorflow", "keras", "numpy"))
    write_csv(path.with_suffix(".csv"), list(rows[0]), rows)


def row_of(name, rule, squares, aspect):
    """A row of the table: RMSE over the images, and its difference from `crop` with an interval."""
    values, cropped = (np.array(squares[name, which]) for which in (rule, "crop"))
    counts = curves.bootstrap_counts(len(values))
    row = {"shape": name, "rule": rule, "images": len(values)}
    row["photograph_shown"] = covered(rule, SHAPES[name], aspect)
    for column, figure in enumerate(("rmse", "fidelity_rmse")):
        ours, theirs = values[:, column], cropped[:, column]
        samples = [np.sqrt(counts @ v / len(values)) for v in (ours, theirs)]
        row[figure] = math.sqrt(ours.mean())
        row[f"{figure}_minus_crop"] = math.sqrt(ours.mean()) - math.sqrt(theirs.mean())
        low, high = curves.interval(samples[0] - samples[1])
        row[f"{figure}_low"], row[f"{figure}_high"] = float(low), float(high)
    return row


def covered(rule, aspect, of_net):
    """Share of the photograph that N sees."""
    return min(aspect / of_net, of_net / aspect) if rule == "crop" else 1.0


if __name__ == "__main__":
    app.run(main)
