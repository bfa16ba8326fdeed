"""The command `check` on frames with known faults, and on a network with known errors."""

import csv
import json
import shlex

import commands
import numpy as np
import pytest
import tiny_nets
from PIL import Image

from tfdepthviz.models.target import depth_target
from tfdepthviz.utils.errors import InputError
from trainers import check
from trainers.cli.checked_network import checked_network
from trainers.engine.source import Source

SIZE = tiny_nets.SIZE
# Depth is ten times the red channel.
MY_NET = """
import keras

def build():
    image = keras.Input((16, 20, 3))
    return keras.Model(image, 10 * image[..., :1])
"""


def blotches(seed, size=SIZE):
    coarse = np.random.default_rng(seed).integers(30, 256, (4, 5, 3), np.uint8)
    return Image.fromarray(coarse).resize(size[::-1], Image.Resampling.BILINEAR)


@pytest.fixture
def photos(tmp_path):
    """30 photographs: one upright among wide ones, one cut off, and one in both splits."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(30):
        blotches(number, SIZE[::-1] if number == 4 else SIZE).save(folder / f"{number:02}.png")
    blotches(3).save(folder / "29.jpg", quality=95, subsampling=0)
    (folder / "29.png").unlink()
    (folder / "08.png").write_bytes((folder / "08.png").read_bytes()[:200])
    return folder


@pytest.fixture
def pairs(tmp_path):
    """Flags of 30 pairs whose depth in metres is ten times the red channel."""
    for number in range(30):
        image = blotches(number)
        image.save(tmp_path / f"{number:02}_rgb.png")
        depth = np.asarray(image)[..., 0].astype("uint16")
        Image.fromarray(depth).save(tmp_path / f"{number:02}_depth.png")
    (tmp_path / "my_net.py").write_text(MY_NET)
    return {
        "dataset": "pairs",
        "data_dir": str(tmp_path),
        "image_glob": "*_rgb.png",
        "depth_glob": "*_depth.png",
        "depth_scale": 10 / 255,
    }


def test_frames_alone(photos, tmp_path, capsys):
    folder = tmp_path / "check"
    flags = {"dataset": "folder", "data_dir": str(photos), "output_dir": str(folder)}
    summary = commands.run(check, **flags, input_size=SIZE)
    assert summary == {**json.loads((folder / "summary.json").read_text()), **summary}
    assert (summary["train"]["frames"], summary["train"]["read"]) == (27, 26)
    assert "08.png: cannot be read" in summary["train"]["not_readable"][0]
    (same,) = summary["same_in_both_splits"]
    assert (same["validation"], same["train"]) == ("29.jpg", "03.png")
    assert summary["unusual_training_frames"][0]["frame"] == "04.png"
    assert "width / height 0.8 (usual: 1.25)" in summary["unusual_training_frames"][0]["unusual"]
    assert summary["frames_with_depth"] == 0 and "network" not in summary

    said = capsys.readouterr().out
    for text in (
        "1 of 27 training frames cannot be read",
        "1 of 3 validation frames show the same",
    ):
        assert text in said
    ((_, line),) = summary["next"]
    words = shlex.split(line)
    assert words[2] == "trainers.check" and "--data_dir=" + str(photos) in words
    assert {"--skip_bad_examples=true", "--depth_net=compact"} <= set(words)
    with open(folder / "frames.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 29 and rows[4]["height"] == "20" and rows[4]["median"] == ""
    page = (folder / "report.html").read_text()
    assert page.count("<img") == len(list(folder.glob("*.png"))) == 3
    assert "No frame has measured depth" in page and "width / height" not in page


def test_network(pairs, tmp_path, capsys, tiny_networks):
    folder = tmp_path / "check"
    network = {"depth_net": f"{tmp_path}/my_net.py:build", "depth_input": "unit"}
    summary = commands.run(
        check,
        **pairs,
        **network,
        depth_kind="metric",
        mask_net="tiny",
        batch_size=2,
        output_dir=str(folder),
    )
    assert summary["network"]["images"] == summary["network"]["images_with_depth"] == 3
    # Images and depth maps are resized in different ways.
    assert summary["network"]["rmse"] < 1 and summary["network"]["delta1"] > 0.95
    assert summary["network"]["check_of_depth_kind"]["doubt"] is None
    step = summary["step"]
    assert step["steps"] == 6 * (27 // 2) and (step["mask_net"], step["batch_size"]) == ("tiny", 2)
    assert step["training_seconds"] == pytest.approx(step["seconds"] * step["steps"])
    assert step["first_seconds"] > step["seconds"] > 0 and step["peak_bytes"] > 1e8
    (_, line) = summary["next"][0]
    module = shlex.split(line)
    assert module[2] == "trainers.train_mask" and "--mask_net=tiny" in module
    assert "--batch_size=2" in module and "--depth_kind=metric" in module


def test_wrong_depth_kind(pairs):
    data = commands.options(check, **pairs).data
    raw = Source(data).load("validation")
    networks = {
        "metric": lambda image: 10 - 10 * image[..., :1],
        "inverse": lambda image: 10 * image[..., :1],
    }
    for kind, network in networks.items():
        target = depth_target(network, depth_kind=kind, input_size=SIZE, normalisation="unit")
        (finding,) = checked_network(target, raw).findings
        assert finding.startswith(f"--depth_kind={kind} looks wrong: N's output ")
        assert finding.endswith("Measured on frames of the data set.")


def test_flags_of_no_network(tmp_path):
    with pytest.raises(InputError, match="--depth_kind=inverse: needs --depth_net"):
        commands.run(check, depth_kind="inverse", output_dir=str(tmp_path))
