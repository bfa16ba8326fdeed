"""explain_region on networks whose needs are known: the pixels that it names are the needed ones.

Every figure is computed again in NumPy from what the network is made of.
"""

import dataclasses

import numpy as np
import pytest
from place_nets import HEIGHT, REACH, SIZE, WIDTH, frame, ground_net, local_net, mirror_net

from tfdepthviz.models.target import DepthTarget
from tfdepthviz.training import Search, explain_region, explain_regions, regions
from tfdepthviz.training.region_explanation import CONTROLS, SEARCHED, nearest_edges
from tfdepthviz.training.region_search import region_search
from tfdepthviz.utils.errors import InputError

SEARCH = Search(steps=40, learning_rate=0.3, patience=20, restarts=2, logit_stride=1)


def share_of(need):
    return float(need.sum() / need.size)


PLACES = [
    regions.box(SIZE, 3, 5, 9, 11),
    regions.point(SIZE, 24, 8, 3),
    regions.box(SIZE, 20, 14, 28, 20),
]
SHARES = (share_of(PLACES[0]), 0.12)


@pytest.fixture(scope="module")
def mirrored():
    """Answers of the mirror network about PLACES, and the steps that were reported."""
    steps = []
    image = frame()[np.newaxis]
    answers = explain_regions(mirror_net(), image, PLACES, SHARES, search=SEARCH, step=steps.append)
    return answers, steps


def test_mirror_place_is_what_a_mirror_network_needs(mirrored):
    (explanation, *others), _ = mirrored
    need = PLACES[0][:, ::-1]
    np.testing.assert_array_equal(explanation.masks[SEARCHED][0], need)
    row = explanation.row()
    assert row["outside"] == 1 and row["kept_rmse"] == 0 and row["iou"] > 0.9
    assert row["deleted_rmse"] == pytest.approx(explanation.blank_rmse)
    # As many pixels of the place itself tell such a network nothing.
    assert explanation.row("nearest")["kept_rmse"] == pytest.approx(explanation.blank_rmse)
    for place, other in zip(PLACES[1:], others, strict=True):
        assert other.masks[SEARCHED][1][place[:, ::-1] > 0].mean() > 0.95


def test_small_masks_lie_within_large_ones(mirrored):
    for explanation in mirrored[0]:
        small, large = explanation.masks[SEARCHED]
        assert (small <= large).all()


def test_early_stop(mirrored):
    answers, steps = mirrored
    assert min(answers[0].steps) < SEARCH.steps
    assert sum(steps) == len(PLACES) * SEARCH.restarts * SEARCH.steps


def test_figures_by_a_second_route(mirrored):
    explanation, place = mirrored[0][1], PLACES[1]
    image, weights = frame(), place / place.sum()

    def depth(shown):
        return 3 + shown[:, ::-1, 0]

    def rmse(shown):
        return np.sqrt((weights * (depth(shown) - depth(image)) ** 2).sum())

    for name in (SEARCHED, *CONTROLS):
        for mask, share in zip(explanation.masks[name], SHARES, strict=True):
            row = explanation.row(name, share)
            assert mask.sum() == row["pixels"] == round(share * mask.size)
            for what, kept in (("kept", mask), ("deleted", 1 - mask)):
                shown = image * kept[..., np.newaxis]
                assert row[f"{what}_rmse"] == pytest.approx(rmse(shown), abs=1e-5)
                mean = (weights * depth(shown)).sum()
                assert row[f"{what}_depth"] == pytest.approx(mean, abs=1e-5)
            assert row["outside"] == pytest.approx((mask * (1 - place)).sum() / mask.sum())
    assert explanation.blank_rmse == pytest.approx(rmse(image * 0), abs=1e-5)


def test_controls_are_farther(mirrored):
    for explanation in mirrored[0]:
        for share in SHARES:
            searched = explanation.row(SEARCHED, share)["kept_rmse"]
            assert all(explanation.row(name, share)["kept_rmse"] > searched for name in CONTROLS)


