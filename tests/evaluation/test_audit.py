"""Tests of an audit one by one; expected figures by NumPy, image by image."""

import dataclasses

import keras
import known_nets
import numpy as np
import pytest
from scipy import stats

from tfdepthviz.evaluation import audit
from tfdepthviz.evaluation.audit import (
    agreement,
    evaluators,
    leaks,
    readers,
    shape,
    sufficiency,
)
from tfdepthviz.evaluation.audit.grade import FURTHER, LEAKS, OTHERS
from tfdepthviz.evaluation.audit.result import Samples, figure, judged
from tfdepthviz.evaluation.audit.subject import above_chance, overlap
from tfdepthviz.models.target import DepthTarget
from tfdepthviz.reports import audit_figures
from tfdepthviz.utils.errors import InputError

EVERY = tuple(audit.TESTS)
RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def case():
    return known_nets.left_half()


def subject(of, ranking=None, count=24, **options):
    options = {"share": of.share, "resamples": 50, "batch_size": 10} | options
    return audit.Subject(of.depth_net, ranking or of.right, of.images(count, 0), **options)


def rms(values):
    return float(np.sqrt(np.mean(values)))


def test_controls_by_hand(case):
    mirrored = audit.run_test("controls", subject(case, lambda image, first: -case.right(image, 0)))
    image = case.images(24, 0)
    kept = np.where(np.arange(32)[None, None, :, None] >= 16, image, 0)
    full, seen = (np.asarray(case.depth_net(x)) for x in (image, kept))
    distance = np.sqrt(np.mean((full - seen) ** 2))
    assert mirrored.figures["distance"]["value"] == pytest.approx(distance, rel=1e-5)
    # The mirrored mask of the wrong half is the right one.
    assert mirrored.figures["distance/mirrored"]["value"] == pytest.approx(0, abs=1e-6)
    assert mirrored.figures["difference_to_strongest"]["value"] == pytest.approx(distance, rel=1e-5)
    mean_map = rms((full - full.mean(axis=0)) ** 2)
    assert mirrored.figures["distance/mean_map"]["value"] == pytest.approx(mean_map, rel=1e-5)
    assert mirrored.verdict == audit.FAILED and "swapped" not in str(mirrored.figures)
    assert "another image's mask would keep the same pixels" in mirrored.measured


def test_swap_by_hand():
    of = known_nets.brightest_spot()
    ranking = of.wrong["a column that encodes the depth"]
    result = leaks.swap(subject(of, ranking, share=0.2))
    image = of.images(24, 0)
    scores = ranking(image, 0).reshape(24, -1)
    order = np.argsort(-scores, axis=1, kind="stable")[:, : round(0.2 * 768)]
    mask = np.zeros((24, 768))
    np.put_along_axis(mask, order, 1, axis=1)
    mask = mask.reshape(24, 24, 32, 1).astype("float32")
    full = np.asarray(of.depth_net(image))[:, 0, 0, 0]
    other = np.roll(np.arange(24), 12)
    seen = np.asarray(of.depth_net(image * mask[other]))[:, 0, 0, 0]
    follows = np.abs(seen - full[other]) < np.abs(seen - full)
    assert result.per_image["follows_mask"] == follows.tolist()
    assert result.figures["follows_mask"]["value"] == follows.mean()


def test_flat_fill_by_hand(case):
    result = leaks.flat_fill(subject(case))
    image = case.images(24, 0)
    white = (1 - np.array([0.485, 0.456, 0.406])) / np.array([0.229, 0.224, 0.225])
    flat = np.zeros_like(image)
    flat[:, :, :16] = white
    full, seen = (np.asarray(case.depth_net(x.astype("float32"))) for x in (image, flat))
    expected = rms((full - seen) ** 2)
    assert result.figures["distance/white"]["value"] == pytest.approx(expected, rel=1e-5)


def test_order_has_no_meaning_for_random_scores(case):
    def scores(image, first):
        rng = np.random.default_rng(first)
        return rng.random((len(image), *known_nets.SIZE, 1))

    of = subject(case, scores)
    result = sufficiency.order(of)
    seen = {"top": of.top(of.scores, 0.36), "bottom": of.top(-of.scores, 0.36)}
    for part, mask in seen.items():
        point = result.figures[f"{part}/G/0.36"]["value"]
        assert point == pytest.approx(np.sqrt(of.distances(mask).mean()))
    assert audit_figures.figure_of("order", result, "m").ndim == 3
    assert abs(result.figures["apart/G"]["value"]) < 0.1
    assert result.figures["apart/random"]["value"] == pytest.approx(0, abs=0.1)


