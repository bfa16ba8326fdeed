"""Comparison of masks with controls; expected values by NumPy, on networks written out by hand."""

import csv
import json

import keras
import numpy as np
import pytest

from tfdepthviz import evaluation, masks
from tfdepthviz.evaluation import comparison, comparison_files, measurement, summary
from tfdepthviz.evaluation.bands import distance_bands
from tfdepthviz.models.target import DepthTarget
from tfdepthviz.reports import comparison_figures, comparison_report, comparison_verdict
from tfdepthviz.utils.errors import InputError

SIZE = (6, 8)
SHARES = (0.25, 0.5)


@pytest.fixture(scope="module")
def depth_net():
    """N: depth = 3 + the normalised red channel."""
    image = keras.Input((*SIZE, 3))
    return keras.Model(image, 3 + image[..., :1])


def soft(image, first=0):
    return np.clip(image[..., :1], 0, 0.5)


def green(image, first):
    return np.asarray(image)[..., 1:2]


def frames(count, seed=0):
    rng = np.random.default_rng(seed)
    image = rng.normal(size=(count, *SIZE, 3)).astype("float32")
    depth = rng.uniform(1, 4, (count, *SIZE, 1)).astype("float32")
    depth[:, 0, :3] = 0
    return {"image": image, "depth": depth}


def in_batches(data, sizes):
    start = 0
    for size in sizes:
        yield {name: value[start : start + size] for name, value in data.items()}
        start += size


def compared(depth_net, data, sizes, **options):
    return comparison.compare(
        depth_net,
        in_batches(data, sizes),
        mask_functions={"G": soft},
        scores={"green/0": green, "green/1": lambda image, first: -green(image, first)},
        shares=SHARES,
        **options,
    )


def mean_by_band(squares, distance, valid):
    """The mean over all valid pixels and over each third of them, sorted by distance."""
    order = np.argsort(distance[valid], kind="stable")
    thirds = np.array_split(squares[valid][order], 3)
    return [squares[valid].mean(), *(third.mean() for third in thirds)]


