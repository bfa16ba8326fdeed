"""sweep_sparsity over lambda or over shares of the pixels, with networks of a few weights."""

import csv
import json
import math
import shutil

import commands
import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny_nets
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import metadata, plugin_data_pb2

from tfdepthviz import evaluation, models
from tfdepthviz.data import pipeline
from tfdepthviz.evaluation.measurement import Measurement
from tfdepthviz.models.layers import aligned_resize
from tfdepthviz.models.scores import scores_net
from tfdepthviz.utils.errors import InputError
from trainers import sweep_sparsity
from trainers.cli.data import Data
from trainers.cli.target import Target
from trainers.engine import mask_run
from trainers.engine.source import Source

FRAMES = 3
SHARES = (0.3, 0.6)


def ranking_net():
    """tiny_nets.mask_net with its sigmoid as a layer of its own."""
    whole = tiny_nets.mask_net()
    whole.layers[-1].activation = keras.activations.linear
    scores = keras.models.clone_model(whole)
    mask = keras.layers.Activation("sigmoid", name="sigmoid")(scores.output)
    return keras.Model(scores.input, mask, name="tiny_mask")


@pytest.fixture(scope="module", autouse=True)
def tiny():
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(models.DEPTH_NETS, "tiny", lambda _: tiny_nets.depth_net())
        patch.setitem(models.MASK_NETS, "tiny", lambda _: ranking_net())
        yield


@pytest.fixture(scope="module")
def nyu(tmp_path_factory):
    """Pairs of 8-bit depth; every row of both lists names a file of its own."""
    folder = tmp_path_factory.mktemp("nyu")
    rng = np.random.default_rng(0)
    for split, count in (("train", 4), ("test", FRAMES)):
        names = [f"{split}{number}" for number in range(count)]
        for name in names:
            Image.fromarray(rng.integers(0, 256, (32, 40, 3), np.uint8)).save(
                folder / f"{name}.png"
            )
            depth = rng.integers(20, 250, (32, 40)).astype(np.uint8)
            Image.fromarray(depth).save(folder / f"{name}_depth.png")
        rows = "".join(f"{name}.png,{name}_depth.png\n" for name in names)
        (folder / f"nyu2_{split}.csv").write_text(rows)
    return {"dataset": "nyu", "data_dir": str(folder)}


def options(data, workdir, **more):
    flags = {
        **data,
        "depth_net": "tiny",
        "depth_weights": "random",
        "mask_net": "tiny",
        "input_size": tiny_nets.SIZE,
        "batch_size": 2,
        "epochs": 1,
        "strips": 2,
        "learning_rate": 1e-2,
        "workdir": str(workdir),
    }
    return flags | more


def events(folder):
    return EventAccumulator(str(folder), size_guidance={"tensors": 0}).Reload()


def hparams(folder):
    """Data of the HParams plugin in an event file, by tag."""
    plugin = events(folder).summary_metadata
    return {
        tag: plugin_data_pb2.HParamsPluginData.FromString(data.plugin_data.content)
        for tag, data in plugin.items()
        if data.plugin_data.plugin_name == metadata.PLUGIN_NAME
    }


@pytest.fixture(scope="module")
def over_lambda(nyu, tmp_path_factory):
    """(flags, folder, sweep) of a finished sweep over two values of lambda."""
    folder = tmp_path_factory.mktemp("sweep")
    flags = options(nyu, folder, sparsity_weights=(5.0, 0.5))
    return flags, folder, commands.run(sweep_sparsity, **flags)


