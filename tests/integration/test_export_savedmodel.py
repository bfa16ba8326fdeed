"""export_savedmodel as a user runs it, after train_mask."""

import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys

import commands
import keras
import numpy as np
import pytest
import tensorflow as tf
import tiny_nets
from PIL import Image

from tfdepthviz import models
from tfdepthviz.data import pipeline
from tfdepthviz.models import build_mask_net
from tfdepthviz.utils.errors import InputError
from trainers import export_savedmodel, train_mask
from trainers.cli.data import Data
from trainers.engine.source import Source

ROOT = pathlib.Path(__file__).resolve().parents[2]
SIZE = tiny_nets.SIZE


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "photos"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(30):
        pixels = rng.integers(0, 256, (*SIZE, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:02}.png")
    return {"dataset": "folder", "data_dir": str(folder)}


@pytest.fixture(scope="module")
def trained(photos, tmp_path_factory):
    """A run on an N of random weights that another seed would draw otherwise."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(models.DEPTH_NETS, "tiny", lambda _: tiny_nets.depth_net())
        patch.setitem(models.MASK_NETS, "tiny", lambda _: tiny_nets.mask_net())
        yield commands.run(
            train_mask,
            **photos,
            input_size=SIZE,
            depth_net="tiny",
            depth_weights="random",
            mask_net="tiny",
            loss=("l1",),
            recipe="paper",
            sparsity_weight=0.7,
            epochs=1,
            seed=3,
            workdir=str(tmp_path_factory.mktemp("runs") / "mine"),
        )


def card_of(version):
    return json.loads((version / "assets.extra" / "card.json").read_text("utf-8"))


def test_options_of_the_run(trained, photos, tmp_path, capsys):
    weights = str(trained / "mask_net.keras")
    base = tmp_path / "served"
    path = commands.run(
        export_savedmodel,
        mask_weights=weights,
        savedmodel_dir=str(base),
        weights_dtype="float16",
        max_images=2,
    )
    assert path == base / "mine" / "1" and f"look at: {path}/" in capsys.readouterr().out
    card = card_of(path)
    assert card["name"] == "mine"
    assert card["depth_net"] == {"name": "tiny", "weights": "random", "input": "imagenet"}
    assert card["mask_net"] == {"name": "tiny", "weights": "mask_net.keras"}
    assert (card["lambda"], card["keep"]) == (0.7, None)
    assert card["training"]["data_dir"] == "photos" and card["training"]["loss"] == ["l1"]
    assert str(trained.parent) not in json.dumps(card)
    assert photos["data_dir"] not in json.dumps(card)

    keras.utils.set_random_seed(3)
    drawn = np.concatenate([w.ravel() for w in tiny_nets.depth_net().get_weights()])
    assert card["weights"]["depth_net"]["sha256"] == hashlib.sha256(drawn.tobytes()).hexdigest()

    # Recompute the figures: the two images, N of the run's seed, NumPy.
    frames = pipeline.spread(
        Source(Data(**photos)).load("validation"), 2, input_size=SIZE, depth_size=SIZE
    )
    image = frames["image"].numpy()
    mask = build_mask_net("tiny", (*SIZE, 3), weights=weights)(image, training=False).numpy()
    loaded = tf.saved_model.load(str(path))
    rgb = image * [0.229, 0.224, 0.225] + [0.485, 0.456, 0.406]
    np.testing.assert_allclose(
        loaded.signatures["mask"](image=tf.cast(rgb, tf.float32))["mask"], mask, atol=2e-3
    )
    validation = card["validation"]
    assert validation["measured"] and validation["data"] == "folder:photos"
    assert (validation["images"], validation["images_in_set"]) == (2, 3)
    row = validation["rows"]["binary_mask"]
    assert row["sparseness"] == pytest.approx(np.mean(mask > 0.025))
    assert row["rmse"] is None  # a folder of images has no ground truth
    files = tf.constant([tf.io.encode_png(np.uint8(np.round(255 * one))).numpy() for one in rgb])
    answer = loaded.signatures["threshold"](image_bytes=files, threshold=[0.025, 0.025])
    fidelity = np.sqrt(np.mean(np.square(answer["fidelity_rmse"])))
    assert row["fidelity_rmse"] == pytest.approx(fidelity, rel=0.02, abs=1e-4)
    rows = card["fidelity_at_shares"]
    assert [row["share"] for row in rows] == [0.05, 0.1, 0.2, 0.36, 0.6]
    for row in rows:
        answer = loaded.signatures["share"](image_bytes=files, share=[row["share"]] * 2)
        fidelity = np.sqrt(np.mean(np.square(answer["fidelity_rmse"])))
        # The exported kernels are rounded, which may exchange a few of the pixels.
        assert row["fidelity_rmse"] == pytest.approx(fidelity, rel=0.05)
        assert set(row) == {
            *("share", "fidelity_rmse", "sobel", "blurred_edges", "random", "random_blocks"),
            "mean_map",
        }
    assert card["rounding"]["measured"] and 0 < card["rounding"]["depth_rmse"] < 0.01


def test_flags_override_the_run(trained, tmp_path):
    common = {
        "mask_weights": str(trained / "mask_net.keras"),
        "savedmodel_dir": str(tmp_path / "served"),
        "name": "other",
        "max_images": 0,
    }
    first = commands.run(export_savedmodel, **common, version=4, warmup=False)
    assert first == tmp_path / "served" / "other" / "4"
    assert card_of(first)["validation"] == {"measured": False}
    assert card_of(first)["fidelity_at_shares"] is None
    assert sorted(p.name for p in (first / "assets.extra").iterdir()) == ["card.json"]
    with pytest.raises(InputError, match="--depth_input=bytes: .* was trained with imagenet"):
        commands.run(export_savedmodel, **common, depth_input="bytes")
    # A copy outside of the run's folder names its N, too; weights alone go with any N.
    copy = shutil.copy(trained / "mask_net.keras", tmp_path / "copy.keras")
    common["mask_weights"] = copy
    with pytest.raises(InputError, match="--depth_net=compact: .* was trained with tiny"):
        commands.run(export_savedmodel, **common, depth_net="compact")
    common["mask_weights"] = str(tmp_path / "g.weights.h5")
    keras.models.load_model(copy).save_weights(common["mask_weights"])
    others = {"depth_net": "tiny", "depth_weights": "random", "mask_net": "tiny"}
    second = commands.run(export_savedmodel, **common, **others, input_size=SIZE)
    assert second.name == "5"
    networks = [card_of(path)["depth_net"] for path in (first, second)]
    assert networks == [{"name": "tiny", "weights": "random", "input": "imagenet"}] * 2
    with pytest.raises(InputError, match="4: this version exists and is never replaced"):
        commands.run(export_savedmodel, **common, version=4)


def test_mistakes(trained, tmp_path):
    weights = str(trained / "mask_net.keras")
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "config.json").write_text("{")
    for options, says in [
        ({"mask_weights": None}, "--mask_weights: needs the weights"),
        ({"mask_weights": str(tmp_path / "none.keras")}, "none.keras"),
        ({"mask_weights": str(broken / "mask_net.keras")}, "config.json: cannot be read as the"),
        ({"name": "../x"}, r"--name=../x: expected letters"),
        ({"dataset": "folder", "data_dir": "nowhere"}, r"nowhere: no such folder \(--max_images=0"),
        ({"depth_net": "hu_resnet50"}, "--depth_net=hu_resnet50: .* was trained with tiny"),
    ]:
        with pytest.raises(InputError, match=says):
            commands.run(
                export_savedmodel,
                **{"mask_weights": weights, "savedmodel_dir": str(tmp_path / "served"), **options},
            )
    assert not (tmp_path / "served").exists()


def test_saved_model_cli(trained, tmp_path, capsys):
    version = commands.run(
        export_savedmodel,
        mask_weights=str(trained / "mask_net.keras"),
        savedmodel_dir=str(tmp_path / "models"),
        max_images=0,
    )
    card = version / "assets.extra/card.json"
    assert f"look at: {card}" in capsys.readouterr().out.splitlines()
    image = np.random.default_rng(0).random((2, 40, 70, 3), "float32")
    np.save(tmp_path / "image.npy", image)
    ran(
        "-m",
        "tensorflow.python.tools.saved_model_cli",
        *("run", "--dir", str(version), "--tag_set", "serve"),
        *("--signature_def", "mask", "--inputs", f"image={tmp_path / 'image.npy'}"),
        *("--outdir", str(tmp_path)),
    )
    loaded = tf.saved_model.load(str(version))
    mask = np.load(tmp_path / "mask.npy")
    assert mask.shape == (2, 40, 70, 1)
    np.testing.assert_allclose(mask, loaded.signatures["mask"](image=image)["mask"], atol=1e-5)


def ran(*words):
    process = subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stderr
    return process
