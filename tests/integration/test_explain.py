"""The command explain: photographs in, a page and a folder of pictures for each out."""

import csv
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import commands
import http_answers
import numpy as np
import pytest
import tensorflow as tf
import tiny_nets
from PIL import Image

from tfdepthviz import masks, models
from tfdepthviz.data import samples, transforms
from tfdepthviz.models.scores import scores_net
from tfdepthviz.models.target import DepthTarget
from tfdepthviz.serving.local_model import LocalModel
from tfdepthviz.utils.errors import InputError
from tfdepthviz.utils.files import OUTPUT_MARK
from trainers import explain, export_savedmodel

SIZE = (228, 304)
ROOT = pathlib.Path(__file__).resolve().parents[2]
FILES = {"strip.png", "mask.png", "binary_mask.png", "overlay.png", "depth.png"}
ALL = ["a.png", "inner/b.jpg"]
FILES |= {"masked_depth.png", "maps.npz", "result.json"}


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """photos/{a.png, inner/b.jpg}, smooth and of different sizes."""
    folder = tmp_path_factory.mktemp("data") / "photos"
    rng = np.random.default_rng(0)
    for name, size in (("a.png", (60, 45)), ("inner/b.jpg", (90, 64))):
        coarse = Image.fromarray(rng.integers(0, 256, (6, 8, 3), np.uint8))
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        coarse.resize(size).save(folder / name)
    return folder


def table(folder):
    with open(folder / "results.csv", newline="") as file:
        return list(csv.DictReader(file))


def images_of(rows):
    """Names of the images in a table, each once."""
    return list(dict.fromkeys(row["image"] for row in rows))


