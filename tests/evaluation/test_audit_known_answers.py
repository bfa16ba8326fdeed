"""The audit on networks whose needed pixels are known: right masks pass, planted leaks do not."""

import functools

import known_nets
import numpy as np
import pytest

from tfdepthviz.evaluation import audit

CASES = {
    case.__name__: case
    for case in (
        known_nets.left_half,
        known_nets.points,
        known_nets.brightest_spot,
        known_nets.place_of_disc,
        known_nets.colour_blind,
        known_nets.reader_of_holes,
        known_nets.constant,
    )
}
RIGHT = ("left_half", "points", "brightest_spot", "place_of_disc", "colour_blind")
WRONG = [
    ("left_half", "level sets of the depth"),
    ("left_half", "a plot of the depth in the right half"),
    ("left_half", "the right half"),
    ("points", "level sets of the depth"),
    ("points", "neighbours of the points"),
    ("brightest_spot", "a column that encodes the depth"),
    ("place_of_disc", "a column that encodes the depth"),
    ("colour_blind", "the reddest pixels"),
    ("reader_of_holes", "dithered depth"),
    ("constant", "grey levels"),
]


@functools.cache
def case(name):
    return CASES[name]()


def audited(of, ranking):
    """Verdicts of all tests that need no further network, and what they say."""
    images = of.images(40, 0)
    subject = audit.Subject(
        of.depth_net,
        ranking,
        images,
        share=of.share,
        training_images=of.images(80, 1),
        resamples=200,
        batch_size=40,
    )
    results = {name: audit.run_test(name, subject) for name in audit.CHEAP}
    print({name: result.verdict for name, result in results.items()})
    said = {name: (r.verdict, r.says, r.measured) for name, r in results.items()}
    return {name: result.verdict for name, result in results.items()}, said


@pytest.mark.parametrize("name", RIGHT)
def test_right_mask_is_graded_high(name):
    of = case(name)
    verdicts, said = audited(of, of.right)
    assert audit.grade(verdicts, 40) in ("A", "B"), said


@pytest.mark.parametrize("name, leak", WRONG)
def test_planted_leak_is_graded_low(name, leak):
    of = case(name)
    verdicts, said = audited(of, of.wrong[leak])
    assert audit.grade(verdicts, 40) == "D", said


def test_every_wrong_mask_is_tried():
    every = [(name, leak) for name in CASES for leak in case(name).wrong]
    assert every == WRONG


def test_n_is_what_the_cases_say():
    """The needed pixels alone give N(I), and colours do not matter to the N without them."""
    for name in RIGHT:
        of = case(name)
        image = of.images(4, 2)
        scores = of.right(image, 0)
        flat = np.sort(scores.reshape(4, -1))[:, -round(of.share * 768)]
        kept = image * (scores >= flat[:, None, None, None])
        full, shown = (np.asarray(of.depth_net(x)) for x in (image, kept))
        np.testing.assert_allclose(shown, full, atol=1e-4)
    grey = np.repeat(image.mean(-1, keepdims=True), 3, axis=-1)
    np.testing.assert_allclose(of.depth_net(grey), full, atol=1e-5)
