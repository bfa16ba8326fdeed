"""The geometry of benchmarks/aspect_ratio.py: all rules are compared on the same pixels."""

import pathlib

import numpy as np
import pytest
import scripts
import tensorflow as tf

pytestmark = pytest.mark.slow

BENCHMARKS = pathlib.Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def aspect_ratio():
    with scripts.undone(BENCHMARKS):
        import aspect_ratio

        yield aspect_ratio


@pytest.mark.parametrize("size", [(90, 160), (160, 90), (120, 160), (60, 240)])
def test_compared_pixels(aspect_ratio, size):
    rows, columns = np.mgrid[: size[0], : size[1]]
    window = np.stack([rows, columns, rows + columns], -1).astype("float32")
    parts = []
    for rule in aspect_ratio.RULES:
        shown, place = aspect_ratio.shown_by(rule, window, 4 / 3)
        where = aspect_ratio.compared_part(rule, window, place, 4 / 3)
        if rule != "stretch":
            assert shown.shape[1] / shown.shape[0] == pytest.approx(4 / 3, abs=0.02)
        # At N's size first, as N sees it.
        seen = tf.image.resize(shown[None], (120, 160))
        parts.append(aspect_ratio.part(seen, where, (40, 50)).numpy()[0])
    # Within a pixel or two of the photograph, away from the borders, where resizing mixes.
    for other in parts[1:]:
        np.testing.assert_allclose(other[3:-3, 3:-3], parts[0][3:-3, 3:-3], atol=2.5)


def test_share_that_is_shown(aspect_ratio):
    assert aspect_ratio.covered("crop", 16 / 9, 4 / 3) == pytest.approx(0.75)
    assert aspect_ratio.covered("crop", 9 / 16, 4 / 3) == pytest.approx(27 / 64)
    assert aspect_ratio.covered("letterbox", 16 / 9, 4 / 3) == 1
    assert aspect_ratio.box_of(480, 640, 16 / 9) == (60, 0, 360, 640)
