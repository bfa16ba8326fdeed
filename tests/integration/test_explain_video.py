"""The command explain_video: a film of what N looks at."""

import csv
import json

import commands
import numpy as np
import pytest
from PIL import Image

from tfdepthviz.data import video
from tfdepthviz.serving.local_model import LocalModel
from tfdepthviz.utils.errors import InputError
from trainers import explain_video

FILES = {"film.mp4", "index.html", "curves.png", "frames.csv", "summary.json", "video.json", "maps"}


@pytest.fixture
def frames(tmp_path):
    """A folder of 3 frames of 45x60 pixels."""
    folder = tmp_path / "corridor"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(3):
        coarse = Image.fromarray(rng.integers(0, 256, (6, 8, 3), np.uint8))
        coarse.resize((60, 45)).save(folder / f"{number}.png")
    return folder


def test_film_and_figures(frames, tiny_model, tmp_path, capsys):
    out = tmp_path / "out"
    rows = commands.run(
        explain_video, clip=(frames,), savedmodel=tiny_model, keep=0.3, output_dir=out
    )
    assert FILES <= {path.name for path in out.iterdir()}
    cuts = [
        LocalModel(tiny_model).keep(path.read_bytes(), 0.3) for path in sorted(frames.iterdir())
    ]
    for row, cut in zip(rows, cuts, strict=True):
        assert row["fidelity_rmse"] == pytest.approx(cut.fidelity_rmse, rel=1e-5)
        assert row["sparseness"] == pytest.approx(0.3, abs=1e-3)
    # What changes between frames, by a second route.
    one, two = (cut.binary_mask.astype(bool) for cut in cuts[:2])
    iou, chance = (one & two).sum() / (one | two).sum(), 0.3 / 1.7
    assert rows[1]["mask_overlap"] == pytest.approx((iou - chance) / (1 - chance), abs=2e-3)
    moved = np.sqrt(np.mean((cuts[1].binary_depth - cuts[0].binary_depth) ** 2))
    assert rows[1]["masked_depth_change"] == pytest.approx(moved, rel=1e-4)
    assert np.isnan(rows[0]["mask_overlap"])
    with open(out / "frames.csv", newline="") as file:
        assert next(csv.DictReader(file))["mask_overlap"] == ""
    assert json.loads((out / "summary.json").read_text())["frames"] == 3
    film = video.open_clip(out / "film.mp4")
    sizes = {rgb.shape for rgb in film.frames()}
    assert film.count == 3 and len(sizes) == 1
    page, said = (out / "index.html").read_text(), capsys.readouterr().out
    assert "src='film.mp4'" in page and "3 frames of corridor" in said
    assert "train_mask --dataset=folder" in said


def test_same_command_continues(frames, tiny_model, tmp_path):
    options = {"savedmodel": tiny_model, "keep": 0.3, "output_dir": tmp_path / "out"}
    first = commands.run(explain_video, clip=(frames,), max_frames=2, **options)
    held = tmp_path / "out/maps/000001.npz"
    before = held.stat().st_mtime_ns
    rows = commands.run(explain_video, clip=(frames,), **options)
    assert len(first) == 2 and len(rows) == 3 and held.stat().st_mtime_ns == before
    with pytest.raises(InputError, match="other options"):
        commands.run(explain_video, clip=(frames,), **options | {"keep": 0.2})
    (frames / "2.png").unlink()  # another clip of the same name
    with pytest.raises(InputError, match="other options"):
        commands.run(explain_video, clip=(frames,), **options)
