"""--removal from a training through evaluation and comparison to an export's card."""

import json

import commands
import keras
import numpy as np
import pytest
import tiny_nets
from nyu_files import write_nyu

from tfdepthviz import models
from tfdepthviz.data import pipeline
from tfdepthviz.export import CARD_FILE
from tfdepthviz.utils.constants import IMAGENET_MEAN, IMAGENET_STD
from tfdepthviz.utils.errors import InputError
from trainers import compare_masks, evaluate, export_savedmodel, train_mask
from trainers.cli.data import Data
from trainers.cli.target import Target
from trainers.engine.source import Source

BLACK = -np.array(IMAGENET_MEAN) / np.array(IMAGENET_STD)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("removal") / "nyu"
    return {"dataset": "nyu", "data_dir": str(write_nyu(folder))}


@pytest.fixture(scope="module", autouse=True)
def tiny():
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(models.DEPTH_NETS, "tiny", lambda _: tiny_nets.depth_net())
        patch.setitem(models.MASK_NETS, "tiny", lambda _: tiny_nets.mask_net())
        yield


@pytest.fixture(scope="module")
def weights(data, tmp_path_factory):
    """G of a run of one epoch with black instead of removed pixels."""
    folder = commands.run(
        train_mask,
        **data,
        depth_net="tiny",
        depth_weights="random",
        mask_net="tiny",
        mask_weights="random",
        removal="black",
        input_size=tiny_nets.SIZE,
        batch_size=2,
        epochs=1,
        strips=1,
        workdir=str(tmp_path_factory.mktemp("runs") / "run"),
    )
    return str(folder / "mask_net.keras")


def fidelity(result):
    return {row["row"]: row["fidelity_rmse"] for row in result.rows}["binary_mask"]


def test_run_decides_and_flag_overrides(data, weights, tmp_path):
    options = {**data, "mask_weights": weights, "strips": 1}
    of_run = commands.run(evaluate, **options, output_dir=str(tmp_path / "run_s"))
    other = commands.run(evaluate, **options, removal="linear", output_dir=str(tmp_path / "linear"))
    assert (of_run.removal, other.removal) == ("black", "linear")
    # The figure of black, by another route.
    keras.utils.set_random_seed(0)
    net = Target("tiny", depth_weights="random").build(tiny_nets.SIZE).net
    mask_net = keras.models.load_model(weights)
    sizes = {"input_size": tiny_nets.SIZE, "depth_size": tiny_nets.SIZE}
    squares = []
    raw = Source(Data(**data)).load("validation")
    for batch in pipeline.evaluation_batches(raw, **sizes, batch_size=2):
        image = batch["image"].numpy()
        shown = np.where(mask_net.predict_on_batch(image) > 0.025, image, BLACK.astype("float32"))
        difference = net.predict_on_batch(shown) - net.predict_on_batch(image)
        squares += list((difference**2).mean(axis=(1, 2, 3)))
    assert fidelity(of_run) == pytest.approx(np.sqrt(np.mean(squares)), rel=1e-4)
    page = (tmp_path / "run_s/report.html").read_text()
    assert "towards black" in page and "towards the mean colour" not in page


def test_comparison_says_what_was_shown(data, weights, tmp_path):
    options = {**data, "mask_weights": weights, "shares": (0.36,), "resamples": 5, "strips": 1}
    options |= {"controls": ("sobel",), "output_dir": str(tmp_path / "out")}
    summary = commands.run(compare_masks, **options, removal="linear")
    assert summary["removal"] == "linear"
    assert "colours between those of the kept pixels" in (tmp_path / "out/report.html").read_text()
    with pytest.raises(InputError, match="--removal=linear: the control optimised needs gradients"):
        commands.run(compare_masks, **options | {"controls": ("optimised",)}, removal="linear")


def test_card(data, weights, tmp_path):
    folder = {"savedmodel_dir": str(tmp_path / "models"), "max_images": 0, "warmup": False}
    version = commands.run(export_savedmodel, mask_weights=weights, **folder)
    card = json.loads((version / CARD_FILE).read_text())
    assert card["removal"] == "black" and card["baseline"] == {"name": "black", "rgb": [0, 0, 0]}
    with pytest.raises(InputError, match="^--removal=linear: .* one of mean, black, noise, blur$"):
        commands.run(export_savedmodel, mask_weights=weights, removal="linear", **folder)
