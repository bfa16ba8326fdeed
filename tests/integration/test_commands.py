"""The commands as a user runs them, on a tiny data set in the authors' layout.

Two whole runs are processes of their own. Comparisons of numbers call `run` in this process, with
networks of a few weights.
"""

import csv
import json
import pathlib
import subprocess
import sys

import commands
import keras
import numpy as np
import pytest
import tiny_nets
from nyu_files import write_nyu
from PIL import Image

from tfdepthviz import models
from tfdepthviz.models import build_depth_net, build_mask_net
from tfdepthviz.utils.errors import InputError
from trainers import train_depth, train_mask
from trainers.engine import checkpoints

ROOT = pathlib.Path(__file__).resolve().parents[2]
TERMS = ["loss/depth", "loss/gradient", "loss/normal"]
LOGGED = ["loss", *TERMS, "mask/mean", "mask/sparseness", "fidelity/rmse", "rmse"]


@pytest.fixture(scope="module")
def nyu(tmp_path_factory):
    return write_nyu(tmp_path_factory.mktemp("frames") / "data")


def command(name, *flags):
    return subprocess.run(
        [sys.executable, "-m", f"trainers.{name}", *flags],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )


def history(workdir):
    with open(workdir / "history.csv", newline="") as file:
        return list(csv.DictReader(file))


def test_train_depth_then_train_mask(nyu, tmp_path):
    common = [
        "--dataset=nyu",
        f"--data_dir={nyu}",
        "--input_size=64,96",
        "--batch_size=2",
        "--epochs=1",
    ]
    n, g = tmp_path / "n", tmp_path / "g"
    ran = command("train_depth", *common, "--loss=l1,gradient", f"--workdir={n}")
    assert ran.returncode == 0, ran.stderr
    assert f"wrote {n / 'depth_net.keras'}" in ran.stdout and ran.stderr == ""
    (row,) = history(n)
    logged = ["loss", "loss/l1", "loss/gradient", "rmse", "rel"]
    assert set(row) == {"epoch", *logged, *(f"val_{name}" for name in logged)}
    assert all(np.isfinite(float(value)) for value in row.values())

    weights = f"--depth_weights={n / 'depth_net.keras'}"
    paper = (weights, "--recipe=paper", "--mask_net=compact", "--sparsity_weight=2")
    ran = command("train_mask", *common, *paper, f"--workdir={g}")
    assert ran.returncode == 0, ran.stderr
    assert f"wrote {g / 'mask_net.keras'}" in ran.stdout and ran.stderr == ""
    (row,) = history(g)
    assert set(row) == {"epoch", *LOGGED, *(f"val_{name}" for name in LOGGED)}
    for prefix in ("", "val_"):
        total = sum(float(row[prefix + term]) for term in TERMS)
        total += 2 * float(row[f"{prefix}mask/mean"])
        np.testing.assert_allclose(float(row[f"{prefix}loss"]), total, rtol=1e-4)
    config = json.loads((g / "config.json").read_text())
    assert config["command"] == "train_mask" and config["options"]["sparsity_weight"] == 2
    assert config["options"]["input_size"] == [64, 96]
    for run in ("train", "validation", "frames"):
        assert list((g / "logs" / run).glob("events.out.tfevents.*")), run
    # Later commands can read the files.
    build_depth_net("compact", (64, 96, 3), weights=n / "depth_net.keras")
    net = build_mask_net("compact", (64, 96, 3), weights=g / "mask_net.keras")
    loaded = keras.models.load_model(g / "mask_net.keras")
    image = np.random.default_rng(0).normal(size=(1, 64, 96, 3)).astype("float32")
    np.testing.assert_allclose(net(image), loaded(image), atol=1e-6)


@pytest.fixture
def tiny(monkeypatch):
    """Makes `tiny` a name of networks that see 16x20 pixels."""
    nets = {"DEPTH_NETS": lambda _: tiny_nets.depth_net(dropout=0.3)}
    nets["MASK_NETS"] = lambda _: tiny_nets.mask_net()
    for registry, build in nets.items():
        monkeypatch.setitem(getattr(models, registry), "tiny", build)


