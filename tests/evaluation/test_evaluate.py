"""Tables of an evaluation; expected values by NumPy, on networks written out by hand."""

import csv
import json

import keras
import numpy as np
import pytest

from tfdepthviz import evaluation
from tfdepthviz.data import transforms
from tfdepthviz.evaluation import paired
from tfdepthviz.models.target import DepthTarget
from tfdepthviz.utils.errors import InputError

SIZE = (8, 12)


@pytest.fixture(scope="module")
def depth_net():
    """N: depth = 2 + mean over each 2x2 window of the normalised red channel, at half size."""
    image = keras.Input((*SIZE, 3))
    conv = keras.layers.Conv2D(1, 2, strides=2, name="depth")
    model = keras.Model(image, conv(image))
    kernel = np.zeros((2, 2, 3, 1))
    kernel[:, :, 0] = 0.25
    conv.set_weights([kernel, np.array([2.0])])
    return model


@pytest.fixture(scope="module")
def mask_net():
    """G: grey level = clip(red, 0, 0.5) of the normalised image."""
    image = keras.Input((*SIZE, 3))
    return keras.Model(image, keras.ops.clip(image[..., :1], 0.0, 0.5))


def blue_net():
    """G before training: the blue channel ranks the pixels."""
    image = keras.Input((*SIZE, 3))
    sigmoid = keras.layers.Activation("sigmoid")
    return keras.Model(image, sigmoid(100 * image[..., 2:]))