def test_command_of_the_readme(photos, tiny_server, tmp_path):
    out = tmp_path / "out"
    # Flags may stand anywhere.
    command = [
        photos / "a.png",
        f"--server={tiny_server}",
        "--model=tiny",
        f"--output_dir={out}",
        photos,
    ]
    ran = subprocess.run(
        [sys.executable, "-m", "trainers.explain", *map(str, command)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    first, second, *_ = ran.stdout.splitlines()
    assert first == "explained 2 images" and second == f"look at: {out}/index.html"
    assert ran.stderr == ""
    assert {path.name for path in out.iterdir()} == {
        *("a", "inner", "explained.json", "results.csv", "results.json", "index.html", OUTPUT_MARK)
    }
    assert images_of(table(out)) == ["a.png", "inner/b.jpg"]


def test_pictures_and_numbers(photos, tiny_server, tiny_model, tmp_path):
    path = photos / "inner/b.jpg"
    threshold = 0.4
    rows = commands.run(
        explain,
        path,
        server=tiny_server,
        model="tiny",
        threshold=threshold,
        output_dir=tmp_path,
    )
    folder = tmp_path / "b"
    assert {file.name for file in folder.iterdir()} == FILES
    asked = LocalModel(tiny_model)
    explained = asked.explain(path.read_bytes(), threshold)
    cut = asked.cut(path.read_bytes(), threshold)
    with np.load(folder / "maps.npz") as maps:
        assert maps["mask"].dtype == np.float32 and maps["mask"].shape == tiny_nets.SIZE
        for name in ("mask", "binary_mask", "depth", "masked_depth"):
            np.testing.assert_array_equal(maps[name], getattr(explained, name), err_msg=name)
        np.testing.assert_array_equal(maps["binary_depth"], cut.binary_depth)
    pictures = {}
    for name in ("mask", "binary_mask", "depth", "masked_depth", "strip", "overlay"):
        with Image.open(folder / f"{name}.png") as picture:
            pictures[name] = np.asarray(picture.convert("RGB"))
    np.testing.assert_allclose(
        pictures["mask"][..., 0] / 255, explained.mask, atol=0.5 / 255 + 1e-6
    )
    np.testing.assert_array_equal(pictures["binary_mask"][..., 1] / 255, explained.binary_mask)
    assert pictures["depth"].shape == (*tiny_nets.SIZE, 3)
    # One colour scale for both: where depth is equal, so are colours, and the ends are stated.
    result = json.loads((folder / "result.json").read_text())
    both = np.stack([explained.depth, explained.masked_depth])
    assert result["colours"]["from"] == pytest.approx(np.percentile(both, 1), rel=1e-5)
    assert result["colours"]["to"] == pytest.approx(np.percentile(both, 99), rel=1e-5)
    assert result["colours"]["unit"] == "m"
    assert (folder / "overlay.png").read_bytes() == asked.overlay(path.read_bytes())
    assert pictures["overlay"].shape == (64, 90, 3)
    assert pictures["strip"].shape[1] > 3 * 320
    row, *_ = rows
    assert (
        row["share"] is None
        and row["sparseness"] == cut.sparseness
        and row["fidelity_rmse"] == cut.fidelity_rmse
    )
    assert row["mask_mean"] == pytest.approx(explained.mask.mean())
    written, *_ = table(tmp_path)
    assert float(written["fidelity_rmse"]) == cut.fidelity_rmse


@pytest.mark.parametrize("way", ["server", "local"])
def test_shares(photos, request, tiny_model, tmp_path, way):
    options = {"keep": (0.05, 0.5, 1.0), "output_dir": tmp_path}
    if way == "server":
        options |= {"server": request.getfixturevalue("tiny_server"), "model": "tiny"}
    else:
        options |= {"savedmodel": tiny_model}
    rows = commands.run(explain, photos, **options)
    model = LocalModel(tiny_model)
    pixels = np.prod(tiny_nets.SIZE)
    written = table(tmp_path)
    assert list(written[0]) == [
        *("image", "share", "sparseness", "fidelity_rmse", "mask_mean", "depth_kind")
    ]
    assert [row["share"] for row in written] == ["", "0.05", "0.5", "1.0"] * 2
    assert [row["share"] for row in rows] == [None, 0.05, 0.5, 1.0] * 2
    for name, of_image in (("a.png", rows[:4]), ("inner/b.jpg", rows[4:])):
        cuts = model.keep((photos / name).read_bytes(), options["keep"])
        assert [row["image"] for row in of_image] == [name] * 4
        for row, cut in zip(of_image[1:], cuts, strict=True):
            assert row["sparseness"] == cut.sparseness == np.float32(cut.binary_mask.mean())
            assert row["fidelity_rmse"] == cut.fidelity_rmse
        assert [c.binary_mask.sum() for c in cuts] == [round(s * pixels) for s in options["keep"]]
        assert of_image[3]["fidelity_rmse"] == 0 < of_image[1]["fidelity_rmse"]
        folder = (tmp_path / name).with_suffix("")
        assert {file.name for file in folder.iterdir()} == FILES
        with np.load(folder / "maps.npz") as maps:
            np.testing.assert_array_equal(maps["binary_mask_0.05"], cuts[0].binary_mask)
            np.testing.assert_array_equal(maps["binary_depth_0.5"], cuts[1].binary_depth)
        with Image.open(folder / "strip.png") as picture:
            # Two rows of six panels of 320 x 240 pixels' area: image, M, M' and three shares.
            assert picture.width > 6 * 250 and picture.height > 2 * 200
    # Run again, nothing is computed again; with other shares, nothing is mixed.
    (tmp_path / "a/strip.png").write_text("left as it is")
    assert commands.run(explain, photos, **options) == rows
    assert (tmp_path / "a/strip.png").read_text() == "left as it is"
    with pytest.raises(InputError, match="holds explanations with other options"):
        commands.run(explain, photos, **options | {"keep": (0.05,)})


def test_shares_of_an_older_model(photos, tmp_path):
    """A model of before the signature `share`."""
    folder = ROOT / "tests/saved_before/savedmodel/1"
    options = {"savedmodel": folder, "output_dir": tmp_path}
    with pytest.raises(InputError, match="has no signature share; it has"):
        commands.run(explain, photos / "a.png", keep=(0.2,), **options)
    assert not (tmp_path / "a").exists()


def test_done_and_bad_images(photos, tiny_server, tmp_path, capsys):
    images, out = tmp_path / "photos", tmp_path / "out"
    (images / "inner").mkdir(parents=True)
    for name in ("a.png", "inner/b.jpg"):
        (images / name).write_bytes((photos / name).read_bytes())
    options = {"server": tiny_server, "model": "tiny", "output_dir": out}
    commands.run(explain, images / "a.png", **options)
    (out / "a/mask.png").write_text("left as it is")
    # What a killed command leaves.
    (out / ".c.1.part").mkdir()
    (images / "c.jpg").write_bytes((photos / "inner/b.jpg").read_bytes()[:1000])
    (images / "d.jpg").write_text("no image")
    with pytest.raises(InputError, match="^2 of 4 images could not be explained, see above$"):
        commands.run(explain, images, **options)
    said = capsys.readouterr()
    assert "explained 1 image; 1 was there" in said.out
    for name in ("c", "d"):
        assert f"skipped {images / name}.jpg: cannot be read as an image" in said.err
        assert not (out / name).exists()
    assert (out / "a/mask.png").read_text() == "left as it is"
    assert images_of(table(out)) == ["a.png", "inner/b.jpg"]


def test_image_that_the_server_refuses(photos, tiny_server, tmp_path, capsys):
    sizes = {n: (photos / n).stat().st_size for n in ("a.png", "inner/b.jpg")}
    # Between the two, in base64.
    big = sum(sizes.values()) / 2 * 4 / 3

    answered = http_answers.relayed(tiny_server)

    def answer(path, body):
        if body and len(body) > big:
            return 413, {"error": "the body is too large"}
        return answered(path, body)

    with http_answers.answering(answer) as server:
        with pytest.raises(InputError, match="^1 of 2 images"):
            commands.run(explain, photos, server=server, model="tiny", output_dir=tmp_path)
    assert images_of(table(tmp_path)) == [min(sizes, key=sizes.get)]
    refused = photos / max(sizes, key=sizes.get)
    assert f"{refused}: {server}, model tiny, version 1: answered 413" in capsys.readouterr().err


def test_server_that_stops(photos, tiny_server, tmp_path):
    answered = http_answers.relayed(tiny_server)
    left = [8]  # status, card, and six questions for the first image

    def answer(path, body):
        left[0] -= 1
        return answered(path, body) if left[0] >= 0 else (404, {"error": "Servable not found"})

    with http_answers.answering(answer) as server:
        options = {"server": server, "model": "tiny", "output_dir": tmp_path}
        with pytest.raises(InputError, match="tiny, version 1: answered 404 .*Servable not"):
            commands.run(explain, photos, **options)
        assert images_of(table(tmp_path)) == ["a.png"]
        left[0] = 100
        assert images_of(commands.run(explain, photos, **options)) == ALL
        # Nothing is asked again but who answers.
        left[0] = 2
        assert images_of(commands.run(explain, photos, **options)) == ALL


def test_rotated_photographs(photos, tiny_model, tmp_path):
    with Image.open(photos / "a.png") as image:
        exif = image.getexif()
        exif[0x0112] = 6  # turned to the right by the viewer
        image.save(tmp_path / "turned.png", exif=exif)
        image.transpose(Image.Transpose.ROTATE_270).save(tmp_path / "upright.png")
    images = [tmp_path / "turned.png", tmp_path / "upright.png"]
    rows = commands.run(explain, *images, savedmodel=tiny_model, output_dir=tmp_path / "out")
    turned, upright = ([row for row in rows if row["image"] == path.name] for path in images)
    assert turned == [{**row, "image": "turned.png"} for row in upright] and len(turned) == 4
    strips = [(tmp_path / f"out/{p.stem}/strip.png").read_bytes() for p in images]
    assert strips[0] == strips[1]


def test_model_without_metres(photos, tmp_path):
    from tfdepthviz import export

    nets = DepthTarget(tiny_nets.depth_net(), "inverse"), tiny_nets.mask_net()
    options = {"card": {}, "warmup": False}
    folder = export.export_savedmodel(*nets, tmp_path / "inverse", **options)
    row, *_ = commands.run(
        explain, photos / "a.png", savedmodel=folder, output_dir=tmp_path / "out"
    )
    assert row["depth_kind"] == "inverse" and row["fidelity_rmse"] >= 0
    result = json.loads((tmp_path / "out/a/result.json").read_text())
    assert result["colours"]["unit"] == "σ"


def test_mistakes(photos, tiny_server, tiny_model, tmp_path):
    out, again = tmp_path / "out", tmp_path / "again" / "a.png"
    again.parent.mkdir()
    again.write_bytes((photos / "a.png").read_bytes())
    one = photos / "a.png"
    ask = {"server": tiny_server, "model": "tiny"}
    for images, options, says in [
        ([], ask, "needs images or folders"),
        ([photos / "none.jpg"], ask, "none.jpg: no such file or folder"),
        ([one, again], ask, r"a.png and .*again.a.png would both become .*out.a;"),
        ([one], {**ask, "threshold": 2.0}, "--threshold=2: must be from 0 to 1"),
        ([one], {**ask, "savedmodel": tiny_model}, "--savedmodel, --server: give one of them"),
        ([one], {**ask, "mask_weights": "x.keras"}, "--server, --mask_weights: give one of them"),
        ([one], {**ask, "depth_net": "compact"}, "--server, --depth_net: give one of them"),
        ([one], {"model": "tiny"}, "--model=tiny: needs --server"),
        ([one], {"depth_weights": "nyu"}, "--depth_weights=nyu: needs a G that was trained for it"),
        ([one], {"server": tiny_server}, "--model: needs the name"),
        ([one], {**ask, "server": "localhost:8501"}, "--server must be an address such as"),
        ([one], {**ask, "model": "other"}, "model other: answered 404"),
        ([one], {"savedmodel": tmp_path}, "expected the folder of one exported version"),
    ]:
        with pytest.raises(InputError, match=says):
            commands.run(explain, *images, output_dir=out, **options)
        assert not out.exists(), says
    commands.run(explain, one, output_dir=out, **ask)
    with pytest.raises(InputError, match="holds explanations with other options"):
        commands.run(explain, one, output_dir=out, threshold=0.5, **ask)
    # The same model gives the same answers when it is loaded instead of asked.
    commands.run(explain, one, output_dir=out, savedmodel=tiny_model)


def test_later_call_keeps_earlier_rows(photos, tiny_model, tmp_path):
    options = {"savedmodel": tiny_model, "keep": (0.2,), "output_dir": tmp_path / "out"}
    first = commands.run(explain, photos / "a.png", **options)
    both = commands.run(explain, photos / "inner", **options)
    assert both[:2] == first and images_of(both) == ["a.png", "b.jpg"]
    assert images_of(table(tmp_path / "out")) == ["a.png", "b.jpg"]
    page = (tmp_path / "out/index.html").read_text()
    sources = re.findall(r"<img alt='.*?' src='(.*?)'", page)
    assert sources == ["a/strip.png", "b/strip.png"]
    assert json.loads((tmp_path / "out/results.json").read_text())["rows"] == both
    other = tmp_path / "a.png"
    Image.new("RGB", (40, 30)).save(other)
    with pytest.raises(InputError, match="out/a holds another image, a.png"):
        commands.run(explain, other, **options)


def test_one_name_with_two_endings(photos, tiny_model, tmp_path):
    with Image.open(photos / "a.png") as image:
        image.save(tmp_path / "a.jpg")
    images = [photos / "a.png", tmp_path / "a.jpg"]
    options = {"savedmodel": tiny_model, "keep": (0.2,), "output_dir": tmp_path / "out"}
    assert images_of(commands.run(explain, *images, **options)) == ["a.jpg", "a.png"]
    assert {path.name for path in (tmp_path / "out").iterdir() if path.is_dir()} == {
        *("a_png", "a_jpg")
    }


def test_run_equals_its_export(photos, finished_run, tiny_networks, tmp_path, capsys):
    """N and G of a run in memory, and what export_savedmodel makes of them."""
    _, workdir = finished_run
    weights = str(workdir / "mask_net.keras")
    exported = {"savedmodel_dir": str(tmp_path / "models"), "max_images": 0, "warmup": False}
    version = commands.run(export_savedmodel, mask_weights=weights, **exported)
    images = [photos / "a.png"]
    rows = commands.run(explain, *images, mask_weights=weights, output_dir=tmp_path / "memory")
    # The next command gets the networks of the run, too.
    words = capsys.readouterr().out.replace("\\\n", "").split()
    assert {"--mask_net=tiny", "--depth_net=tiny", "--input_size=16,20"} <= set(words)
    # Those photographs that it may have been trained on are not rated.
    assert "--split=all" not in words and "trainers.train_mask" not in words
    asked = commands.run(explain, *images, savedmodel=version, output_dir=tmp_path / "export")
    assert rows == asked
    pictures = [(tmp_path / f"{name}/a/strip.png").read_bytes() for name in ("memory", "export")]
    assert pictures[0] == pictures[1]


def test_no_flags(tmp_path):
    """The networks of the package, from a folder outside of the clone."""
    photo = tmp_path / "photos/room.jpg"
    photo.parent.mkdir()
    photo.write_bytes(pathlib.Path(samples.files("validation").images[0]).read_bytes())
    ran = subprocess.run(
        [sys.executable, "-m", "trainers.explain", "photos"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    lines = ran.stdout.splitlines()
    assert lines[:3] == ["explained 1 image", "look at: explained/index.html", "next:"]
    assert all(len(line) <= 100 for line in lines)
    assert "--split=all" in ran.stdout and "trainers.train_mask" in ran.stdout
    rows = table(tmp_path / "explained")
    assert [row["share"] for row in rows] == ["", "0.05", "0.2", "0.36"]
    # The reference: N and top shares of G by hand.
    image = transforms.normalise(
        tf.image.resize(tf.io.decode_image(photo.read_bytes()), SIZE, antialias=True) / 255
    )
    depth_net = models.build_depth_net("compact", weights="default")
    scores = scores_net(models.build_mask_net(weights="default"))(image[None])
    full = depth_net(image[None])
    for row in rows[1:]:
        mask = masks.top_share_mask(scores, [float(row["share"])])
        off = depth_net(masks.apply_mask(image[None], mask)) - full
        assert float(row["fidelity_rmse"]) == pytest.approx(np.sqrt(np.mean(off**2)), rel=1e-4)


def test_no_explanation_of_an_explanation(photos, tiny_model, tmp_path):
    place = tmp_path / "photos"
    shutil.copytree(photos, place)
    options = {"savedmodel": tiny_model, "output_dir": str(place / "out")}
    for _ in range(3):
        rows = commands.run(explain, place, **options)
        assert {row["image"] for row in rows} == {"a.png", "inner/b.jpg"}
    with pytest.raises(InputError, match="received an output folder of tfdepthviz"):
        commands.run(explain, place / "out", **options | {"output_dir": tmp_path / "b"})
    with pytest.raises(InputError, match="holds images that no command wrote"):
        commands.run(explain, place, **options | {"output_dir": place})