def options(module, nyu, workdir, **more):
    """Flags of a run of `tiny` networks."""
    flags = {
        "dataset": "nyu",
        "data_dir": nyu and str(nyu),
        "input_size": tiny_nets.SIZE,
        "batch_size": 2,
        "epochs": 2,
        "learning_rate": 1e-2,
        "learning_rate_decay": "cosine",
        "workdir": str(workdir),
    }
    if module is train_mask:
        flags |= {"mask_net": "tiny", "mask_weights": "random", "strips": 1}
        flags |= {"depth_net": "tiny", "depth_weights": "random"}
    else:
        flags["depth_net"] = "tiny"
    return {**flags, **more}


def final_weights(folder):
    (path,) = folder.glob("*_net.keras")
    return keras.models.load_model(path).get_weights()


def stop_after(monkeypatch, epoch):
    """Lets Ctrl-C arrive just after the checkpoint of an epoch is written."""
    save = checkpoints.Checkpoints.save

    def save_and_stop(self, done, step, progress):
        save(self, done, step, progress)
        if done == epoch + 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(checkpoints.Checkpoints, "save", save_and_stop)


# test_resume.py interrupts the recipes, at any moment.
@pytest.mark.parametrize(
    ("module", "more"),
    [(train_depth, {}), (train_mask, {"keep": "0.3"})],
    ids=["depth", "one share"],
)
def test_interrupted_run_continues(module, more, tiny, nyu, tmp_path, monkeypatch, capsys):
    whole = commands.run(module, **options(module, nyu, tmp_path / "whole", **more))
    halves = options(module, nyu, tmp_path / "halves", **more)
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        stop_after(patched, 0)
        commands.run(module, **halves)
    assert not list((tmp_path / "halves").glob("*.keras"))
    commands.run(module, **halves)
    assert "continuing after epoch 1 of 2" in capsys.readouterr().out
    for one, other in zip(final_weights(whole), final_weights(tmp_path / "halves"), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-7)
    assert [row["epoch"] for row in history(tmp_path / "halves")] == ["0", "1"]
    for one, other in zip(history(whole), history(tmp_path / "halves"), strict=True):
        assert {k: round(float(v), 5) for k, v in one.items()} == {
            k: round(float(v), 5) for k, v in other.items()
        }
    # A finished run is not trained again, and its folder may be moved.
    before = (whole / "history.csv").read_bytes()
    moved = whole.rename(tmp_path / "moved")
    commands.run(module, **options(module, nyu, moved, **more))
    assert (moved / "history.csv").read_bytes() == before
    with pytest.raises(InputError, match="other options .--learning_rate=0.5 here, 0.01 there"):
        commands.run(module, **options(module, nyu, moved, learning_rate=0.5, **more))
    other = train_mask if module is train_depth else train_depth
    with pytest.raises(InputError, match="holds a run of train_"):
        commands.run(other, **options(other, nyu, moved))


def test_ranking_by_default(tiny, nyu, tmp_path, capsys):
    folder = commands.run(train_mask, **options(train_mask, nyu, tmp_path / "w"))
    given = json.loads((folder / "config.json").read_text())["options"]
    assert (given["recipe"], given["keep"], given["loss"]) == ("ranking", "0.02:0.9", ["l2"])
    (_, row) = history(folder)
    trained = {"loss", "loss/l2", "mask/mean", "fidelity/rmse", "rmse"}
    rated = {f"fidelity/share_{percent}" for percent in ("05", "10", "20", "36", "60")}
    assert set(row) == {"epoch", *trained, *(f"val_{name}" for name in trained | rated)}
    # Validation shows 36 % of 320 pixels: 115.
    np.testing.assert_allclose(float(row["val_mask/mean"]), 115 / 320, rtol=1e-6)
    assert row["val_fidelity/rmse"] == row["val_fidelity/share_36"]
    assert "M' set to 36.0 % of the pixels of 4 training frames" in capsys.readouterr().out