def test_kendalls_tau_by_hand(case):
    result = audit.run_test("operators", subject(case, lambda image, first: image[..., :1]))
    rows = {name: list(map(float, values)) for name, *values in result.table[1:-1]}
    kinds = result.table[0][1:]
    columns = np.array(list(rows.values())).T
    place = {kind: number for number, kind in enumerate(kinds)}
    for key, number in result.figures.items():
        if key.startswith("tau/"):
            _, one, other = key.split("/")
            expected = stats.kendalltau(columns[place[one]], columns[place[other]]).statistic
            assert number["value"] == pytest.approx(expected, abs=0.15)  # the table is rounded


def test_reader_finds_a_linear_code():
    depth = RNG.normal(size=(60, 80))
    mask = (np.abs(depth[:, :8]) < 1).repeat(96, axis=1).reshape(60, 24, 32, 1)
    cells = depth[:, :8] ** 2 @ RNG.normal(size=(8, 80))
    coded = readers.predicted(readers.shape_features(mask.astype("float32")), cells)
    noise = readers.predicted(readers.shape_features(RNG.random((60, 24, 32, 1)) < 0.5), cells)
    explained = [1 - p.errors.sum() / p.totals.sum() for p in (coded, noise)]
    assert explained[0] > 0.4 and abs(explained[1]) < 0.2
    assert coded.nats.mean() < noise.nats.mean()


def test_reader_never_sees_what_it_predicts():
    cells = RNG.normal(size=(40, 80))
    features = [RNG.normal(size=(40, 500)).astype("float32")]
    tested = np.arange(40) >= 30
    before = readers.predicted(features, cells, tested)
    changed = cells.copy()
    changed[30:] += 7
    after = readers.predicted(features, changed, tested)
    # With errors (c - p)^2 and (c + 7 - p)^2, the prediction p is the same both times.
    residual = (after.errors - before.errors - 49) / 14
    np.testing.assert_allclose(residual**2, before.errors, atol=1e-9)
    mean = cells[:30].mean(axis=0)
    np.testing.assert_allclose(after.totals, (changed[30:] - mean) ** 2)


def test_cells_without_a_unit_are_standardised():
    depth = RNG.normal(size=(3, 12, 16, 1)) * 5 + 2
    target = DepthTarget(None, "inverse")
    scaled = [readers.depth_cells(target, x) for x in (depth, 3 * depth + 1)]
    np.testing.assert_allclose(*scaled, atol=1e-5)


def test_pixels_that_n_does_not_use(case):
    of = subject(case)
    mask = np.ones_like(of.mask)
    needless = shape.unused(of, of.images, mask)
    # N reads the left half; the pixels next to it count as used, too.
    assert needless[:, :, :17].sum() == 0 and needless[:, :, 17:].all()
    assert shape.unused(of, of.images, of.mask).sum() == 0


def test_stability_of_a_mask_of_places(case):
    result = audit.run_test("stability", subject(case, neighbours=[(0, 1), (1, 2)]))
    for name in ("noise", "shift", "jpeg", "video"):
        assert result.figures[f"agreement/{name}"]["value"] == pytest.approx(1)
    assert result.verdict == audit.PASSED and "(2 pairs)" in result.measured
    full = np.asarray(case.depth_net(case.images(24, 0)))
    flicker = rms([(full[0] - full[1]) ** 2, (full[1] - full[2]) ** 2])
    assert result.figures["change_of_n/video"]["value"] == pytest.approx(flicker, rel=1e-5)


def test_stability_fails_for_chance(case):
    drawn = np.random.default_rng(0)

    def chance(image, first):
        return drawn.random((len(image), *known_nets.SIZE, 1))

    result = audit.run_test("stability", subject(case, chance))
    assert result.verdict == audit.FAILED