def test_ground_line_is_what_a_ground_network_needs():
    place = regions.box(SIZE, 10, 4, 18, 7)
    need = regions.box(SIZE, 10, HEIGHT - 2, 18, HEIGHT)
    search = dataclasses.replace(SEARCH, restarts=1)
    explanation = explain_region(ground_net(), frame(1), place, [share_of(need)], search=search)
    np.testing.assert_array_equal(explanation.masks[SEARCHED][0], need)
    assert explanation.row()["outside"] == 1 and explanation.row()["iou"] is None


def test_hard_receptive_field():
    place = regions.box(SIZE, 12, 8, 16, 12)
    field = regions.box(SIZE, 12 - REACH, 8 - REACH, 16 + REACH, 12 + REACH)
    search = dataclasses.replace(SEARCH, restarts=1)
    share = share_of(field) / 2
    explanation = explain_region(local_net(), frame(2), place, [share], search=search)
    assert (explanation.masks[SEARCHED][0] <= field).all()


def test_smooth_mask_holds_the_need():
    need = PLACES[0][:, ::-1] > 0
    search = dataclasses.replace(SEARCH, restarts=1, logit_stride=4)
    share = 2.5 * share_of(need)
    explanation = explain_region(mirror_net(), frame(), PLACES[0], [share], search=search)
    assert explanation.masks[SEARCHED][0][need].all()


def test_usual_settings():
    assert region_search((228, 304)).logit_stride == 8
    assert region_search((24, 32), steps=3) == Search(3, 0.3, 20, 2, 1)
    place = regions.box(SIZE, 4, 6, 10, 12)
    explanation = explain_region(mirror_net(), frame(7), place, (0.06,))
    assert explanation.masks[SEARCHED][0][place[:, ::-1] > 0].mean() > 0.95


def test_network_without_a_unit():
    image = np.random.default_rng(6).normal(size=(*SIZE, 3)).astype("float32")
    search = dataclasses.replace(SEARCH, restarts=1)
    target = DepthTarget(mirror_net(), "relative")
    explanation = explain_region(target, image, PLACES[0], (0.3,), search=search)
    assert explanation.unit == "σ"
    assert explanation.depth.mean() == pytest.approx(0, abs=1e-5)
    assert explanation.row()["kept_rmse"] < 0.5 * explanation.row("random")["kept_rmse"]


def test_nearest_edges():
    # One vertical edge: the image is bright on the right.
    image = np.zeros((*SIZE, 3), "float32")
    image[:, 16:] = 1
    place = regions.box(SIZE, 14, 0, 18, 4)
    mask = nearest_edges(image, place, HEIGHT / (HEIGHT * WIDTH))
    # Both columns at the edge are equally strong; of these the 24 pixels nearest to the place.
    assert np.argwhere(mask).tolist() == [[r, c] for r in range(12) for c in (15, 16)]


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"keep": ()}, "keep must be shares above 0 and below 1"),
        ({"keep": (0.1, 1.0)}, "keep must be shares above 0 and below 1"),
        ({"image": np.zeros((8, 8, 3))}, "images must be (B, 24, 32, 3)"),
        ({"image": np.zeros((1, *SIZE, 3))}, "image must be (H, W, 3)"),
        ({"region": np.zeros(SIZE)}, "a weight above 0"),
    ],
)
def test_impossible_questions(arguments, words):
    question = {"image": frame(), "region": regions.point(SIZE, 3, 3, 1), "keep": (0.1,)}
    with pytest.raises(InputError) as error:
        explain_region(mirror_net(), **{**question, **arguments})
    assert words in str(error.value)


def test_number_of_regions():
    places = [regions.point(SIZE, 3, 3, 1)] * 3
    with pytest.raises(InputError, match="a region for each of 2 images. Received: 3"):
        explain_regions(mirror_net(), np.stack([frame(), frame(1)]), places)
