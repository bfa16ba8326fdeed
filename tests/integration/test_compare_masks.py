"""compare_masks as a user runs it, tables read back from its files."""

import csv
import json
import re

import commands
import keras
import numpy as np
import pytest
import tiny_nets
from PIL import Image

from tfdepthviz import models
from tfdepthviz.data import pipeline
from tfdepthviz.evaluation import controls, summary
from tfdepthviz.utils import arrays
from tfdepthviz.utils.errors import InputError
from tfdepthviz.utils.files import OUTPUT_MARK
from trainers import compare_masks
from trainers.cli.data import Data
from trainers.cli.target import Target
from trainers.cli.untrained import Start, start_of, untrained_net, untrained_nets
from trainers.engine import batch_store
from trainers.engine.source import Source

SIZE = tiny_nets.SIZE
FILES = {
    *("per_image.csv", "curves.csv", "differences.csv", "summary.json", "report.html"),
    *("options.json", "batches", OUTPUT_MARK),
    *("fidelity.png", "deletion.png", "bands.png", "areas.png", "strip_0.png", "strip_1.png"),
}
# Written where there is ground truth.
OF_TRUTH = {"accuracy.png", "accuracy_bands.png"}


@pytest.fixture
def weights(tmp_path, monkeypatch):
    monkeypatch.setitem(models.DEPTH_NETS, "tiny", lambda shape: tiny_nets.depth_net())
    monkeypatch.setitem(models.MASK_NETS, "tiny", lambda shape: tiny_nets.mask_net())
    path = tmp_path / "run" / "mask_net.keras"
    path.parent.mkdir()
    tiny_nets.mask_net().save(path)
    return str(path)


