"""Results in a shell and in a notebook: one line, tables, and pictures that Pillow reads."""

import base64
import dataclasses
import io
import re

import numpy as np
import pytest
from PIL import Image

from tfdepthviz.evaluation.comparison import Comparison
from tfdepthviz.evaluation.sweep import Sweep
from tfdepthviz.serving.answers import Cut, Explanation, RegionAnswer
from tfdepthviz.training.region_explanation import RegionExplanation
from tfdepthviz.training.search import SearchResult
from tfdepthviz.utils.shown import Shown

DEPTH = np.array([[1.0, 2.0, 3.0], [2.0, np.nan, 5.0]], "float32")


@dataclasses.dataclass(frozen=True, repr=False)
class Result(Shown):
    depth: np.ndarray
    kept_depth: dict
    mask: np.ndarray
    rows: tuple
    share: float
    unit: str

    maps = ("depth", "kept_depth", "mask")


@pytest.fixture
def result():
    rows = ({"row": "<a>", "rmse": 0.12345}, {"row": "b", "rmse": None})
    kept = {"searched": np.stack([DEPTH + 4, DEPTH]), "random": np.stack([DEPTH, DEPTH])}
    return Result(DEPTH, kept, np.eye(2, 3, dtype="float32"), rows, 0.05, "m")


def pictures(text):
    """Caption -> (h, w) uint8 of the pictures of a piece of HTML."""
    found = re.findall(r'src="data:image/png;base64,([^"]+)" alt="([^"]+)"', text)
    return {alt: np.asarray(Image.open(io.BytesIO(base64.b64decode(data)))) for data, alt in found}


def test_one_line(result):
    assert repr(result) == (
        "Result(depth=<(2, 3) float32>, kept_depth=<dict of searched, random>, "
        "mask=<(2, 3) float32>, rows=<2 rows>, share=0.05, unit='m')"
    )


def test_depth_maps_share_a_scale(result):
    shown = pictures(result._repr_html_())
    scale = "black 1, white 9"
    assert list(shown) == [
        f"depth, {scale}",
        f"kept_depth[&#x27;searched&#x27;][0], {scale}",
        f"kept_depth[&#x27;searched&#x27;][1], {scale}",
        "mask, black 0, white 1",
    ]
    depth, _, same, mask = shown.values()
    assert depth.tolist() == same.tolist() == [[0, 32, 64], [32, 0, 128]]
    assert mask.tolist() == [[255, 0, 0], [0, 255, 0]]


def test_tables(result):
    text = result._repr_html_()
    assert "<td>&lt;a&gt;</td><td>0.123</td>" in text and "<td>b</td><td></td>" in text
    assert "<th>share</th><th>unit</th></tr><tr><td>0.05</td><td>m</td>" in text


def test_nothing_known(result):
    blank = dataclasses.replace(result, depth=0 * DEPTH * np.nan, kept_depth={"a": DEPTH * np.nan})
    assert not pictures(blank._repr_html_())["depth, black 0, white 0"].any()


def test_comparison_has_its_curve():
    squares = {("G", "insert"): np.zeros((2, 3, 8)), ("", "image"): np.zeros((2, 1, 8))}
    squares["G", "insert"][..., :] = np.array([1.0, 4.0, 9.0])[:, np.newaxis]
    result = Comparison((0.1, 0.2, 0.36), squares, {}, {}, np.arange(2), 0.025, "metric")
    assert "<td>G</td><td>1</td><td>2</td><td>3</td>" in result._repr_html_()


@pytest.mark.parametrize(
    "kind", [Comparison, Cut, Explanation, RegionAnswer, RegionExplanation, SearchResult, Sweep]
)
def test_results_that_hold_arrays_are_shown(kind):
    assert kind.__repr__ is Shown.__repr__
    assert set(kind.maps) <= {field.name for field in dataclasses.fields(kind)}
