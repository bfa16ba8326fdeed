"""The command explain_region: a photograph and places in, pictures, tables and a page out."""

import csv
import json
import pathlib

import commands
import numpy as np
import pytest
import tiny_nets
from PIL import Image

from tfdepthviz.reports import region_report
from tfdepthviz.training import regions
from tfdepthviz.training.region_explanation import COLUMNS, CONTROLS, SEARCHED
from tfdepthviz.utils.errors import InputError
from trainers import explain_region

SIZE = HEIGHT, WIDTH = tiny_nets.SIZE
# The photograph is three times as large, and wider than what N sees by the columns 0 to 5.
PHOTO = (3 * HEIGHT, 3 * WIDTH + 12)
FLAGS = {
    "depth_net": "tiny",
    "depth_weights": "random",
    "input_size": SIZE,
    "steps": 10,
    "logit_stride": 2,
    "keep": (0.1, 0.3),
}


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    path = tmp_path_factory.mktemp("photo") / "room.png"
    coarse = Image.fromarray(np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8))
    coarse.resize(PHOTO[::-1]).save(path)
    return str(path)


def test_answers(photo, tmp_path, tiny_networks, capsys):
    out, places = tmp_path / "out", ["--point=30,20", "--box=10,6,28,30"]
    out.mkdir()
    for name in (".tfdepthviz-output", "strip_3.png", "controls_3.png"):
        (out / name).touch()  # of an earlier command with more places
    rows = commands.run(
        explain_region,
        image=(photo,),
        point=((30.0, 20.0),),
        radius=6.0,
        box=((10.0, 6.0, 28.0, 30.0),),
        **FLAGS,
        output_dir=str(out),
    )
    assert list(dict.fromkeys(row["place"] for row in rows)) == places
    with open(out / "results.csv", newline="") as file:
        table = list(csv.DictReader(file))
    assert tuple(table[0]) == ("place", *COLUMNS) and len(table) == len(rows) == 2 * 5 * 2
    saved = json.loads((out / "results.json").read_text())
    assert saved["rows"] == rows and [p["place"] for p in saved["places"]] == places
    assert "--steps=40 --restarts=4" in capsys.readouterr().out
    assert not list(out.glob("*_3.png"))
    page = (out / "index.html").read_text()
    for name in ("strip_1.png", "controls_1.png", "strip_2.png", "controls_2.png"):
        with Image.open(out / name) as picture:
            assert picture.size[0] > 600 and name in page
    with np.load(out / "masks.npz") as arrays:
        arrays = dict(arrays)
    for number in (1, 2):
        masks, scores = arrays[f"masks_{number}"], arrays[f"scores_{number}"]
        assert masks.sum((1, 2)).tolist() == [round(share * HEIGHT * WIDTH) for share in (0.1, 0.3)]
        assert scores[masks[0] > 0].min() >= scores[masks[0] == 0].max()
    # N sees all but 6 columns on each side; each pixel of its output is 6x6 of the photograph's.
    inside = np.zeros((3 * HEIGHT, 3 * WIDTH))
    inside[6:30, 4:22] = 1
    weights = inside.reshape(8, 6, 10, 6).mean((1, 3))
    np.testing.assert_allclose(arrays["region_2"], weights, atol=1e-6)
    (row, _) = [r for r in rows if (r["place"], r["mask"]) == (places[1], SEARCHED)]
    weights /= weights.sum()
    assert row["depth"] == pytest.approx((weights * arrays["depth_2"]).sum(), rel=1e-5)
    for view in ("kept", "deleted"):
        error = arrays[f"{view}_depth_2"][0] - arrays["depth_2"]
        assert row[f"{view}_rmse"] == pytest.approx(np.sqrt((weights * error**2).sum()), rel=1e-4)


def test_depth_range_and_polygon(photo, tmp_path, tiny_networks):
    rows = commands.run(
        explain_region,
        image=(photo,),
        polygon=((10.0, 5.0, 40.0, 5.0, 20.0, 40.0),),
        depth_range=((-100.0, 100.0),),
        **FLAGS | {"keep": (0.2,), "steps": 1, "restarts": 1},
        output_dir=str(tmp_path / "out"),
    )
    whole = [row for row in rows if row["place"] == "--depth_range=-100,100"]
    assert {row["outside"] for row in whole} == {0.0}
    assert [row["mask"] for row in whole] == [SEARCHED, *CONTROLS]


def test_place_that_n_does_not_see(photo, tmp_path, tiny_networks):
    flags = FLAGS | {"output_dir": str(tmp_path / "out"), "image": (photo,)}
    with pytest.raises(InputError, match="--point=2,20: lies outside of what N sees .* 6 to 65 "):
        commands.run(explain_region, point=((2.0, 20.0),), radius=0.0, **flags)
    assert not pathlib.Path(flags["output_dir"]).exists()


def test_outline():
    picture = np.zeros((30, 40, 3), "uint8")
    region = regions.box((30, 40), 10, 8, 20, 18)
    outline = (region_report.outlined(picture, region) == region_report.OUTLINE).all(-1)
    expected = region - regions.box((30, 40), 11, 9, 19, 17)
    np.testing.assert_array_equal(outline, expected)