def test_table_1(nyu, over_lambda):
    _, folder, sweep = over_lambda
    assert [row["sparsity_weight"] for row in sweep.rows] == [None, 5.0, 0.5]
    # Recompute each row from the files of its run.
    size = tiny_nets.SIZE
    keras.utils.set_random_seed(0)
    n = Target("tiny", depth_weights="random").build(size).net
    raw = Source(Data(**nyu)).load("validation")
    batches = pipeline.evaluation_batches(raw, input_size=size, depth_size=size, batch_size=2)
    for row in sweep.rows[1:]:
        of_run = folder / f"lambda_{row['sparsity_weight']:g}"
        config = json.loads((of_run / "config.json").read_text())
        assert config["command"] == "train_mask"
        assert config["options"]["sparsity_weight"] == row["sparsity_weight"]
        assert config["options"]["recipe"] == "paper" and config["options"]["keep"] is None
        g = keras.models.load_model(of_run / "mask_net.keras")
        rows = {r["row"]: r for r in evaluation.evaluate_masks(n, g, batches).rows}
        assert row["rmse_mask"] == pytest.approx(rows["mask"]["rmse"], rel=1e-5)
        assert row["rmse_binary_mask"] == pytest.approx(rows["binary_mask"]["rmse"], rel=1e-5)
        assert row["sparseness"] == pytest.approx(rows["binary_mask"]["sparseness"], rel=1e-5)
        assert sweep.rows[0]["rmse_mask"] == pytest.approx(rows["image"]["rmse"], rel=1e-5)
    with open(folder / "table1.csv", newline="") as file:
        original, five, half = csv.DictReader(file)
    assert original["sparsity_weight"] == "" and float(original["sparseness"]) == 1
    assert original["rmse_random"] == ""
    # The paper has a row for lambda 5 and none for 0.5.
    assert [float(five[f"paper_{c}"]) for c in ("rmse_mask", "rmse_binary_mask", "sparseness")] == [
        0.740,
        0.758,
        0.361,
    ]
    assert half["paper_rmse_mask"] == ""
    table = json.loads((folder / "table1.json").read_text())
    assert table["images"] == FRAMES and table["rows"][1]["rmse_mask"] == float(five["rmse_mask"])
    for name in ("table1.txt", "table1.md", "report.html"):
        assert "another experiment" in (folder / name).read_text(), name
    for name in ("figure4_curves.png", "figure4_frame0.png", "figure4_frame1.png"):
        assert (folder / name).is_file()


def test_hparams(over_lambda):
    flags, folder, _ = over_lambda
    sweep = commands.run(sweep_sparsity, **flags)  # a second time replaces what the first wrote
    (summary,) = hparams(folder / "hparams").values()
    parameter = summary.experiment.hparam_infos[0]
    assert parameter.name == "sparsity_weight"
    assert {v.number_value for v in parameter.domain_discrete.values} == {5.0, 0.5}
    metrics = {info.name.tag for info in summary.experiment.metric_infos}
    for row in sweep.rows[1:]:
        of_run = folder / f"lambda_{row['sparsity_weight']:g}/hparams"
        assert len(list(of_run.iterdir())) == 1
        starts = [f.session_start_info for f in hparams(of_run).values()]
        (start,) = [s for s in starts if s.hparams]
        assert start.hparams["sparsity_weight"].number_value == row["sparsity_weight"]
        assert start.hparams["depth_net"].string_value == "tiny"
        written = events(of_run)
        assert metrics <= set(written.Tags()["tensors"])
        (event,) = written.Tensors("sweep/rmse_binary_mask")
        np.testing.assert_allclose(tf.make_ndarray(event.tensor_proto), row["rmse_binary_mask"])


def test_killed_sweep_continues(nyu, tmp_path, monkeypatch):
    trained, rated = [], []
    train, evaluate = mask_run.train, evaluation.evaluate_masks

    def train_and_count(training, **more):
        trained.append(training.sparsity_weight)
        return train(training, **more)

    def rate_and_count(*arguments, **more):
        rated.append(more["threshold"])
        return evaluate(*arguments, **more)

    def killed(*arguments, **more):
        raise KeyboardInterrupt

    monkeypatch.setattr(mask_run, "train", train_and_count)
    monkeypatch.setattr(evaluation, "evaluate_masks", rate_and_count)
    flags = options(nyu, tmp_path, strips=1)
    one, both = {"sparsity_weights": (1.0,)}, {"sparsity_weights": (1.0, 2.0)}
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(evaluation, "evaluate_masks", killed)
        commands.run(sweep_sparsity, **flags, **one)
    assert trained == [1.0] and (tmp_path / "lambda_1/mask_net.keras").is_file()
    first = commands.run(sweep_sparsity, **flags, **one)
    assert trained == [1.0] and len(rated) == 1
    # A new lambda is trained and rated; a new threshold is only rated.
    second = commands.run(sweep_sparsity, **flags, **both)
    assert trained == [1.0, 2.0] and len(rated) == 2
    np.testing.assert_equal(second.rows[:2], first.rows)
    commands.run(sweep_sparsity, **flags, **one, threshold=0.5)
    assert trained == [1.0, 2.0] and rated[2:] == [0.5]
    shutil.rmtree(tmp_path / "lambda_1/checkpoints")
    with pytest.raises(InputError, match="lambda_1: holds a run with other options .--epochs=2"):
        commands.run(sweep_sparsity, **flags | one | {"epochs": 2})


