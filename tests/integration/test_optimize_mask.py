"""optimize_mask as a user runs it: two frames, a few steps, stopped and continued."""

import csv
import json
import subprocess
import sys

import commands
import keras
import numpy as np
import pytest
import tiny_nets
from PIL import Image

from tfdepthviz import models
from tfdepthviz.training import mask_optimizer
from tfdepthviz.utils.errors import InputError
from tfdepthviz.utils.files import OUTPUT_MARK
from trainers import optimize_mask

SIZE = tiny_nets.SIZE


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for number in range(4):
        pixels = rng.integers(0, 256, (60, 90 + number, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return {"dataset": "folder", "data_dir": str(folder)}


@pytest.fixture
def tiny(monkeypatch):
    """Makes `tiny` a name of networks that see 16x20 pixels; all N have the same weights."""

    def depth_net(_):
        keras.utils.set_random_seed(3)
        return tiny_nets.depth_net()

    monkeypatch.setitem(models.DEPTH_NETS, "tiny", depth_net)
    monkeypatch.setitem(models.MASK_NETS, "tiny", lambda _: tiny_nets.mask_net())


def optimised(folder, photos, **more):
    options = {
        **photos,
        "input_size": SIZE,
        "depth_net": "tiny",
        "depth_weights": "random",
        "mask_net": "tiny",
        "frames": 2,
        "batch_size": 1,
        "steps": 3,
        "output_dir": str(folder),
    }
    return commands.run(optimize_mask, **{**options, **more})


def trained(folder, objective):
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"options": {"objective": objective}}))
    tiny_nets.mask_net().save(folder / "mask_net.keras")
    return str(folder / "mask_net.keras")


def test_masks_pictures_and_numbers(tiny, photos, tmp_path):
    generators = [trained(tmp_path / name, name) for name in ("preserve", "delete")]
    folder = tmp_path / "out"
    rows = optimised(folder, photos, keep=0.3, strips=1, mask_weights=",".join(generators))
    names = ["(3)", "(4) preserve", "(5) delete"]
    # The second and the fourth of four frames.
    assert [(row["frame"], row["mask"]) for row in rows] == [(f, n) for f in (1, 3) for n in names]
    with open(folder / "masks.csv", newline="") as file:
        written = list(csv.DictReader(file))
    assert [float(row["loss"]) for row in written] == [row["loss"] for row in rows]
    content = json.loads((folder / "masks.json").read_text())
    assert list(content["summary"]) == names
    own = [row for row in rows if row["mask"] == "(3)"]
    root = np.sqrt(np.mean([row["binary_fidelity_rmse"] ** 2 for row in own]))
    assert content["summary"]["(3)"]["binary_fidelity_rmse"] == pytest.approx(root)
    assert content["summary"]["(4) preserve"]["iou"] is None
    assert content["options"]["keep"] == 0.3
    for row in own:
        assert row["sparseness"] == pytest.approx(0.3, abs=1 / 320)
        # Binary, so that nothing is lost by making it so.
        assert row["fidelity_rmse"] == row["binary_fidelity_rmse"]
        assert row["steps"] == 3 and row["seconds"] > 0 and 0 <= row["iou"] <= 1
    with np.load(folder / "masks.npz") as file:
        arrays = dict(file)
    assert arrays["frame"].tolist() == [1, 3]
    assert arrays["logits"].shape == arrays["mask"].shape == (2, *SIZE, 1)
    assert arrays["restarts"].shape == (2, 2, *SIZE, 1)
    # The mask is one of the restarts, the one of lowest loss, and what the PNG shows.
    for i, frame in enumerate((1, 3)):
        best = arrays["restart_losses"][i].argmin()
        np.testing.assert_array_equal(arrays["restarts"][i, best], 255 * arrays["mask"][i])
        assert arrays["restart_losses"][i].min() == pytest.approx(own[i]["loss"], rel=1e-4)
        with Image.open(folder / f"mask_{frame:04d}.png") as file:
            png = np.asarray(file)
        np.testing.assert_array_equal(png, 65535 * arrays["mask"][i, ..., 0])
    assert [path.name for path in folder.glob("strip_*")] == ["strip_0001.png"]
    # As wide as four pictures, and one row of them.
    with Image.open(folder / "figure_3.png") as picture:
        width, height = picture.size
    assert width > 4 * 280 and height < 2 * 280
    page = (folder / "report.html").read_text()
    assert "not that the network looks at them" in page and "as many random pixels" in page


def test_stopped_search_continues(tiny, photos, tmp_path, monkeypatch):
    optimised(tmp_path / "whole", photos, sparsity_weight=0.5)
    call, calls = mask_optimizer.MaskOptimizer.__call__, []

    def stop_at_the_second(self, image, **more):
        calls.append(more["first"])
        if len(calls) == 2:
            raise KeyboardInterrupt
        return call(self, image, **more)

    monkeypatch.setattr(mask_optimizer.MaskOptimizer, "__call__", stop_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        optimised(tmp_path / "stopped", photos, sparsity_weight=0.5)
    assert not (tmp_path / "stopped/masks.npz").exists()
    optimised(tmp_path / "stopped", photos, sparsity_weight=0.5)
    assert calls == [0, 1, 1]
    optimised(tmp_path / "stopped", photos, sparsity_weight=0.5, strips=1)
    assert len(calls) == 3
    archives = []
    for name in ("whole", "stopped"):
        with np.load(tmp_path / name / "masks.npz") as file:
            archives.append(dict(file))
    np.testing.assert_array_equal(archives[0]["mask"], archives[1]["mask"])
    with pytest.raises(InputError, match=r"other options \(--steps=4 here, 3 there\)"):
        optimised(tmp_path / "stopped", photos, sparsity_weight=0.5, steps=4)


def test_mistakes(tiny, photos, tmp_path):
    (tmp_path / "file").write_text("")
    for more, named in (
        ({"output_dir": None}, "--output_dir: needs a folder"),
        ({"output_dir": str(tmp_path / "file")}, "--output_dir=.*file: cannot be used"),
        ({"mask_weights": str(tmp_path / "none.keras")}, "none.keras"),
    ):
        with pytest.raises(InputError, match=named):
            optimised(tmp_path / "out", photos, **more)
    bad = tmp_path / "bad"
    bad.mkdir()
    for number in range(2):
        (bad / f"{number}.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(InputError, match="0.png"):
        optimised(tmp_path / "out", {"dataset": "folder", "data_dir": str(bad)})
    assert [path.name for path in (tmp_path / "out").iterdir()] in ([], [OUTPUT_MARK])


def test_command(photos, tmp_path):
    ran = subprocess.run(
        [
            *(sys.executable, "-m", "trainers.optimize_mask", "--dataset=folder"),
            *(f"--data_dir={photos['data_dir']}", "--input_size=32,48", "--frames=2", "--steps=2"),
            *("--objective=delete", "--restarts=1", f"--output_dir={tmp_path / 'out'}"),
        ],
        cwd=optimize_mask.__file__.rsplit("/", 2)[0],
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    assert f"look at: {tmp_path / 'out' / 'report.html'}" in ran.stdout.splitlines()
    assert ran.stderr == ""
    page = (tmp_path / "out/report.html").read_text()
    assert "the pixels that the network misses most" in page