def test_figures_of_every_image(depth_net):
    data = frames(3)
    passes = []
    measured = compared(depth_net, data, [2, 1], images=[4, 9, 14], progress=passes.append)
    assert sum(passes) == 3 * (comparison.forward_passes(1, 2, SHARES) - 1)
    image, depth = data["image"], data["depth"]
    grey = soft(image)
    views = {
        ("", "image"): np.ones_like(grey),
        ("", "nothing"): np.zeros_like(grey),
        ("G", "mask"): grey,
        ("G", "binary_mask"): (grey > 0.025).astype("float32"),
    }
    for (method, view), mask in views.items():
        got = measured.squares[method, view]
        for i in range(3):
            y, full = 3 + image[i, ..., :1] * mask[i], 3 + image[i, ..., :1]
            # 48 pixels are thirds of 16, 45 valid ones thirds of 15.
            expected = mean_by_band((y - full) ** 2, full, full < np.inf)
            expected += mean_by_band((y - depth[i]) ** 2, depth[i], depth[i] > 0)
            np.testing.assert_allclose(got[i, 0], expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(measured.mask_shares["G"], (grey > 0.025).mean(axis=(1, 2, 3)))


@pytest.mark.parametrize("share", [0.0, 0.1, 0.36, 0.5, 1.0])
def test_top_shares_are_those_of_the_tables(share):
    scores = np.random.default_rng(0).integers(0, 4, (3, *SIZE, 1)).astype("float32")
    top = measurement.top_shares(scores)(share)
    np.testing.assert_array_equal(top, masks.top_share_mask(scores, share))


def test_curves_show_and_remove_the_top_share(depth_net):
    data = frames(2)
    measured = compared(depth_net, data, [2])
    red, order = data["image"][..., 0].reshape(2, -1), data["image"][..., 1].reshape(2, -1)
    for k, share in enumerate(SHARES):
        keep = int(share * 48)
        for i in range(2):
            top = np.argsort(-order[i])[:keep]
            rest = np.setdiff1d(np.arange(48), top)
            inserted = measured.squared_errors("green/0", "insert")[i, k]
            deleted = measured.squared_errors("green/0", "delete")[i, k]
            assert inserted == pytest.approx((red[i, rest] ** 2).sum() / 48, rel=1e-4)
            assert deleted == pytest.approx((red[i, top] ** 2).sum() / 48, rel=1e-4)


def test_masks_agree_with_the_tables(depth_net):
    data = frames(3)
    image = keras.Input((*SIZE, 3))
    g = keras.Model(image, keras.ops.clip(image[..., :1], 0.0, 0.5))
    table = evaluation.evaluate_masks(depth_net, g, in_batches(data, [3]), random_seeds=(0,))
    rows = {row["row"]: row for row in table.rows}
    row = summary.summarise(compared(depth_net, data, [2, 1]))["masks"]["G"]
    for mine, theirs in (("mask", "mask"), ("binary_mask", "binary_mask")):
        got = row[f"fidelity_{mine}"]["value"], row[f"rmse_{mine}"]["value"]
        assert got == pytest.approx((rows[theirs]["fidelity_rmse"], rows[theirs]["rmse"]), rel=1e-5)
    assert row["sparseness"]["value"] == pytest.approx(rows["mask"]["sparseness"])


def test_summary_by_hand(depth_net):
    data = frames(3)
    measured = compared(depth_net, data, [3])
    figures = summary.summarise(measured, resamples=200)
    f = np.sqrt(measured.squared_errors("G", "insert").mean(axis=0))
    nothing = np.sqrt(measured.squared_errors("", "nothing").mean())
    heights = [nothing, *f, 0]
    area = np.trapezoid(heights, [0, 0.25, 0.5, 1]) / nothing
    assert figures["methods"]["G"]["insertion_area"]["value"] == pytest.approx(area)
    # Draws of one method are one method, whose squared errors are their mean.
    assert set(figures["methods"]) == {"G", "green"}
    both = [measured.squared_errors(f"green/{seed}", "insert")[:, 1].mean() for seed in (0, 1)]
    at = summary.figure_at(figures, "green", 0.5)
    assert at["value"] == pytest.approx(np.sqrt(np.mean(both)), rel=1e-6)
    assert at["low"] <= at["value"] <= at["high"]
    difference = figures["against"]["G"]["green"][1]["value"]
    assert difference == pytest.approx(f[1] - at["value"], rel=1e-4)
    row = figures["masks"]["G"]
    gap = row["fidelity_binary_mask"]["value"] - row["fidelity_mask"]["value"]
    assert row["binarisation_gap"]["value"] == pytest.approx(gap)
    assert summary.figure_at(figures, "G", 0.0)["value"] == pytest.approx(nothing)
    assert summary.figure_at(figures, "G", 1.0)["value"] == 0


def test_thirds_of_the_pixels():
    distance = np.array([5.0, 1, 2, 9, 3, 3, 3, 0]).reshape(1, 2, 4, 1)
    # Sorted: 1 2 3 3 3 5 9; of 7 the borders are the 3rd (3) and the 5th (3).
    bands = distance_bands(distance, distance > 0)
    assert bands.reshape(-1).tolist() == [2, 0, 0, 2, 0, 0, 0, -1]


def test_rankings_order_the_pixels(depth_net):
    data = frames(2)
    by_green = compared(depth_net, data, [2], rankings={"G": green})
    for view in ("insert", "delete"):
        expected = by_green.squares["green/0", view]
        np.testing.assert_array_equal(by_green.squares["G", view], expected)
    # The mask itself keeps its grey levels.
    by_grey = compared(depth_net, data, [2])
    np.testing.assert_array_equal(by_green.squares["G", "mask"], by_grey.squares["G", "mask"])
    assert (by_green.squares["G", "insert"] != by_grey.squares["G", "insert"]).any()


def test_one_view(depth_net):
    passes = []
    measured = compared(depth_net, frames(2), [2], views=("insert",), progress=passes.append)
    assert sum(passes) == 2 * (comparison.forward_passes(1, 2, SHARES, ("insert",)) - 1)
    assert sum(passes) == 2 * (2 + 2 + 3 * 2)
    both = compared(depth_net, frames(2), [2])
    assert both.squares.keys() - measured.squares.keys() == {
        *(("G", "delete"), ("green/0", "delete"), ("green/1", "delete")),
    }
    for key, squares in measured.squares.items():
        np.testing.assert_array_equal(squares, both.squares[key])
    figures = summary.summarise(measured, resamples=20)
    assert {point["view"] for point in figures["curves"]} == {"insert"}
    drawn = comparison_figures.pictures(figures)
    assert "deletion" not in drawn and drawn["areas"].shape[1] < 600


def test_paired_differences_by_hand(depth_net, tmp_path):
    data = frames(6)
    figures = summary.summarise(compared(depth_net, data, [6]), resamples=300, seed=4)
    measured = compared(depth_net, data, [6])
    mask = measured.squared_errors("G", "insert")[:, 1]
    green_pixels = np.mean(
        [measured.squared_errors(f"green/{seed}", "insert")[:, 1] for seed in (0, 1)], axis=0
    )
    drawn = np.random.default_rng(4).multinomial(6, np.full(6, 1 / 6), 300)
    errors = [np.sqrt(drawn @ squares / 6) for squares in (mask, green_pixels)]
    whole = [np.sqrt(squares.mean()) for squares in (mask, green_pixels)]
    for name, operation in (("against", np.subtract), ("ratios", np.divide)):
        figure = figures[name]["G"]["green"][1]
        expected = [operation(*whole), *np.quantile(operation(*errors), [0.025, 0.975])]
        np.testing.assert_allclose(list(figure.values()), expected, rtol=1e-5)
    assert figures["best_control"] == ["green", "green"]
    comparison_files.write_summary(figures, tmp_path)
    with open(tmp_path / "differences.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(r["mask"], r["control"], r["share"], r["best_control"]) for r in rows] == [
        *(("G", "green", "0.25", "1"), ("G", "green", "0.5", "1")),
    ]
    assert float(rows[1]["difference_low"]) == pytest.approx(
        figures["against"]["G"]["green"][1]["low"], rel=1e-5
    )
    line = comparison_verdict.verdict(figures)[2]
    assert line.startswith(f"G at 50%: {whole[0]:.3f} m. Best control: green, {whole[1]:.3f} m;")


def test_lines_judge_intervals():
    judged = [
        comparison_verdict.judged({"value": 0.1, "low": low, "high": high})
        for low, high in ((-0.2, -0.1), (-0.1, 0.1), (0.1, 0.2), (-0.1, 0.0))
    ]
    assert judged == [
        *("ahead, clear of 0", "not clear of 0", "behind, clear of 0", "not clear of 0"),
    ]


def test_without_ground_truth(depth_net, tmp_path):
    data = {"image": frames(2)["image"]}
    for kind in ("metric", "inverse"):
        measured = compared(DepthTarget(depth_net, kind), data, [2])
        figures = summary.summarise(measured, resamples=20)
        assert figures["images_with_truth"] == 0 and figures["rmse"]["value"] is None
        assert figures["methods"]["G"]["sparsity_at_tolerance"]["value"] is None
        comparison_files.write_summary(figures, tmp_path)
        assert json.loads((tmp_path / "summary.json").read_text())["rmse"]["low"] is None
        path = tmp_path / f"{kind}.html"
        drawn = comparison_figures.pictures(figures)
        assert set(drawn) == {"fidelity", "deletion", "bands", "areas"}
        options = {
            "title": "t",
            "summary": figures,
            "pictures": drawn,
            "strips": [],
            "command": "c",
        }
        comparison_report.write_report(path, **options)
        assert "nan" not in path.read_text().partition("<body>")[2].partition("<img")[0]


def test_per_image_csv_gives_the_curves(depth_net, tmp_path):
    measured = compared(depth_net, frames(3), [3], images=[1, 4, 7])
    comparison_files.write_per_image(measured, tmp_path / "per_image.csv")
    comparison_files.write_summary(summary.summarise(measured, resamples=20), tmp_path)
    with open(tmp_path / "per_image.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["image"] for row in rows} == {"1", "4", "7"}
    key = ("G", "insert", "0.25")
    at_share = [row for row in rows if (row["method"], row["view"], row["share"]) == key]
    rmse = np.sqrt(np.mean([float(row["mse_far"]) for row in at_share]))
    with open(tmp_path / "curves.csv", newline="") as file:
        curve = {(r["method"], r["view"], r["share"]): r for r in csv.DictReader(file)}
    assert float(curve[key]["rmse_far"]) == pytest.approx(rmse, rel=1e-5)
    bits = [float(row["entropy"]) for row in rows if row["entropy"]]
    np.testing.assert_allclose(bits, measured.entropy["G"], rtol=1e-6)


def test_no_image_and_nan_are_errors(depth_net):
    with pytest.raises(InputError, match="no image"):
        compared(depth_net, frames(1), [])
    data = frames(3)
    data["image"][2, 0, 0, 1] = np.nan
    with pytest.raises(InputError, match="not finite: image 2"):
        compared(depth_net, data, [1, 2])


def test_verdict_names_the_shares_of_ties():
    shares = [0.02, 0.05, 0.1, 0.2, 0.36, 0.6, 0.7]
    figure = {"value": 0.5, "low": 0.4, "high": 0.6}
    row = dict.fromkeys(("sparseness", "fidelity_binary_mask", "rmse_ratio"), figure)

    def text(*differences, highs=(-1,) * 7, images=20, **more):
        against = [
            {"value": v, "low": -9, "high": h} for v, h in zip(differences, highs, strict=True)
        ]
        figures = {"shares": shares, "unit": "m", "masks": {"G": row}, "images": images}
        figures |= {"against": {"G": {"sobel": against} | more}, "best_control": []}
        return comparison_verdict.verdict(figures)[0]

    # Outside 5 % to 60 % nothing is claimed.
    beaten = (1, -2, -2, -2, -2, -2, 1)
    assert text(*beaten).endswith("beat every control at the same number of pixels from 5% to 60%.")
    few = text(*beaten, images=19)
    assert few.endswith("19 images are too few for certainty; take at least 20.")
    assert "beat" not in few
    # A mask fitted to each image is no rule for all: it is shown, and does not count.
    fitted = [{"value": 1, "low": 1, "high": 1}] * 7
    assert "beat every control but equation (3) at" in text(*beaten, optimised=fitted)
    lost = text(-2, 1, 1, -2, 1, -2, -2)
    assert "keeps 50.0%" in lost and "do not beat Sobel edges at 5% to 10%, 36%." in lost
    unsure = text(*[-2] * 7, highs=(-1, -1, -1, -1, -1, 1, 1))
    assert "do not beat Sobel edges for certain at 60%." in unsure