def test_shares_of_one_ranking(nyu, tmp_path, monkeypatch):
    flags = options(nyu, tmp_path / "w", shares=SHARES, mask_weights="random")
    sweep = commands.run(sweep_sparsity, **flags)
    config = json.loads((tmp_path / "w/ranking/config.json").read_text())
    assert config["options"]["recipe"] == "ranking" and config["options"]["keep"] == "0.02:0.9"
    # Recompute each row from the file of the run, with masks that NumPy sorts.
    n = network()
    g = scores_net(keras.models.load_model(tmp_path / "w/ranking/mask_net.keras"))
    (batch,) = validation(nyu)
    image, full = batch["image"].numpy(), n.predict_on_batch(batch["image"])
    scores = g.predict_on_batch(image)
    assert [row["share"] for row in sweep.rows] == [None, *SHARES]
    for row in sweep.rows[1:]:
        y = n.predict_on_batch(image * top(scores, row["share"]))
        fidelity = np.sqrt(np.mean((y - full) ** 2))
        assert row["fidelity_rmse_binary_mask"] == pytest.approx(fidelity, rel=1e-5)
        assert row["rmse_binary_mask"] == pytest.approx(rmse(batch["depth"], y), rel=1e-5)
        swapped = n.predict_on_batch(image * top(np.roll(scores, -1, axis=0), row["share"]))
        fidelity = np.sqrt(np.mean((swapped - full) ** 2))
        assert row["fidelity_rmse_swapped"] == pytest.approx(fidelity, rel=1e-5)
    assert sweep.rows[0]["rmse_binary_mask"] == pytest.approx(rmse(batch["depth"], full), rel=1e-5)
    controls = {"random", "random_blocks", "sobel", "blurred_edges", "mean_map", "untrained"}
    assert controls < set(sweep.controls)
    check_files(tmp_path / "w", sweep)
    # A second time nothing is trained or rated; a new share is only rated.
    monkeypatch.setattr(mask_run, "train", None)
    passes = []
    rate = Measurement.__call__
    monkeypatch.setattr(Measurement, "__call__", lambda *a: passes.append(a) or rate(*a))
    again = commands.run(sweep_sparsity, **flags)
    np.testing.assert_equal(again.rows, sweep.rows)
    assert not passes
    file = str(tmp_path / "w/ranking/mask_net.keras")
    more = commands.run(
        sweep_sparsity, **options(nyu, tmp_path / "v", shares=(0.9, 0.3), ranking=file)
    )
    assert passes and [row["share"] for row in more.rows] == [None, 0.3, 0.9]
    np.testing.assert_equal(more.rows[1], sweep.rows[1])


