"""Sufficiency: whether a mask's pixels keep N's depth better than every simple rule."""

import numpy as np

from tfdepthviz.evaluation.audit.result import (
    FAILED,
    PASSED,
    UNCLEAR,
    Result,
    figure,
    in_words,
    judged,
)
from tfdepthviz.evaluation.audit.subject import SCORED, overlap
from tfdepthviz.metrics import curves

# Rules that do not look at the image. One that keeps the same pixels as G is no rival: N then
# needs a place, and both say so.
BLIND = ("centre", "swapped", "mirrored")
SAME_MASK = 0.9
# Shares of the curves; with k, 1 - k is one of them, too.
SHARES = (0.1, 0.36, 0.64, 0.9)
CURVE_CONTROLS = ("sobel", "blurred_edges", "random", "random_blocks")


def controls(subject):
    """The distance from N(I) with G's pixels against as many pixels of each control.

    Further rivals are N's mean map and nothing at all, which need no pixel. In each bootstrap
    sample the best of all rivals counts.
    """
    samples = subject.samples
    squares, left_out = {}, []
    for name in [*SCORED, *(["untrained"] if subject.untrained else []), "swapped", "mirrored"]:
        mask = subject.top(subject.control(name))
        if name in BLIND and overlap(mask, subject.mask).mean() >= SAME_MASK:
            left_out.append(name)
            continue
        squares[name] = subject.distances(mask)
    squares["mean_map"] = subject.mean_map_squares
    squares["nothing"] = subject.distances(np.zeros_like(subject.mask))
    own = samples.rms(subject.squares)
    errors = {name: samples.rms(values) for name, values in squares.items()}
    best = min(errors, key=lambda name: errors[name][0])
    difference = figure(own - np.min(list(errors.values()), axis=0))
    verdict, unit = judged(difference), subject.unit
    says = {
        PASSED: "G's pixels tell N more than every control",
        FAILED: f"G's pixels tell N no more than {_name(best)}",
        UNCLEAR: f"G's pixels may tell N no more than {_name(best)}",
    }[verdict]
    measured = (
        f"With {subject.share:.0%} of the pixels N is {in_words(figure(own), unit)} from "
        f"N(I), and {errors[best][0]:.3f} {unit} with {_name(best)}; difference to the strongest "
        f"{in_words(difference, unit, '+')}."
    )
    if left_out:
        measured += f" {_name(' and '.join(left_out))} would keep the same pixels, and is no rival."
    figures = {"distance": figure(own), "difference_to_strongest": difference}
    figures |= {f"distance/{name}": figure(values) for name, values in errors.items()}
    return Result(
        verdict, says, measured, figures, {"square": subject.squares.tolist()}, _rows(figures, unit)
    )


def order(subject):
    """Insertion, deletion, and how far "least relevant first" lies above "most relevant first".

    Source: Petsiuk et al. 2018 (RISE); TRACE (ICML 2024) for the area between both orders.
    """
    samples = subject.samples
    nothing = samples.rms(subject.distances(np.zeros_like(subject.mask)))
    figures, areas = {}, {}
    for name in ("G", *CURVE_CONTROLS):
        scores = subject.scores if name == "G" else subject.control(name)
        top, bottom = _curves(subject, scores)
        areas[name] = _areas(top, bottom, nothing)
        for part, curve in (("top", top), ("bottom", bottom)):
            points = zip(SHARES, curve.T, strict=True)
            figures |= {f"{part}/{name}/{share:g}": figure(values) for share, values in points}
    apart = {name: deletion - insertion for name, (insertion, deletion) in areas.items()}
    rivals = [name for name in apart if name != "G"]
    best = max(rivals, key=lambda name: apart[name][0])
    difference = figure(np.max([apart[name] for name in rivals], axis=0) - apart["G"])
    verdict = judged(difference)
    says = {
        PASSED: "The order of G's pixels tells needed from useless ones better than every control",
        FAILED: f"The order of G's pixels is no better than that of {_name(best)}",
        UNCLEAR: f"The order of G's pixels may be no better than that of {_name(best)}",
    }[verdict]
    figures["difference_to_strongest"] = difference
    for name, (insertion, deletion) in areas.items():
        figures |= {f"insertion/{name}": figure(insertion), f"deletion/{name}": figure(deletion)}
        figures[f"apart/{name}"] = figure(apart[name])
    measured = (
        f"Area between least and most relevant first {in_words(figures['apart/G'])}, "
        f"{apart[best][0]:.3f} for {_name(best)} (0 for an order without meaning)."
    )
    table = [["", "insertion area", "deletion area", "between both orders"]]
    for name in areas:
        keys = ("insertion", "deletion", "apart")
        table.append([_name(name), *(in_words(figures[f"{key}/{name}"]) for key in keys)])
    return Result(verdict, says, measured, figures, table=tuple(table))


def _curves(subject, scores):
    """Statistics (1 + R, K): the distance with the top and with the bottom SHARES of an order."""
    return (
        np.stack(
            [subject.samples.rms(subject.distances(subject.top(sign * scores, k))) for k in SHARES],
            axis=-1,
        )
        for sign in (1, -1)
    )


def _areas(top, bottom, nothing):
    """Statistics: insertion and deletion area of an order."""
    # Without the top k, the bottom 1 - k is shown.
    removed = bottom[..., ::-1]
    return (
        curves.insertion_area(SHARES, top, nothing),
        curves.deletion_area(SHARES, removed, nothing),
    )


def _rows(figures, unit):
    rows = [["pixels of", f"distance from N(I), {unit}"], ["G", in_words(figures["distance"])]]
    for key, value in figures.items():
        if key.startswith("distance/"):
            rows.append([_name(key.partition("/")[2]), in_words(value)])
    return tuple(rows)


NAMES = {
    "random": "random pixels",
    "random_blocks": "random blocks",
    "sobel": "edges",
    "blurred_edges": "edges blurred over 5x5",
    "blurred_edges_9": "edges blurred over 9x9",
    "centre": "the centre",
    "untrained": "G before training",
    "swapped": "another image's mask",
    "mirrored": "the mirrored mask",
    "mean_map": "N's mean map, without any pixel",
    "nothing": "no pixel at all",
}


def _name(name):
    return " and ".join(NAMES.get(part, part) for part in name.split(" and "))
