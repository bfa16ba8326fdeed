"""Survey of frames; expected values by hand and by NumPy."""

import dataclasses
import io

import numpy as np
import pytest
from PIL import Image

from tfdepthviz.data import survey


def blotches(seed, size=(192, 256)):
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 1)) * [1.0, 0.8, 0.6]
    return np.asarray(Image.fromarray(coarse.astype("uint8")).resize(size[::-1]))


def frame(**figures):
    usual = survey.Frame("train", "a.jpg", 64, 48, 0.4, 0.2, 0.9, 1.0, 2.0, 4.0)
    return dataclasses.replace(usual, **figures)


def small_copy(image):
    return survey.figures_of({"image": image, "depth": np.zeros((1, 1, 1))}, "train", "")[1]


def test_figures():
    image = np.zeros((32, 48, 3), np.uint8)
    image[:16] = 255
    depth = np.arange(101.0).reshape(101, 1, 1)  # 0 is missing, and so is NaN
    depth[50] = np.nan
    figures, small = survey.figures_of({"image": image, "depth": depth}, "train", "a.jpg")
    assert (figures.split, figures.name, figures.width, figures.height) == (
        "train",
        "a.jpg",
        48,
        32,
    )
    assert (figures.brightness, figures.contrast, figures.aspect) == (0.5, 0.5, 1.5)
    known = np.delete(np.arange(1, 101), 49)
    assert figures.valid == 99 / 101
    expected = np.percentile(known, [1, 50, 99])
    assert [figures.low, figures.median, figures.high] == pytest.approx(expected)
    assert small.shape == (16, 16, 3) and (small[:8] == 255).all() and not small[8:].any()


def test_frame_without_depth():
    example = {"image": blotches(0), "depth": np.zeros((4, 4, 1))}
    figures, _ = survey.figures_of(example, "train", "a.jpg")
    assert (figures.valid, figures.low, figures.median, figures.high) == (0, None, None, None)


def test_copies_in_other_files():
    images = [blotches(seed) for seed in range(5)]
    buffer = io.BytesIO()
    Image.fromarray(images[3]).resize((64, 48)).save(buffer, "JPEG", quality=60)
    stored = [np.asarray(Image.open(buffer)), blotches(9), np.full((48, 64, 3), 7, np.uint8)]
    small, others = ([small_copy(image) for image in part] for part in (stored, images))
    places, similar = survey.nearest(small, others)
    assert places[0] == 3 and similar[0] >= survey.SAME > similar[1] and similar[2] == 0
    by_numpy = [np.corrcoef(small[1].ravel(), other.ravel())[0, 1] for other in others]
    assert similar[1] == pytest.approx(max(by_numpy), abs=1e-5)
    assert places[1] == np.argmax(by_numpy)


@pytest.mark.parametrize(
    ("figures", "text"),
    [
        ({"median": 40.0}, "median depth 40 m (usual: 2 m)"),
        ({"valid": 0.02}, "valid depth 2.0% (usual: 90.0%)"),
        ({"brightness": 0.01}, "brightness 0.01 (usual: 0.4)"),
        ({"width": 48, "height": 64}, "width / height 0.75 (usual: 1.33)"),
    ],
)
def test_unusual_frame(figures, text):
    frames = [frame(median=2.0 + 0.1 * (place % 3 - 1)) for place in range(20)]
    frames[7] = frame(**figures)
    assert survey.unusual(frames) == [[text] if place == 7 else [] for place in range(20)]


def test_two_sorts_are_usual():
    # A fifth of the frames shows another room.
    frames = [frame(median=1.0 if place % 5 else 5.0) for place in range(50)]
    assert not any(survey.unusual(frames))


def test_most_unusual_first():
    frames = [*(frame() for _ in range(20)), frame(brightness=0.3, median=None, contrast=0.9)]
    texts = survey.unusual(frames)[-1]
    assert [text.split()[0] for text in texts] == ["contrast", "brightness"]