def test_shares_without_ground_truth(tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "images").mkdir()
    for number in range(5):
        pixels = rng.integers(0, 256, (20, 30, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"images/{number}.png")
    data = {"dataset": "folder", "data_dir": str(tmp_path / "images")}
    more = {"shares": SHARES, "mask_weights": "random", "keep": "0.3:0.6"}
    sweep = commands.run(sweep_sparsity, **options(data, tmp_path / "w", **more))
    assert math.isnan(sweep.rows[1]["rmse_binary_mask"])
    assert sweep.rows[1]["fidelity_rmse_binary_mask"] > 0
    heading = (tmp_path / "w/table1.csv").read_text().splitlines()[0].split(",")
    assert heading == [
        *("share", "fidelity_rmse_binary_mask"),
        *(f"fidelity_rmse_{control}" for control in sweep.controls),
    ]
    assert "paper" not in (tmp_path / "w/table1.txt").read_text().lower()


def network():
    """N as the commands build it."""
    keras.utils.set_random_seed(0)
    return Target("tiny", depth_weights="random").build(tiny_nets.SIZE).net


def validation(data):
    """Batches of all validation frames, depth at the image's size."""
    raw, size = Source(Data(**data)).load("validation"), tiny_nets.SIZE
    return pipeline.evaluation_batches(raw, input_size=size, depth_size=size, batch_size=FRAMES)


def top(scores, share):
    """The pixels of the highest scores as 0 and 1, exactly the share of each image."""
    flat = scores.reshape(len(scores), -1)
    kept = np.zeros_like(flat)
    order = np.argsort(-flat, axis=1, kind="stable")[:, : round(share * flat.shape[1])]
    np.put_along_axis(kept, order, 1, axis=1)
    return kept.reshape(scores.shape)


def rmse(truth, y):
    """Root of the mean over images of the squared error, at the truth's size."""
    truth = truth.numpy()
    y = aligned_resize(y, truth.shape[1:3]).numpy()
    squares = [np.mean((a - b)[a > 0] ** 2) for a, b in zip(truth, y, strict=True)]
    return np.sqrt(np.mean(squares))


def check_files(folder, sweep):
    """Every file of a sweep over shares, and its numbers."""
    with open(folder / "table1.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0])[:3] == ["share", "rmse_binary_mask", "fidelity_rmse_binary_mask"]
    assert rows[0]["share"] == "" and rows[0]["rmse_sobel"] == ""
    assert float(rows[1]["fidelity_rmse_sobel"]) == sweep.rows[1]["fidelity_rmse_sobel"]
    table = json.loads((folder / "table1.json").read_text())
    assert table["parameter"] == "share" and table["images"] == FRAMES
    assert table["rows"][2]["share"] == SHARES[1]
    summary = json.loads((folder / "summary.json").read_text())
    value = summary["against"]["ranking"]["sobel"][0]["value"]
    row = sweep.rows[1]
    assert value == pytest.approx(row["fidelity_rmse_binary_mask"] - row["fidelity_rmse_sobel"])
    text = (folder / "table1.txt").read_text()
    lines = text.splitlines()
    assert lines[0] == "RMSE against ground truth, m" and "30 %" in text
    # Headings of this wide table take several lines; the name of the rows stands in the last.
    assert any(line.startswith("share ") for line in lines[1:5])
    assert max(map(len, lines[:7])) <= 100
    page = (folder / "report.html").read_text()
    # Two curves, and a picture for each of two frames.
    assert page.count("data:image/png") == 4 and "M&#x27; minus each control" in page
    for name in ("figure4_curves", "figure5_edges", "figure4_frame0", "figure4_frame1"):
        assert (folder / f"{name}.png").is_file()
    with open(folder / "per_image.csv", newline="") as file:
        assert {row["method"] for row in csv.DictReader(file)} > {"ranking", "swapped", "mean_map"}


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({}, "exactly one of the two lists, .*; received none"),
        ({"sparsity_weights": (1.0,), "shares": (0.3,)}, "received both"),
        ({"sparsity_weights": (1.0, 1.0)}, "--sparsity_weights=1,1: names a value twice"),
        ({"sparsity_weights": (1.0,), "sparsity_weight": 2.0}, "--sparsity_weight=2.0: "),
        ({"sparsity_weights": (1.0,), "workdir": None}, "--workdir: needs a folder"),
        ({"sparsity_weights": (1.0,), "recipe": "ranking"}, "implies --recipe=paper"),
        ({"sparsity_weights": (1.0,), "keep": "0.3"}, "--keep=0.3: --recipe=paper takes none"),
        ({"sparsity_weights": (1.0,), "ranking": "g.keras"}, "--ranking=g.keras: belongs to"),
    ],
)
def test_mistakes(nyu, tmp_path, more, says):
    with pytest.raises(InputError, match=says):
        commands.run(sweep_sparsity, **options(nyu, tmp_path / "w") | more)
    assert not (tmp_path / "w").exists()
