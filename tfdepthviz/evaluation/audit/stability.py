"""Stability: whether G gives the same mask when the image hardly changes."""

import io

import numpy as np
from PIL import Image

from tfdepthviz.data.transforms import denormalise, normalise
from tfdepthviz.evaluation.audit.result import FAILED, PASSED, UNCLEAR, Result, figure, in_words
from tfdepthviz.evaluation.audit.subject import above_chance, overlap

# Deviation of the noise in RGB from 0 to 1, pixels of the shift, quality of the JPEG file.
NOISE, SHIFT, QUALITY = 0.02, 2, 60
# IoU above chance from which a mask counts as the same, and below which as another one.
SAME, OTHER = 0.5, 0.25


def stability(subject):
    """IoU above chance (0 as random pixels, 1 the same) with noise, a shift of 2 pixels, and JPEG.

    Masks of a shifted image are shifted back, unless they agree better as they are: a mask may
    belong to places of the frame. N's own change is measured next to it, and of neighbouring
    frames of a video both, which no verdict rests on: there the scene changes, too.
    """
    samples = subject.samples
    rgb = np.clip(denormalise(subject.images).numpy(), 0, 1)
    rng = np.random.default_rng(subject.seed)
    noisy = rgb + NOISE * rng.standard_normal(rgb.shape)
    padded = np.pad(rgb, ((0, 0), (SHIFT, 0), (SHIFT, 0), (0, 0)), mode="edge")
    changed = {
        "noise": np.clip(noisy, 0, 1),
        "shift": padded[:, :-SHIFT, :-SHIFT],
        "jpeg": np.stack([_jpeg(image) for image in rgb]),
    }
    agreements, figures = {}, {}
    for name, images in changed.items():
        images = normalise(images.astype("float32")).numpy()
        mask = subject.top(subject.scores_of(subject.ranking, images))
        iou = overlap(mask, subject.mask)
        if name == "shift":
            back = overlap(mask[:, SHIFT:, SHIFT:], subject.mask[:, :-SHIFT, :-SHIFT])
            iou = np.maximum(iou, back)
        agreements[name] = above_chance(iou, subject.share)
        figures[f"agreement/{name}"] = figure(samples.mean(agreements[name]))
        change = samples.rms(subject.compared(subject.outputs(images)))
        figures[f"change_of_n/{name}"] = figure(change)
    worst = min(changed, key=lambda name: figures[f"agreement/{name}"]["value"])
    least = figures[f"agreement/{worst}"]
    if least["low"] >= SAME:
        verdict, says = PASSED, "G gives nearly the same mask when the image hardly changes"
    elif least["high"] < OTHER:
        verdict, says = FAILED, "G gives another mask when the image hardly changes"
    else:
        verdict, says = UNCLEAR, "G gives a somewhat different mask when the image hardly changes"
    table = [["change", "IoU above chance", f"change of N(I), {subject.unit}"]]
    for name, words in WORDS.items():
        keys = (f"agreement/{name}", f"change_of_n/{name}")
        table.append([words, *(in_words(figures[key]) for key in keys)])
    measured = f"IoU above chance {in_words(least)} with {WORDS[worst]}."
    if subject.neighbours:
        measured += _video(subject, figures)
    per_image = {f"agreement/{name}": values.tolist() for name, values in agreements.items()}
    return Result(verdict, says, measured, figures, per_image, tuple(table))


WORDS = {
    "noise": f"noise of {NOISE:g}",
    "shift": f"a shift of {SHIFT} pixels",
    "jpeg": f"JPEG of quality {QUALITY}",
}


def _video(subject, figures):
    """Adds figures of neighbouring frames; returns a sentence about them."""
    first, second = map(list, zip(*subject.neighbours, strict=True))
    agreement = above_chance(overlap(subject.mask[first], subject.mask[second]), subject.share)
    flicker = subject.compared(subject.full[first], subject.full[second])
    value, change = float(agreement.mean()), float(np.sqrt(flicker.mean()))
    figures["agreement/video"] = {"value": value, "low": value, "high": value}
    figures["change_of_n/video"] = {"value": change, "low": change, "high": change}
    return (
        f" Neighbouring frames ({len(first)} pairs): IoU above chance {value:.3f}, while N's depth "
        f"changes by {change:.3f} {subject.unit}."
    )


def _jpeg(image):
    """(H, W, 3) in [0, 1], written as a JPEG file and read again."""
    stream = io.BytesIO()
    Image.fromarray(np.round(255 * image).astype("uint8")).save(stream, "JPEG", quality=QUALITY)
    return np.asarray(Image.open(stream), "float32") / 255