def test_images_without_ground_truth(tiny, tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "images").mkdir()
    for number in range(5):
        pixels = rng.integers(0, 256, (20 + number, 30, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"images/{number}.png")
    more = {"dataset": "folder", "data_dir": str(tmp_path / "images"), "epochs": 1}
    folder = commands.run(train_mask, **options(train_mask, None, tmp_path / "w", **more))
    (row,) = history(folder)
    assert np.isnan(float(row["rmse"])) and np.isnan(float(row["val_rmse"]))
    assert float(row["val_fidelity/rmse"]) > 0


def test_sparse_depth(tiny, tmp_path):
    drive = "2011_09_26_drive_0001_sync"
    image_name = f"raw/2011_09_26/{drive}/image_02/data/%010d.png"
    depth_name = f"{{}}/{drive}/proj_depth/groundtruth/image_02/%010d.png"
    rng = np.random.default_rng(0)
    for number in range(6):
        steps = rng.integers(256, 20000, (20, 60)) * (rng.random((20, 60)) < 0.2)
        image = rng.integers(0, 256, (20, 60, 3), np.uint8)
        depth_path = depth_name.format("train" if number < 4 else "val") % number
        for path, pixels in ((image_name % number, image), (depth_path, steps.astype(np.uint16))):
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(tmp_path / path)
    more = {"dataset": "kitti", "data_dir": str(tmp_path), "epochs": 1}
    folder = commands.run(train_mask, **options(train_mask, None, tmp_path / "w", **more))
    (row,) = history(folder)
    assert 1 < float(row["rmse"]) < 80 and 1 < float(row["val_rmse"]) < 80


def test_two_replicas(tiny, nyu, tmp_path):
    more = {"optimizer": "sgd", "weight_decay": 0.0, "learning_rate": 0.1}
    folders = [
        commands.run(
            train_mask, **options(train_mask, nyu, tmp_path / strategy, strategy=strategy, **more)
        )
        for strategy in ("single", "mirrored")
    ]
    single, mirrored = (history(folder) for folder in folders)
    assert len(single) == len(mirrored) == 2 and single[0].keys() == mirrored[0].keys()
    for one, other in zip(*(final_weights(folder) for folder in folders), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-5)
    # Two replicas leave out the incomplete last batch of validation.
    for name in (name for name in single[0] if not name.startswith("val_")):
        one, other = (float(rows[0][name]) for rows in (single, mirrored))
        np.testing.assert_allclose(one, other, rtol=1e-4, err_msg=name)


@pytest.mark.parametrize(
    ("module", "more"),
    [(train_depth, {"learning_rate_decay": "none"}), (train_mask, {"recipe": "paper"})],
    ids=["depth", "paper"],
)
def test_two_replicas_continue(module, more, tiny, nyu, tmp_path, capsys):
    """With the moments of the optimiser that commands take by default."""
    flags = options(module, nyu, tmp_path / "w", strategy="mirrored", **more)
    commands.run(module, **flags | {"epochs": 1})
    folder = commands.run(module, **flags)
    assert "continuing after epoch 1 of 2" in capsys.readouterr().out
    assert [row["epoch"] for row in history(folder)] == ["0", "1"]
    assert all(np.isfinite(weight).all() for weight in final_weights(folder))


def test_batches_that_two_replicas_cannot_share(tiny, nyu, tmp_path):
    for batch_size, says in ((3, "2 replicas share a batch"), (4, "fewer validation frames")):
        with pytest.raises(InputError, match=says):
            commands.run(
                train_mask,
                **options(train_mask, nyu, tmp_path, strategy="mirrored", batch_size=batch_size),
            )


@pytest.mark.parametrize(("continues", "said"), [(True, "continues"), (False, "starts over")])
def test_ctrl_c(continues, said):
    script = (
        "import dataclasses\n"
        "from trainers.cli import flags, shared\n"
        "@dataclasses.dataclass(frozen=True)\n"
        "class Options:\n    'Options'\n    seed: int = shared.seed()\n"
        "def run(options):\n    raise KeyboardInterrupt\n"
        f"flags.main(run, Options, continues={continues})\n"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert ended.returncode == 130
    assert ended.stderr.splitlines()[-1] == f"stopped; the same command {said}"
