"""Controls of evaluate as a user runs it: G before training and the mean map of training frames."""

import json

import commands
import keras
import numpy as np
import pytest
import tiny_nets
from PIL import Image

from tfdepthviz import evaluation, models
from tfdepthviz.data import transforms
from trainers import evaluate

SIZE = tiny_nets.SIZE


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """Weights of G in the folder of a run of seed 7."""
    monkeypatch.setitem(models.DEPTH_NETS, "tiny", lambda shape: tiny_nets.depth_net())
    monkeypatch.setitem(models.MASK_NETS, "tiny", lambda shape: tiny_nets.mask_net())
    folder = tmp_path / "run"
    folder.mkdir()
    trained = {"mask_net": "tiny", "mask_weights": "random", "seed": 7}
    trained |= {"depth_net": "tiny", "depth_weights": "random"}
    (folder / "config.json").write_text(json.dumps({"command": "train_mask", "options": trained}))
    keras.utils.set_random_seed(1)
    tiny_nets.mask_net().save(folder / "mask_net.keras")
    return str(folder / "mask_net.keras")


def nyu(folder, training):
    """Two test pairs of the size that N sees, and `training` training pairs; the images."""
    rng = np.random.default_rng(0)
    folder.mkdir()
    images = {}
    for split, count in (("test", 2), ("train", training)):
        lines, images[split] = [], []
        for number in range(count):
            name = f"{split}{number}"
            # As wide as N's image and its margin, so that nothing is resized.
            height, width = transforms.margin_size(SIZE)
            pixels = rng.integers(0, 256, (height, width, 3), np.uint8)
            Image.fromarray(pixels).save(folder / f"{name}.png")
            depth = rng.integers(500, 9000, (height, width)).astype(np.uint16)
            Image.fromarray(depth).save(folder / f"{name}_d.png")
            lines.append(f"{name}.png,{name}_d.png\n")
            images[split].append(pixels)
        if count:
            (folder / f"nyu2_{split}.csv").write_text("".join(lines))
    return images


def rated(folder, weights, output):
    return commands.run(
        evaluate,
        dataset="nyu",
        data_dir=str(folder),
        depth_net="tiny",
        depth_weights="random",
        mask_net="tiny",
        mask_weights=weights,
        output_dir=str(output),
    )


def cropped(pixels):
    """The normalised middle of each image."""
    images = np.stack(pixels) / 255
    top, left = ((full - size) // 2 for full, size in zip(images.shape[1:3], SIZE, strict=True))
    images = images[:, top : top + SIZE[0], left : left + SIZE[1]]
    return ((images - transforms.IMAGENET_MEAN) / transforms.IMAGENET_STD).astype("float32")


def test_every_row(weights, tmp_path, capsys):
    images = nyu(tmp_path / "data", training=3)
    result = rated(tmp_path / "data", weights, tmp_path / "out")
    assert [row["row"] for row in result.rows] == list(evaluation.ROWS)
    rows = {row["row"]: row for row in result.rows}
    keras.utils.set_random_seed(0)
    depth_net = tiny_nets.depth_net()
    train, test = cropped(images["train"]), cropped(images["test"])
    full = depth_net(test).numpy()
    mean = depth_net(train).numpy().mean(axis=0)
    expected = np.sqrt(np.mean((mean - full) ** 2))
    assert rows["mean_map"]["fidelity_rmse"] == pytest.approx(expected, rel=1e-4)
    # G as the run began, which built N first.
    keras.utils.set_random_seed(7)
    tiny_nets.depth_net()
    scores = tiny_nets.mask_net()(test).numpy()
    squares = []
    for place, record in enumerate(r for r in result.per_image if r["row"] == "binary_mask"):
        count = round(record["sparseness"] * SIZE[0] * SIZE[1])
        top = np.argsort(-scores[place].ravel(), kind="stable")[:count]
        mask = np.zeros((*SIZE, 1), "float32")
        mask.reshape(-1)[top] = 1
        y = depth_net(test[place : place + 1] * mask).numpy()
        squares.append(np.mean((y - full[place]) ** 2))
    untrained = rows["untrained"]["fidelity_rmse"]
    assert untrained == pytest.approx(np.sqrt(np.mean(squares)), rel=1e-4)
    shown = capsys.readouterr().out
    assert "N's mean over 3 of 3 training frames." in shown and "The best control" in shown
    page = (tmp_path / "out" / "report.html").read_text()
    assert "the mean map, no pixels" in page and "3 of 3 training frames" in page


def test_without_training_frames(weights, tmp_path, capsys):
    nyu(tmp_path / "data", training=0)
    result = rated(tmp_path / "data", weights, tmp_path / "out")
    assert [row["row"] for row in result.rows] == list(evaluation.ROWS[:-1])
    said = "The mean map is left out, because no training frames can be read: --data_dir="
    assert said in " ".join(capsys.readouterr().out.split())
    assert said in (tmp_path / "out" / "report.html").read_text()


def test_training_frame_that_cannot_be_read(weights, tmp_path, capsys):
    nyu(tmp_path / "data", training=3)
    (tmp_path / "data" / "train1.png").write_bytes(b"no image")
    result = rated(tmp_path / "data", weights, tmp_path / "out")
    assert result.rows[-1]["row"] == "mean_map"
    shown = capsys.readouterr().out
    assert "2 of 3 training frames. 1 more could not be read." in shown