@pytest.fixture
def archive(tmp_path):
    """Path and masks of an archive of optimize_mask, for both frames of the validation split."""
    mask = np.random.default_rng(0).random((2, *SIZE, 1)).astype("float32")
    np.savez_compressed(tmp_path / "searched.npz", frame=[0, 1], mask=mask)
    return str(tmp_path / "searched.npz"), mask


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pairs")
    rng = np.random.default_rng(0)
    for number in range(20):
        pixels = rng.integers(0, 256, (30, 40, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:02d}_rgb.png")
        depth = rng.integers(500, 5000, (30, 40)).astype("uint16")
        Image.fromarray(depth).save(folder / f"{number:02d}_depth.png")
    globs = {"image_glob": "*_rgb.png", "depth_glob": "*_depth.png", "depth_scale": 0.001}
    return {"dataset": "pairs", "data_dir": str(folder), **globs}


def run(folder, data, **options):
    standard = {"input_size": SIZE, "max_images": 2, "strips": 2, "resamples": 20, "steps": 2}
    standard["shares"] = (0.05, 0.36, 0.6)
    return commands.run(
        compare_masks,
        **data,
        depth_net="tiny",
        depth_weights="random",
        **{"output_dir": str(folder), **standard, **options},
    )


def table(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_with_ground_truth(pairs, weights, archive, tmp_path):
    folder = tmp_path / "out"
    options = {"mask_nets": ("tiny",), "mask_weights": weights, "saved_masks": archive[0]}
    result = run(folder, pairs, **options)
    assert {path.name for path in folder.iterdir()} == FILES | OF_TRUTH
    # Named after the run, or after the file.
    assert list(result["masks"]) == ["run", "searched"]
    rows = table(folder / "per_image.csv")
    # The masks of the file are those that were rated.
    for place in range(2):
        (row,) = [
            row
            for row in rows
            if (row["image"], row["method"], row["view"]) == (str(place), "searched", "mask")
        ]
        assert float(row["share"]) == pytest.approx((archive[1][place] > 0.025).mean())
    # Recompute every curve from the figures of the images.
    figures = json.loads((folder / "summary.json").read_text())
    for row in table(folder / "curves.csv"):
        measured = row["view"] == "insert" and row["method"] != "mean_map"
        if not measured or float(row["share"]) not in figures["shares"]:
            continue
        per_image = {}
        for r in rows:
            same = (r["method"].partition("/")[0], r["view"]) == (row["method"], "insert")
            if same and float(r["share"]) == float(row["share"]):
                per_image.setdefault(r["image"], []).append(float(r["mse"]))
        rmse = np.sqrt(np.mean([np.mean(values) for values in per_image.values()]))
        assert float(row["rmse"]) == pytest.approx(rmse, rel=1e-4)
    text = (folder / "report.html").read_text()
    # Without the pictures, whose base64 text may spell any word.
    words = re.sub(r"data:image/png;base64,[\w+/=]*", "", text)
    assert "<script" not in words and "http" not in words
    assert text.count("<img") == len(FILES | OF_TRUTH) - 8
    # Every control has a row of its own; G and its start are known.
    methods = {*controls.CONTROLS, "run", "searched"}
    assert set(figures["methods"]) == methods
    against = table(folder / "differences.csv")
    assert {row["control"] for row in against} == set(controls.CONTROLS)
    assert sum(row["best_control"] == "1" for row in against) == 2 * len(figures["shares"])


def test_controls_alone_without_ground_truth(weights, tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(20):
        pixels = np.random.default_rng(number).integers(0, 256, (30, 40, 3), np.uint8)
        Image.fromarray(pixels).save(photos / f"{number}.png")
    result = run(tmp_path / "out", {"dataset": "folder", "data_dir": str(photos)})
    assert {path.name for path in (tmp_path / "out").iterdir()} == FILES
    assert result["masks"] == {} and result["images_with_truth"] == 0


CHEAP = ("sobel", "blurred_edges", "random", "random_blocks", "untrained", "mean_map")


def test_cheap_controls_at_few_shares(pairs, weights, tmp_path, capsys):
    options = {"mask_nets": ("tiny",), "mask_weights": weights, "controls": CHEAP}
    shares = (0.2, 0.05, 0.36)
    result = run(tmp_path / "out", pairs, **options, shares=shares, views=("insert",))
    # 5 views, and 3 shares of the mask, edges, blurred edges, 3 + 3 random ones, and G's start.
    assert "2 images: N runs 70 times, and takes 0 gradients" in capsys.readouterr().out
    assert result["shares"] == sorted(shares)
    assert set(result["methods"]) == {"run", *CHEAP}
    files = {path.name for path in (tmp_path / "out").iterdir()}
    assert files == FILES - {"deletion.png"} | OF_TRUTH


def test_mean_map_is_that_of_the_training_frames(pairs, weights, tmp_path, capsys):
    options = {"controls": ("mean_map",), "views": ("insert",), "shares": (0.5,)}
    result = run(tmp_path / "out", pairs, **options)
    assert "N's mean over 18 of 18 training frames." in capsys.readouterr().out
    # By hand: the first 18 of the 20 frames train.
    keras.utils.set_random_seed(0)
    net = tiny_nets.depth_net()
    source = Source(Data(**pairs))
    frames = {
        split: next(
            iter(
                pipeline.evaluation_batches(
                    source.load(split), input_size=SIZE, depth_size=SIZE, batch_size=20
                )
            )
        )
        for split in ("train", "validation")
    }
    mean = net(frames["train"]["image"]).numpy().mean(axis=0)
    full = net(frames["validation"]["image"]).numpy()
    expected = np.sqrt(np.mean((mean - full) ** 2))
    at = summary.figure_at(result, "mean_map", 0.5)["value"]
    assert at == pytest.approx(expected, rel=1e-4)


def test_untrained_controls_begin_where_runs_did(weights, tmp_path):
    target = Target(depth_net="tiny", depth_weights="random")
    names = {}
    for name, options in {
        "a": {"mask_net": "tiny", "mask_weights": "random", "seed": 5},
        "b": {"mask_net": "tiny", "mask_weights": None, "seed": 6},
        "c": {"mask_net": "tiny", "mask_weights": weights, "seed": 5},
    }.items():
        folder = tmp_path / name
        folder.mkdir()
        config = {"command": "train_mask", "options": options}
        (folder / "config.json").write_text(json.dumps(config))
        names[name] = ("tiny", str(folder / "mask_net.keras"))
    built = target.build()
    draws = untrained_nets({name: names[name] for name in "ab"}, target, built)
    assert list(draws) == ["untrained/0", "untrained/1"]
    # The run builds N first, then G.
    keras.utils.set_random_seed(6)
    target.build()
    expected = tiny_nets.mask_net()
    for mine, theirs in zip(
        draws["untrained/1"].get_weights(), expected.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(mine, theirs)
    both = untrained_nets({name: names[name] for name in "ac"}, target, built)
    assert list(both) == ["untrained_a", "untrained_c"]
    stored = keras.models.load_model(weights).get_weights()
    for mine, theirs in zip(both["untrained_c"].get_weights(), stored, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    # The same seed is the same start.
    once = untrained_nets({"a": names["a"], "d": names["a"]}, target, built)
    assert list(once) == ["untrained"]


def test_untrained_start_that_is_gone(tmp_path, weights, capsys):
    target = Target(depth_net="tiny", depth_weights="random")
    net = untrained_net(Start("tiny", str(tmp_path / "gone.keras"), 3), target, target.build())
    assert "gone.keras; taking the usual start, random" in capsys.readouterr().out
    keras.utils.set_random_seed(3)
    target.build()
    np.testing.assert_array_equal(net.get_weights()[0], tiny_nets.mask_net().get_weights()[0])
    assert start_of("compact_edges", str(tmp_path / "x.keras")) == Start(
        "compact_edges", "depth_net"
    )


@pytest.fixture
def maps(tmp_path):
    """A folder of maps for both frames: noise, and the first frame's rows from the top."""
    folder = tmp_path / "theirs"
    folder.mkdir()
    rows = np.repeat(-np.arange(SIZE[0])[:, None], SIZE[1], axis=1)
    np.save(folder / "0.npy", rows)
    np.save(folder / "1.npy", np.random.default_rng(0).random((*SIZE, 1)))
    return folder


QUICK = {"controls": ("sobel", "random"), "views": ("insert",), "shares": (0.25, 0.5)}


def test_maps_are_controls_of_a_mask(pairs, weights, maps, tmp_path):
    masks = {"mask_nets": ("tiny",), "mask_weights": weights}
    result = run(tmp_path / "out", pairs, maps=str(maps), **masks, **QUICK)
    assert list(result["masks"]) == ["run"]
    assert set(result["against"]["run"]) == {"sobel", "random", "theirs"}
    # By hand: N sees the upper half of the first frame.
    keras.utils.set_random_seed(0)
    net = tiny_nets.depth_net()
    frames = pipeline.evaluation_batches(
        Source(Data(**pairs)).load("validation"), input_size=SIZE, depth_size=SIZE, batch_size=2
    )
    image = next(iter(frames))["image"].numpy()
    half = np.zeros_like(image)
    half[0, : SIZE[0] // 2] = image[0, : SIZE[0] // 2]
    expected = np.mean((net(half).numpy()[0] - net(image).numpy()[0]) ** 2)
    (row,) = [
        row
        for row in table(tmp_path / "out" / "per_image.csv")
        if (row["image"], row["method"], row["share"]) == ("0", "theirs", "0.5")
    ]
    assert float(row["fidelity_mse"]) == pytest.approx(expected, rel=1e-4)


def test_maps_alone_are_the_masks(pairs, weights, maps, tmp_path):
    result = run(tmp_path / "out", pairs, maps=str(maps), strip_share=0.25, **QUICK)
    assert list(result["masks"]) == ["theirs"]
    assert result["masks"]["theirs"]["sparseness"]["value"] == 0.25
    assert set(result["against"]["theirs"]) == {"sobel", "random"}
    # Another map of the same name is another method.
    np.save(maps / "0.npy", np.zeros(SIZE))
    with pytest.raises(InputError, match="holds measurements of other options"):
        run(tmp_path / "out", pairs, maps=str(maps), strip_share=0.25, **QUICK)


@pytest.mark.parametrize(
    "values, message",
    [
        (np.zeros((16, 21)), "expected an array of 16x20 finite numbers. Received: .*21"),
        (np.full((16, 20), np.nan), "not all finite"),
        (np.zeros((16, 20), "U1"), "<U1"),
        (np.array([{}]), "Received: .*1.npy .Object arrays"),
    ],
)
def test_maps_that_are_none(pairs, weights, maps, tmp_path, values, message):
    np.save(maps / "1.npy", values)
    with pytest.raises(InputError, match=f"--maps: .*{message}"):
        run(tmp_path / "out", pairs, maps=str(maps), **QUICK)


def test_maps_need_a_name_of_their_own(pairs, weights, maps, tmp_path):
    with pytest.raises(InputError, match="--maps=.*theirs: expected folders with names"):
        run(tmp_path / "out", pairs, maps=f"{maps},{maps}", **QUICK)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"output_dir": None}, "--output_dir: needs"),
        ({"mask_names": ("a", "b")}, "--mask_names: expected 1, one a mask. Received: 2"),
        ({"mask_names": ("sobel",)}, "--mask_names: expected a name of its own"),
        ({"mask_nets": ("tiny", "tiny")}, "--mask_nets: expected 1"),
        ({"saved_masks": "none.npz"}, "--saved_masks: expected an .npz file"),
        ({"mask_names": ("untrained_x",)}, "--mask_names: expected a name of its own"),
        ({"views": ("delete",)}, "--views=delete: needs insert"),
    ],
)
def test_mistakes(pairs, weights, tmp_path, options, message):
    standard = {"mask_nets": ("tiny",), "mask_weights": weights}
    with pytest.raises(InputError, match=message):
        run(**{"folder": tmp_path / "out", "data": pairs, **standard, **options})
    assert not (tmp_path / "out").exists()


def test_saved_masks_of_other_frames(pairs, weights, archive, tmp_path):
    other = tmp_path / "other.npz"
    np.savez_compressed(other, frame=[0, 3], mask=archive[1])
    with pytest.raises(InputError, match="without frame 1"):
        run(tmp_path / "out", pairs, saved_masks=str(other))


def test_saved_masks_that_unpack_to_too_much(tmp_path, monkeypatch):
    np.savez_compressed(tmp_path / "bomb.npz", frame=np.arange(4), mask=np.zeros(10**6))
    np.save(tmp_path / "plain.npz.npy", np.zeros(3))
    monkeypatch.setattr(arrays, "MOST_BYTES", 10**6)
    with pytest.raises(ValueError, match="unpacks to 8000288 bytes"):
        arrays.read_arrays(tmp_path / "bomb.npz", ["frame", "mask"])
    read = arrays.read_arrays(tmp_path / "bomb.npz", ["frame"])
    assert read["frame"].tolist() == [0, 1, 2, 3]
    with pytest.raises(arrays.UNREADABLE, match="not a zip file"):
        arrays.read_arrays(tmp_path / "plain.npz.npy", ["mask"])


def test_same_command_continues(pairs, weights, tmp_path, monkeypatch):
    folder, options = tmp_path / "out", {"mask_nets": ("tiny",), "mask_weights": weights}
    run(folder, pairs, batch_size=1, **options)
    written = [(folder / name).read_bytes() for name in ("per_image.csv", "summary.json")]
    (folder / "per_image.csv").unlink()
    (folder / "batches" / "0001.npz").unlink()
    measured = []
    write = batch_store.write_arrays
    monkeypatch.setattr(
        batch_store,
        "write_arrays",
        lambda path, arrays: measured.append(path) or write(path, arrays),
    )
    run(folder, pairs, batch_size=1, **options)
    assert [path.name for path in measured] == ["0001.npz"]
    assert [(folder / name).read_bytes() for name in ("per_image.csv", "summary.json")] == written
    # A mask that was trained anew under the same name is another one.
    keras.utils.set_random_seed(7)
    other = keras.models.clone_model(tiny_nets.mask_net())
    other.save(weights)
    with pytest.raises(InputError, match="holds measurements of other options .--mask_weights"):
        run(folder, pairs, batch_size=1, **options)
