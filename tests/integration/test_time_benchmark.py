"""benchmarks/time_to_quality.py at a tiny size; no time is asserted."""

import csv
import json
import pathlib

import keras
import numpy as np
import pytest
import scripts
import tiny_nets
from PIL import Image

from tfdepthviz.data import pipeline, samples, transforms
from trainers.cli.target import Target

pytestmark = pytest.mark.slow

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "benchmarks/time_to_quality.py"
SIZE, SHARE = (32, 64), 0.36


@pytest.fixture(autouse=True)
def tiny(tiny_networks, monkeypatch):
    monkeypatch.setattr(tiny_nets, "SIZE", SIZE)


def ran(folder, *more):
    """Runs the benchmark with both recipes on tiny networks; returns its record and output."""
    line = [f"--output={folder / 'time.json'}", f"--height={SIZE[0]}", f"--width={SIZE[1]}"]
    line += ["--depth_net=tiny", "--depth_weights=random", "--mask_net=tiny"]
    line += ["--images=4", "--batch_size=4", "--every=0.5", *more]
    code, out, err = scripts.ran(SCRIPT, line)
    assert code == 0, err
    return json.loads((folder / "time.json").read_text()), out


def edges_distance():
    """Distance from N(I) with 36 % of the pixels, the strongest edges, by NumPy alone."""
    keras.utils.set_random_seed(0)
    target = Target("tiny", depth_weights="random").build(SIZE)
    frames = pipeline.spread(
        samples.files("validation").examples(), 4, input_size=SIZE, depth_size=SIZE
    )["image"].numpy()
    squares = []
    for image in frames:
        rgb = np.asarray(transforms.denormalise(image[None]))[0]
        padded = np.pad(rgb @ [0.2989, 0.5870, 0.1140], 1, mode="edge")
        smooth = padded[:-2] + 2 * padded[1:-1] + padded[2:]
        dx = smooth[:, 2:] - smooth[:, :-2]
        smooth = padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]
        dy = smooth[2:] - smooth[:-2]
        strength = np.hypot(dx, dy).ravel()
        kept = np.zeros(strength.size)
        kept[np.argsort(-strength, kind="stable")[: round(SHARE * strength.size)]] = 1
        shown = image * kept.reshape(*SIZE, 1)
        full, masked = target.net.predict_on_batch(np.stack([image, shown]).astype("float32"))
        squares.append(np.mean((full - masked) ** 2))
    return np.sqrt(np.mean(squares))


def test_limit_and_continuation(tmp_path):
    folder = tmp_path
    record, output = ran(folder, "--times=0.01", "--limit=1.5")
    assert record["goal"]["edges"] == pytest.approx(edges_distance(), rel=1e-3)
    assert record["goal"]["distance"] == pytest.approx(0.01 * record["goal"]["edges"])
    assert [row["recipe"] for row in record["results"]] == ["ranking", "paper"]
    assert output.count("not reached within") == 2 and record["ratio"] is None
    for recipe in ("ranking", "paper"):
        rows = [row for row in record["ratings"] if row["recipe"] == recipe]
        assert rows[0]["step"] == 0 and rows[0]["seconds"] == 0
        seconds = [row["seconds"] for row in rows]
        assert seconds == sorted(set(seconds)) and seconds[-1] >= 1.5
        config = json.loads((folder / "time" / recipe / "config.json").read_text())
        assert config["options"]["recipe"] == recipe and config["command"] == "train_mask"
    with open(folder / "time.csv", newline="") as file:
        assert [row["recipe"] for row in csv.DictReader(file)] == [
            row["recipe"] for row in record["ratings"]
        ]
    with Image.open(folder / "time.png") as picture:
        assert picture.size[0] > 500
    # A limit between the two goes on with one recipe alone.
    first, last = sorted(record["results"], key=lambda row: row["seconds"])
    limit = (first["seconds"] + last["seconds"]) / 2
    more, output = ran(folder, "--times=0.01", f"--limit={limit}")
    assert output.count("measured before") == 1
    for result, goes_on in ((first, True), (last, False)):
        before, now = (
            [row for row in rows["ratings"] if row["recipe"] == result["recipe"]]
            for rows in (record, more)
        )
        assert now[: len(before)] == before and (len(now) > len(before)) == goes_on


def test_goal_that_is_reached(tmp_path):
    # A goal that the first rating meets, so that the recipe ends there.
    record, output = ran(tmp_path, "--times=100", "--limit=60", "--recipes=ranking")
    assert all(row["reached"] and row["seconds"] == 0 for row in record["results"])
    assert output.count("reached after 0 s (0 steps)") == 1


def test_refusals(tmp_path):
    code, _, err = scripts.ran(SCRIPT, ["--recipes=ours"])
    assert code == 1 and "--recipes=ours: expected some of" in err
    (tmp_path / "time").mkdir()
    keys = ("dataset", "data_dir", "images", "times", "height", "width")
    held = dict(zip(keys, ("samples", None, 16, 0.5, 228, 304), strict=True))
    (tmp_path / "time/setting.json").write_text(json.dumps(held))
    code, _, err = scripts.ran(SCRIPT, [f"--output={tmp_path / 'time.json'}"])
    assert code == 1 and "holds ratings with --times=0.5, not 0.88" in err
