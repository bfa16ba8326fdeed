"""draw_masks as a user runs it: one row for each image, one column for each mask generator."""

import csv
import json

import commands
import keras
import numpy as np
import pytest
import tiny_nets
from PIL import Image

from tfdepthviz import models
from tfdepthviz.utils.errors import InputError
from tfdepthviz.utils.files import OUTPUT_MARK
from trainers import draw_masks

SIZE = tiny_nets.SIZE


def wide_net():
    image = keras.Input((*SIZE, 3))
    return keras.Model(
        image, keras.layers.Conv2D(1, 7, padding="same", activation="sigmoid", name="wide")(image)
    )


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """The files of a run, and weights of another kind of network."""
    folder = tmp_path / "runs"
    for name, build in (("tiny", tiny_nets.mask_net), ("wide", wide_net)):
        monkeypatch.setitem(models.MASK_NETS, name, lambda _, build=build: build())
        (folder / name).mkdir(parents=True)
        build().save(folder / name / "mask_net.keras")
    (folder / "wide/mask_net.keras").rename(folder / "wide.keras")
    return [str(folder / "tiny/mask_net.keras"), str(folder / "wide.keras")]


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for number in range(5):
        pixels = rng.integers(0, 256, (60 + number, 90, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return {"dataset": "folder", "data_dir": str(folder)}


def drawn(folder, photos, weights, **more):
    options = {**photos, "input_size": SIZE, "frames": 2, "output_dir": str(folder)}
    options["mask_nets"] = ("tiny", "wide")
    return commands.run(draw_masks, **{**options, "mask_weights": ",".join(weights), **more})


def test_masks_of_two_generators(photos, weights, tmp_path):
    folder = tmp_path / "out"
    rows = drawn(folder, photos, weights, threshold=0.5)
    # Named after the run, or after the file.
    assert [(row["frame"], row["mask"]) for row in rows] == [
        (frame, mask) for frame in (0, 1) for mask in ("tiny", "wide")
    ]
    with open(folder / "masks.csv", newline="") as file:
        assert [float(row["sparseness"]) for row in csv.DictReader(file)] == [
            row["sparseness"] for row in rows
        ]
    assert json.loads((folder / "masks.json").read_text()) == {"threshold": 0.5, "rows": rows}
    names = [
        f"frame{frame}_{name}.png"
        for frame in (0, 1)
        for name in ("0_image", "1_Sobel_edges", "2_tiny", "3_wide")
    ]
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        [*names, "masks.csv", "masks.json", "masks.png", OUTPUT_MARK]
    )
    # The numbers once more from the pictures, whose 256 levels round a mask by at most 1/510.
    for row, name in zip(rows, [n for n in names if "tiny" in n or "wide" in n], strict=True):
        with Image.open(folder / name) as picture:
            levels = np.asarray(picture)[..., 0] / 255
        assert levels.shape == SIZE
        assert levels.mean() == pytest.approx(row["mean"], abs=0.003)
        near = np.mean(abs(levels - 0.5) < 0.003)
        assert np.mean(levels > 0.5) == pytest.approx(row["sparseness"], abs=near + 1e-6)
    with Image.open(folder / "masks.png") as whole:
        assert whole.width > 4 * 220 and whole.height > 2 * 165


def test_chosen_names_and_one_mask_net_for_all(photos, weights, tmp_path):
    names = ("Hu et al.: ResNet-50", "DRN/A")
    more = {"frames": 1, "mask_nets": ("tiny",), "mask_names": names}
    rows = drawn(tmp_path / "out", photos, [weights[0]] * 2, **more)
    assert [row["mask"] for row in rows] == list(names)
    assert (tmp_path / "out/frame0_2_Hu_et_al_ResNet_50.png").is_file()
    assert (tmp_path / "out/frame0_3_DRN_A.png").is_file()


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"output_dir": None}, "--output_dir: needs a folder"),
        ({"mask_weights": None}, "--mask_weights: needs the files"),
        ({"mask_weights": "nowhere.keras,no.keras"}, "no such file: nowhere.keras"),
        ({"mask_names": ("a", "b", "c")}, "--mask_names=a,b,c: expected one for each of the 2 "),
        ({"mask_nets": ("tiny",) * 3}, "--mask_nets=tiny,tiny,tiny: expected one for each"),
        ({"mask_nets": ("tiny",)}, "wide.keras was made for another network"),
        ({"dataset": "folder", "data_dir": "nowhere"}, "data_dir=nowhere: no such folder"),
    ],
)
def test_mistakes(photos, weights, tmp_path, more, says):
    with pytest.raises(InputError, match=says):
        drawn(tmp_path / "out", photos, weights, **more)
    assert not (tmp_path / "out").exists()