def test_seeds_and_sanity(case):
    same, other = case.right, lambda image, first: -case.right(image, 0)
    of = subject(case)
    assert agreement.seeds(of, [same]).verdict == audit.PASSED
    assert agreement.seeds(of, [other]).verdict == audit.FAILED
    assert agreement.sanity(of, [same]).verdict == audit.FAILED
    assert agreement.sanity(of, [other]).verdict == audit.PASSED
    assert agreement.seeds(of, [other]).figures["rho"]["value"] == pytest.approx(-1)


def test_evaluator_by_hand(case):
    """N_e that fills holes: what N lacks, it does not, so G leads under N alone."""
    image = keras.Input((*known_nets.SIZE, 3))
    knowing = keras.Model(image, 3 + 0 * case.depth_net(image))
    result = evaluators.evaluator(subject(case), knowing)
    full = np.asarray(case.depth_net(case.images(24, 0)))
    assert result.figures["own/N_e(I)"]["value"] == pytest.approx(rms((full - 3) ** 2), rel=1e-5)
    assert result.verdict == audit.FAILED and result.figures["difference/N/pixels"]["high"] < 0
    with pytest.raises(InputError, match="evaluator must give maps of N's size"):
        evaluators.evaluator(subject(case), keras.Model(image, image))


def test_too_few_images_give_no_verdict(case):
    result = audit.run_test("controls", subject(case, count=19))
    assert result.verdict == audit.UNCLEAR
    assert result.says == "19 images are too few for certainty; take at least 20"
    assert "more than" not in result.measured


def test_paired_interval():
    values = RNG.random(30)
    samples = Samples(30, 200, 1)
    counts = np.random.default_rng(1).multinomial(30, np.full(30, 1 / 30), 200)
    roots = np.sqrt(counts @ values / 30)
    number = figure(samples.rms(values))
    assert number["value"] == pytest.approx(np.sqrt(values.mean()))
    assert number["low"] == pytest.approx(np.quantile(roots, 0.025))
    # The same images twice differ by nothing in every sample.
    assert figure(samples.rms(values) - samples.rms(values)) == {"value": 0, "low": 0, "high": 0}


def test_judged():
    def verdict(low, high):
        return judged({"value": (low + high) / 2, "low": low, "high": high})

    assert verdict(-2, -1) == audit.PASSED and verdict(-1, 1) == audit.UNCLEAR
    assert verdict(0, 0) == verdict(1, 2) == audit.FAILED


def test_overlap_above_chance():
    one, other = (RNG.random((200, 24, 32, 1)) < 0.36 for _ in range(2))
    assert above_chance(overlap(one, one), 0.36).mean() == pytest.approx(1)
    assert above_chance(overlap(one, other), 0.36).mean() == pytest.approx(0, abs=0.01)


def test_grades():
    def grade(verdicts, images=20):
        return audit.grade(verdicts, images)

    passed = dict.fromkeys(EVERY, audit.PASSED)
    assert grade(passed) == "A"
    assert grade({k: v for k, v in passed.items() if k not in FURTHER}) == "B"
    assert grade(passed | {"order": audit.FAILED}) == "B"
    assert grade(passed | {"order": audit.FAILED, "operators": audit.FAILED}) == "C"
    assert grade(passed | {"controls": audit.UNCLEAR}) == "C"
    assert grade(passed, 19) == audit.NOT_AUDITED
    for name in ("controls", *LEAKS):
        assert grade(passed | {name: audit.FAILED}) == "D"
    for name in set(EVERY) - {*FURTHER}:
        missing = {k: v for k, v in passed.items() if k != name}
        assert grade(missing) == audit.NOT_AUDITED
    assert {"controls", *LEAKS, *OTHERS} == set(EVERY)


def test_results_are_json(case):
    result = audit.run_test("swap", subject(case))
    assert audit.Result(**dataclasses.asdict(result)) == result


def test_nan_is_an_error(case):
    with pytest.raises(InputError, match="scores of a mask or control are not finite"):
        subject(case, lambda image, first: np.nan * case.right(image, 0)).mask  # noqa: B018
    broken = keras.Input((*known_nets.SIZE, 3))
    net = keras.Model(broken, keras.ops.log(-1 - 0 * case.depth_net(broken)))
    with pytest.raises(InputError, match="not finite on an image of the audit"):
        audit.Subject(net, case.right, case.images(3, 0)).full  # noqa: B018
    with pytest.raises(InputError, match="holds no image"):
        audit.Subject(case.depth_net, case.right, np.zeros((0, 24, 32, 3)))
