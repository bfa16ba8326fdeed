"""Leaks: whether N reads the depth off a mask's shape instead of the pixels that it keeps."""

import numpy as np

from tfdepthviz.evaluation.audit.result import FAILED, PASSED, UNCLEAR, Result, figure, in_words
from tfdepthviz.utils.constants import IMAGENET_MEAN, IMAGENET_STD

# N's answers that may follow another image's mask, and how many more than with a third one's.
TOLERATED, TOLERATED_MORE = 0.25, 0.05
COLOURS = {"white": 1.0, "black": 0.0}


def swap(subject):
    """N sees an image through another one's mask: which of the two depths does it give?

    0 is right, and at 0.5 the mask weighs as much as the image. A third image's mask tells how
    often the other depth is nearer without any help of its mask.
    """
    count = len(subject.images)
    other, third = others(count), np.roll(np.arange(count), max(1, count // 4))
    follows, unaided = (
        _nearer(subject, subject.mask[mask_of], other) for mask_of in (other, third)
    )
    samples = subject.samples
    share = figure(samples.mean(follows))
    pull = figure(samples.mean(follows - unaided))
    if share["high"] <= TOLERATED or pull["high"] <= TOLERATED_MORE:
        verdict, says = PASSED, "N follows the image that it sees, not the mask"
    elif share["low"] > TOLERATED and pull["low"] > 0:
        verdict, says = FAILED, "N follows the mask of another image instead of the image"
    else:
        verdict, says = UNCLEAR, "N may follow the mask of another image"
    measured = (
        f"Seen through another image's mask, {in_words(share)} of the images look nearer "
        f"to the other one; {in_words(pull, sign='+')} more than with a third image's mask."
    )
    figures = {"follows_mask": share, "more_than_third_mask": pull}
    return Result(verdict, says, measured, figures, {"follows_mask": follows.tolist()})


def others(count):
    """(N,) places: for each of N images the one whose mask `swap` takes, half the set away."""
    return np.roll(np.arange(count), count // 2)


def flat_fill(subject):
    """All kept pixels in one colour, so only the mask's shape is left.

    Without colours N should be no nearer to N(I) than its mean map. A colour may be what N looks
    for, so a mask fails only if its shape does with every colour.
    """
    samples = subject.samples
    squares = {}
    for name, grey in COLOURS.items():
        colour = (grey - np.array(IMAGENET_MEAN)) / np.array(IMAGENET_STD)
        flat = np.broadcast_to(colour.astype("float32"), subject.images.shape)
        squares[name] = subject.distances(subject.mask, images=flat)
    errors = {name: samples.rms(values) for name, values in squares.items()}
    best = min(errors, key=lambda name: errors[name][0])
    reference = samples.rms(subject.mean_map_squares)
    difference, of_worst = (
        figure(extreme(list(errors.values()), axis=0) - reference) for extreme in (np.min, np.max)
    )
    if difference["low"] > 0:
        verdict, says = PASSED, "Without the colours of its pixels the mask tells N nothing"
    elif of_worst["high"] < 0:
        verdict, says = FAILED, "The mask's shape alone tells N the depth"
    else:
        verdict, says = UNCLEAR, "The mask's shape alone may tell N some of the depth"
    measured = (
        f"With all kept pixels {best} N is {in_words(figure(errors[best]), subject.unit)} "
        f"from N(I), its mean map {reference[0]:.3f} {subject.unit}; difference "
        f"{in_words(difference, subject.unit, '+')}."
    )
    figures = {f"distance/{name}": figure(values) for name, values in errors.items()}
    figures |= {"distance/mean_map": figure(reference), "difference_to_mean_map": difference}
    figures["difference_of_worst_colour"] = of_worst
    return Result(verdict, says, measured, figures, {f"square/{best}": squares[best].tolist()})


def _nearer(subject, mask, other):
    """(N,) 1.0 where N(I * mask) is nearer to N of the other image than to N(I)."""
    outputs = subject.outputs(subject.shown(mask))
    to_other = subject.compared(outputs, subject.full[other])
    return (to_other < subject.compared(outputs)).astype("float64")