def numpy_depth(image):
    b, h, w, _ = image.shape
    return 2 + image[..., 0].reshape(b, h // 2, 2, w // 2, 2).mean(axis=(2, 4))[..., None]


def frames(count, with_truth=True, seed=0):
    rng = np.random.default_rng(seed)
    image = rng.normal(size=(count, *SIZE, 3)).astype("float32")
    depth = rng.uniform(1, 4, (count, SIZE[0] // 2, SIZE[1] // 2, 1)).astype("float32")
    depth[:, 0, 0] = 0
    return {"image": image, "depth": depth if with_truth else np.zeros_like(depth)}


def in_batches(frames, sizes):
    start = 0
    for size in sizes:
        yield {name: value[start : start + size] for name, value in frames.items()}
        start += size


def rms_over_images(squares):
    return np.sqrt(np.mean([np.mean(s) for s in squares]))


def by_name(result):
    return {row["row"]: row for row in result.rows}


def test_image_and_mask_rows(depth_net, mask_net):
    data = frames(5)
    image, depth = data["image"], data["depth"]
    result = evaluation.evaluate_masks(depth_net, mask_net, in_batches(data, [2, 2, 1]))
    # The last two rows need what is given only in their tests.
    assert [row["row"] for row in result.rows] == list(evaluation.ROWS[:-2])
    assert (result.images, result.images_with_truth, result.threshold) == (5, 5, 0.025)
    soft = np.clip(image[..., :1], 0, 0.5)
    hard = (soft > 0.025).astype("float32")
    full = numpy_depth(image)
    for row, shown in (("image", image), ("mask", image * soft), ("binary_mask", image * hard)):
        y = numpy_depth(shown)
        error = [(y[i] - depth[i])[depth[i] > 0] for i in range(5)]
        truth = [depth[i][depth[i] > 0] for i in range(5)]
        got = by_name(result)[row]
        expected = {
            "rmse": rms_over_images([e**2 for e in error]),
            "mae": np.mean([np.abs(e).mean() for e in error]),
            "rel": np.mean([(np.abs(e) / t).mean() for e, t in zip(error, truth, strict=True)]),
            "fidelity_rmse": rms_over_images((y - full) ** 2),
            "sparseness": 1 if row == "image" else hard.mean(),
        }
        for name, value in expected.items():
            np.testing.assert_allclose(got[name], value, rtol=1e-5, err_msg=f"{row} {name}")


def test_controls_keep_as_many_pixels_as_the_mask(depth_net, mask_net):
    data = frames(4)
    result = evaluation.evaluate_masks(
        depth_net, mask_net, in_batches(data, [4]), untrained=blue_net()
    )
    kept = {}
    for record in result.per_image:
        kept.setdefault(record["row"], []).append(record["sparseness"] * SIZE[0] * SIZE[1])
    expected = (data["image"][..., 0] > 0.025).sum(axis=(1, 2))
    for row in evaluation.ROWS[1:-1]:
        np.testing.assert_allclose(kept[row], expected, rtol=1e-6)
    assert len(set(expected)) > 1


def test_masks_in_the_batches(depth_net, mask_net):
    data = frames(5)
    own = data | {"mask": np.clip(data["image"][..., :1], 0, 0.5)}
    by_g, by_batch = (
        evaluation.evaluate_masks(depth_net, g, in_batches(examples, [2, 2, 1]))
        for g, examples in ((mask_net, data), (None, own))
    )
    assert by_g == by_batch


def test_sobel_row(depth_net, mask_net):
    data = frames(3, seed=1)
    result = evaluation.evaluate_masks(depth_net, mask_net, in_batches(data, [3]))
    rgb = data["image"] * transforms.IMAGENET_STD + transforms.IMAGENET_MEAN
    grey = np.pad(rgb @ [0.2989, 0.5870, 0.1140], ((0, 0), (1, 1), (1, 1)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(grey, (3, 3), axis=(1, 2))
    kernel = np.array([[1, 0, -1], [2, 0, -2], [1, 0, -1]])
    edges = np.hypot((windows * kernel).sum((3, 4)), (windows * kernel.T).sum((3, 4)))
    got = by_name(result)["sobel"]["fidelity_rmse"]
    np.testing.assert_allclose(got, fidelity_of(data["image"], edges), rtol=1e-5)
    # Blurred: the mean of the edges that a window of 5x5 pixels holds.
    holes = np.pad(edges, ((0, 0), (2, 2), (2, 2)), constant_values=np.nan)
    blurred = np.nanmean(np.lib.stride_tricks.sliding_window_view(holes, (5, 5), (1, 2)), (3, 4))
    got = by_name(result)["blurred_edges"]["fidelity_rmse"]
    np.testing.assert_allclose(got, fidelity_of(data["image"], blurred), rtol=1e-5)


def fidelity_of(images, scores):
    """Distance from N(I) of as many pixels of highest score as M' keeps."""
    errors = []
    for image, values in zip(images, scores, strict=True):
        count = (image[..., 0] > 0.025).sum()
        keep = values >= np.sort(values.ravel())[-count]
        errors.append(numpy_depth(image[None] * keep[None, ..., None]) - numpy_depth(image[None]))
    return rms_over_images(np.square(errors))


def test_untrained_row(depth_net, mask_net):
    data = frames(3)
    result = evaluation.evaluate_masks(
        depth_net, mask_net, in_batches(data, [2, 1]), untrained=blue_net()
    )
    got = by_name(result)["untrained"]["fidelity_rmse"]
    expected = fidelity_of(data["image"], data["image"][..., 2])
    np.testing.assert_allclose(got, expected, rtol=1e-5)


def test_paired_differences(depth_net, mask_net, tmp_path):
    data = frames(5)
    result = evaluation.evaluate_masks(depth_net, mask_net, in_batches(data, [5]))
    image, full = data["image"], numpy_depth(data["image"])
    binary = image * (image[..., :1] > 0.025)
    squares = [np.square(numpy_depth(binary) - full).mean(axis=(1, 2, 3))]
    squares += [
        np.square([r["fidelity_rmse"] for r in result.per_image if r["row"] == row])
        for row in ("sobel", "random")
    ]
    drawn = np.random.default_rng(0).multinomial(5, np.full(5, 0.2), 1000)
    for row, control in zip(("sobel", "random"), squares[1:], strict=True):
        value = np.sqrt(squares[0].mean()) - np.sqrt(control.mean())
        samples = np.sqrt(drawn @ squares[0] / 5) - np.sqrt(drawn @ control / 5)
        expected = [value, *np.quantile(samples, [0.025, 0.975])]
        got = list(paired.differences(result)[row].values())
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-6)
    rows = by_name(result)
    best = min(evaluation.ROWS[3:-2], key=lambda row: rows[row]["fidelity_rmse"])
    assert paired.best_control(result) == best
    evaluation.write_table(result, tmp_path)
    table = json.loads((tmp_path / "table.json").read_text())
    assert table["best_control"] == best
    assert table["differences"] == paired.differences(result)
    alone = evaluation.evaluate_depth(depth_net, in_batches(data, [5]))
    assert paired.best_control(alone) is None and paired.differences(alone) == {}


@pytest.mark.parametrize("row", ["random", "random_blocks"])
def test_random_rows_are_means_over_seeds(depth_net, mask_net, row):
    data = frames(5)

    def fidelity(seeds, sizes):
        batches = in_batches(data, sizes)
        result = evaluation.evaluate_masks(depth_net, mask_net, batches, random_seeds=seeds)
        return by_name(result)[row]["fidelity_rmse"]

    single = [fidelity((seed,), [5]) for seed in (3, 4)]
    assert single[0] != single[1]
    np.testing.assert_allclose(fidelity((3, 4), [2, 2, 1]), np.mean(single), rtol=1e-6)


def test_finer_truth(depth_net):
    data = frames(2)
    fine = np.random.default_rng(5).uniform(1, 4, (2, 10, 15, 1)).astype("float32")
    result = evaluation.evaluate_depth(depth_net, [{"image": data["image"], "depth": fine}])
    coarse = numpy_depth(data["image"])[..., 0]
    rows, columns = np.linspace(0, 3, 10), np.linspace(0, 5, 15)
    y = [
        np.array([np.interp(columns, range(6), line) for line in d]).T  # along the width,
        for d in coarse
    ]
    y = [np.array([np.interp(rows, range(4), line) for line in d]).T for d in y]  # then the height
    expected = rms_over_images([(a - t[..., 0]) ** 2 for a, t in zip(y, fine, strict=True)])
    np.testing.assert_allclose(by_name(result)["image"]["rmse"], expected, rtol=1e-5)


@pytest.mark.parametrize("absent", [True, False])
def test_without_ground_truth(depth_net, mask_net, absent, tmp_path):
    data = frames(3, with_truth=False)
    if absent:
        del data["depth"]
    result = evaluation.evaluate_masks(depth_net, mask_net, in_batches(data, [2, 1]))
    assert result.images_with_truth == 0
    for row in result.rows:
        assert all(np.isnan(row[column]) for column in evaluation.TRUTH_COLUMNS)
        assert np.isfinite(row["fidelity_rmse"]) and np.isfinite(row["sparseness"])
    evaluation.write_table(result, tmp_path / "tables")
    table = json.loads((tmp_path / "tables" / "table.json").read_text())
    assert table["rows"][1]["rmse"] is None and table["rows"][1]["fidelity_rmse"] > 0
    with open(tmp_path / "tables" / "table.csv", newline="") as file:
        assert next(csv.DictReader(file))["rmse"] == ""
    assert "nan" not in evaluation.format_table(result)


def test_an_image_without_truth_does_not_count(depth_net):
    data = frames(3)
    alone = evaluation.evaluate_depth(depth_net, in_batches(data, [2]))
    data["depth"][2] = np.nan
    together = evaluation.evaluate_depth(depth_net, in_batches(data, [3]))
    assert (together.images, together.images_with_truth) == (3, 2)
    assert together.rows[0]["rmse"] == pytest.approx(alone.rows[0]["rmse"], rel=1e-6)


def test_tables_hold_the_result(depth_net, mask_net, tmp_path):
    shown = []

    def progress(batches):
        for batch in batches:
            shown.append(len(batch["image"]))
            yield batch

    batches = in_batches(frames(3), [2, 1])
    result = evaluation.evaluate_masks(depth_net, mask_net, batches, progress=progress)
    assert shown == [2, 1]
    evaluation.write_table(result, tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "per_image.csv",
        "table.csv",
        "table.json",
    ]
    with open(tmp_path / "table.csv", newline="") as file:
        for read, row in zip(csv.DictReader(file), result.rows, strict=True):
            assert (read.pop("row"), read.pop("depth_kind")) == (row["row"], "metric")
            assert {k: float(v) for k, v in read.items()} == {k: row[k] for k in evaluation.COLUMNS}
    table = json.loads((tmp_path / "table.json").read_text())
    assert table["rows"] == list(result.rows) and table["images"] == 3
    rows = by_name(result)
    gap = rows["binary_mask"]["fidelity_rmse"] - rows["mask"]["fidelity_rmse"]
    assert table["binarisation_gap"] == pytest.approx(gap)
    grey = np.clip(frames(3)["image"][..., 0], 1e-12, 0.5).astype("float64")
    bits = -grey * np.log2(grey) - (1 - grey) * np.log2(1 - grey)
    assert table["mask_entropy"] == pytest.approx(bits.mean(), rel=1e-5)
    with open(tmp_path / "per_image.csv", newline="") as file:
        records = list(csv.DictReader(file))
    assert [(r["image"], r["row"]) for r in records] == [
        (str(i), row) for i in range(3) for row in evaluation.ROWS[:-2]
    ]
    text, markdown = evaluation.format_table(result), evaluation.format_table(result, "markdown")
    value = f"{by_name(result)['sobel']['rmse']:.3f}"
    assert value in text and markdown.count("\n") == 9 and f"| {value}" in markdown
    with pytest.raises(InputError, match="latex"):
        evaluation.format_table(result, "latex")


def test_no_image_and_infinity_are_errors(depth_net):
    with pytest.raises(InputError, match="no image"):
        evaluation.evaluate_depth(depth_net, [])
    data = frames(3)
    data["image"][2, 0, 0] = np.inf
    with pytest.raises(InputError, match="not finite: row 'image', image 2"):
        evaluation.evaluate_depth(depth_net, in_batches(data, [1, 2]))


def test_a_depth_without_unit(depth_net, mask_net, tmp_path):
    rng = np.random.default_rng(0)
    data = {"image": rng.normal(size=(3, *SIZE, 3)).astype("float32")}
    target = DepthTarget(depth_net, "inverse")
    result = evaluation.evaluate_masks(target, mask_net, in_batches(data, [3]))
    assert result.rows[0]["fidelity_rmse"] < 1e-5
    assert "standard deviations of N(I)" in evaluation.format_table(result)
    evaluation.write_table(result, tmp_path)
    for name in ("table.csv", "per_image.csv"):
        with open(tmp_path / name, newline="") as file:
            assert {row["depth_kind"] for row in csv.DictReader(file)} == {"inverse"}


def test_short_text_and_table_for_notebooks(depth_net, mask_net):
    result = evaluation.evaluate_masks(depth_net, mask_net, [frames(2, with_truth=False)])
    assert repr(result).startswith("Evaluation(2 images: image, mask, binary_mask, sobel, ")
    _, image, *_ = result._repr_html_().split("<tr>")[1:]
    # No truth: seven blank cells. N(I) is 0 from itself and sees all pixels.
    assert image.startswith("<td>image</td>" + 7 * "<td></td>" + "<td>0.000</td><td>1.000</td>")
