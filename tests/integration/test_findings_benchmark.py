"""benchmarks/findings.py on small cases: pixels by hand, and N whose needed pixels are known."""

import pathlib

import keras
import numpy as np
import pytest
import scripts

from tfdepthviz.evaluation.audit import Subject

pytestmark = pytest.mark.slow

BENCHMARKS = pathlib.Path(__file__).resolve().parents[2] / "benchmarks"
SIZE = (24, 32)


@pytest.fixture
def works():
    with scripts.undone(BENCHMARKS):
        from findings_works import drawing, pixels, tests

        yield {"pixels": pixels, "tests": tests, "drawing": drawing}


def test_ranks_and_distances(works):
    pixels = works["pixels"]
    scores = np.array([[3.0, 1.0], [0.0, 2.0]]).reshape(1, 2, 2, 1)
    np.testing.assert_allclose(pixels.ranks(scores)[0], [[1, 1 / 3], [0, 2 / 3]])
    depth = np.linspace(1, 5, 200).reshape(1, 10, 20, 1)
    tenths = pixels.distances(depth, (20, 40))
    assert tenths.shape == (1, 20, 40) and np.bincount(tenths.ravel()).tolist() == [80] * 10
    assert tenths[0, 0, 0] == 0 and tenths[0, -1, -1] == 9


def test_segments_and_their_sizes(works):
    pixels = works["pixels"]
    image = np.zeros((40, 50, 3))
    image[:, 25:] = 1
    image[10:25, 30:45] = 0
    labels = pixels.segments(image)
    left, small, around = labels[5, 5], labels[17, 37], labels[37, 47]
    assert 0 not in (left, small, around) and len({left, small, around}) == 3
    bins = pixels.sizes(labels)
    ends = np.array(pixels.SIZES)
    for place in ((5, 5), (17, 37)):
        share = (labels == labels[place]).mean()
        assert ends[bins[place]] < share <= ends[bins[place] + 1]
    assert (bins[labels == 0] == -1).all()


def test_rings(works):
    pixels = works["pixels"]
    rings = pixels.rings((100, 100), (0.5, 0.5))
    assert rings[50, 50] == 0 and rings[0, 0] == len(pixels.RINGS)
    row, column = 50, 59  # 9.5 pixels right of the point, half a pixel below
    assert pixels.RINGS[rings[row, column] - 1] < 0.0951 <= pixels.RINGS[rings[row, column]]


@pytest.fixture
def subject(works):
    """N reads the red channel of the upper half; G knows, and edges do not."""
    image = keras.Input((*SIZE, 3))
    upper = np.zeros((1, *SIZE, 1), "float32")
    upper[:, : SIZE[0] // 2] = 1
    depth_net = keras.Model(image, 3 + 2 * image[..., :1] * upper)
    images = np.random.default_rng(0).normal(size=(24, *SIZE, 3)).astype("float32")

    def ranking(image, first=0):
        rows = -np.arange(SIZE[0], dtype="float32")[None, :, None, None]
        return np.broadcast_to(rows, (len(image), *SIZE, 1))

    def untrained(image, first=0):
        return -ranking(image)

    return Subject(depth_net, ranking, images, untrained=untrained, resamples=50)


def test_verdicts_follow_the_needed_pixels(works, subject):
    tests = works["tests"]
    scores = tests.rankings(subject)
    figures, verdict, _ = tests.edges_by_use(subject, scores)
    assert verdict == tests.HOLDS
    assert figures["distance/by G"]["value"] < figures["distance/by G before training"]["value"]
    # By hand: the uppermost tenth of the pixels that are strong edges.
    edges = subject.top(scores["Sobel edges"], tests.EDGES)[..., 0] > 0
    order = np.where(edges, subject.scores[..., 0], -1e3).reshape(24, -1)
    kept = np.zeros_like(order)
    first = np.argsort(-order, axis=1, kind="stable")[:, : round(tests.CHOSEN * order.shape[1])]
    np.put_along_axis(kept, first, 1, axis=1)
    red = subject.images[..., 0].copy()
    red[:, SIZE[0] // 2 :] = 0
    missing = 2 * red * (1 - kept.reshape(red.shape))
    expected = np.sqrt(np.mean(missing**2))
    assert figures["distance/by G"]["value"] == pytest.approx(expected, rel=1e-5)
    subject.scores = scores["G"] = -scores["G"]  # the half that N does not read
    assert tests.edges_by_use(subject, scores)[1] == tests.FAILS


def test_vanishing_point_of_a_mask_around_it(works, subject):
    tests, point = works["tests"], (0.1, 0.5)
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    near = -np.hypot(rows - point[0] * SIZE[0], columns - point[1] * SIZE[1])
    scores = tests.rankings(subject) | {"G": np.repeat(near[None, ..., None], 24, axis=0)}
    figures, verdict, _ = tests.vanishing_point(subject, scores, point)
    assert verdict == tests.HOLDS and figures["G/0.08"]["value"] == 1
    assert tests.vanishing_point(subject, scores | {"G": -scores["G"]}, point)[1] == tests.FAILS


def test_few_images_have_no_verdict(works, subject):
    subject.images = subject.images[:5]
    assert "5 images are too few" in works["tests"]._verdict(subject, [], 1)


def test_pictures(works, subject):
    tests, drawing = works["tests"], works["drawing"]
    scores = tests.rankings(subject)
    figures, verdict, _ = tests.by_distance(subject, scores)
    assert verdict is None
    ticks = range(1, works["pixels"].DISTANCES + 1)
    line = drawing.lines(figures, {"G minus edges": "G"}, ticks, "x", "y")
    frames = drawing.frames(subject, scores, [0, 5], (0.5, 0.5))
    for picture in (line, frames, drawing.mean_masks(subject, scores, (0.5, 0.5))):
        assert picture.dtype == np.uint8 and picture.shape[2] == 3
