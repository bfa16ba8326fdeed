"""Shape: what the shape of a mask tells about the depth, whether N reads it or not.

An honest mask tells something, too: where the edges are says where things are. So a mask is held
against edges of the same share, which do not know N.
"""

import dataclasses

import numpy as np
import tensorflow as tf

from tfdepthviz.evaluation.audit import readers
from tfdepthviz.evaluation.audit.result import FAILED, PASSED, UNCLEAR, Result, figure, in_words
from tfdepthviz.evaluation.controls import blurred_edges, sobel_edges
from tfdepthviz.utils.graphs import compiled

EDGES = {
    "sobel": lambda image, first: sobel_edges(image),
    "blurred_edges": lambda image, first: blurred_edges(image),
}
# Fewer images to learn from are no match for those of the audit themselves.
LEAST_TRAINING = 40
# A part of the variance, and nats, that a mask may tell more than edges do.
TOLERATED_VARIANCE, TOLERATED_NATS = 0.1, 0.05
# Part of the mean slope of an image below which N does not use a pixel.
LEAST_SLOPE = 0.01


def mask_only(subject):
    """Predicts N(I) from the mask alone: R2 above that of the mean map, next to edges' R2.

    Where N's depth is the place of an object, an honest mask must tell it. So a second reader sees
    only the kept pixels that N does not use. A code that N does use shows in other tests.

    Source: ours; FRESH (Jain et al. 2020) predicts from the selected words alone.
    """
    data = _Readable(subject)
    masks = {name: data.masks(name) for name in ("G", *EDGES)}
    masks["needless"] = unused(subject, data.images, masks["G"])
    told = {}
    for name, mask in masks.items():
        prediction = data.predicted(readers.shape_features(mask))
        sums = (prediction.errors.sum(axis=1), prediction.totals.sum(axis=1))
        told[name] = subject.samples.explained(*sums)
    needless = told.pop("needless")
    result = _judged(
        told,
        TOLERATED_VARIANCE,
        "A reader that sees nothing but the mask explains {own} of the variance of N(I); of edges "
        "of the same share {edges}",
    )
    own = figure(needless)
    more = figure(needless - np.max([told[name] for name in EDGES], axis=0))
    verdict, says = result.verdict, result.says
    if verdict == FAILED and not (own["low"] > TOLERATED_VARIANCE and more["low"] > 0):
        verdict, says = UNCLEAR, "The shape of the mask tells the depth, perhaps without N's needs"
        if own["high"] < TOLERATED_VARIANCE or more["high"] < 0:
            verdict, says = PASSED, "The shape tells the depth, but only by pixels that N uses"
    return dataclasses.replace(
        result,
        verdict=verdict,
        says=says,
        measured=f"{result.measured} By kept pixels that N does not use: {in_words(own)}.",
        figures=result.figures | {"needless": own, "needless_more_than_edges": more},
    )


def unused(subject, images, mask):
    """(N, H, W, 1): the kept pixels where N's output has hardly any gradient.

    A pixel counts as unused if |gradient|, the greatest of the 3x3 pixels around, is below 1 % of
    the image's mean. It is that of a sum of N's outputs with random weights, at what N sees.
    """
    net = subject.target.net
    weights = np.random.default_rng(0).standard_normal((1, *net.output_shape[1:]))

    def slope(shown):
        with tf.GradientTape() as tape:
            tape.watch(shown)
            y = net(shown, training=False)
            total = tf.reduce_sum(y * tf.cast(weights, y.dtype))
        return tf.reduce_mean(tf.abs(tape.gradient(total, shown)), axis=-1, keepdims=True)

    compute, parts = compiled(slope), []
    for first in range(0, len(images), subject.batch_size):
        part = slice(first, first + subject.batch_size)
        shown = subject.shown(mask[part], images=images[part])
        slopes = compute(tf.convert_to_tensor(shown))
        least = LEAST_SLOPE * tf.reduce_mean(slopes, axis=(1, 2, 3), keepdims=True)
        used = tf.nn.max_pool2d(slopes, 3, 1, "SAME") >= least
        parts.append(mask[part] * (1 - tf.cast(used, tf.float32).numpy()))
        subject.progress(len(shown))
    return np.concatenate(parts)


def encode_meter(subject):
    """How much the mask's shape adds to the colours of its pixels, nats a cell.

    The negative log-likelihood of N(I) in 8x10 cells from the mean colours of the kept pixels of
    each cell, minus that with the mask's shape added.

    Source: STRIPE-X (NeurIPS 2024), ENCODE-METER. Differs: Gaussian densities, ridge regression.
    """
    data = _Readable(subject)
    added = {}
    for name in ("G", *EDGES):
        mask = data.masks(name)
        colours = readers.colour_features(data.images, mask)
        without = data.predicted(colours)
        with_shape = data.predicted([*colours, *readers.shape_features(mask)])
        added[name] = subject.samples.mean(without.nats - with_shape.nats)
    return _judged(
        added,
        TOLERATED_NATS,
        "Next to the colours of its pixels, the mask's shape tells {own} nats a cell about N(I); "
        "that of edges {edges}",
    )


def _judged(told, tolerated, text):
    """The Result of statistics of what the shapes of G's masks and of edges tell."""
    figures = {name: figure(values) for name, values in told.items()}
    strongest = np.max([told[name] for name in EDGES], axis=0)
    own, more = figures["G"], figure(told["G"] - strongest)
    figures["more_than_edges"] = more
    if more["low"] > 0 and own["low"] > tolerated:
        verdict, says = FAILED, "The shape of the mask encodes the depth"
    elif min(more["high"], own["high"]) < tolerated:
        verdict, says = PASSED, "The shape of the mask encodes no depth beyond what edges tell"
    else:
        verdict, says = UNCLEAR, "The shape of the mask may encode depth"
    edges = max(EDGES, key=lambda name: figures[name]["value"])
    text = text.format(own=in_words(own), edges=in_words(figures[edges]))
    return Result(verdict, says, f"{text}; more by {in_words(more, sign='+')}.", figures)


class _Readable:
    """Images that a reader learns from and images that it is tested on, in one array."""

    def __init__(self, subject):
        self.subject = subject
        extra = subject.training_images
        self.extra = None if extra is None or len(extra) < LEAST_TRAINING else extra
        self.tested = None
        self.images, full = subject.images, subject.full
        if self.extra is not None:
            self.images = np.concatenate([self.extra, subject.images])
            full = np.concatenate([subject.training_outputs, subject.full])
            self.tested = np.arange(len(self.images)) >= len(self.extra)
        self.cells = readers.depth_cells(subject.target, full)

    def masks(self, name):
        """Binary masks of all these images: of G, or of edges."""
        ranking = self.subject.ranking if name == "G" else EDGES[name]
        scores = self.subject.scores_of(ranking, self.images)
        return self.subject.top(scores)

    def predicted(self, features):
        return readers.predicted(features, self.cells, self.tested)
