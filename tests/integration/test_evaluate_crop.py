"""evaluate --crop=eigen, against frames whose depth is missing outside of the crop."""

import commands
import numpy as np
import pytest
from PIL import Image

from tfdepthviz.utils.errors import InputError
from trainers import evaluate


def write_nyu(folder, outside, size=(48, 64)):
    """Two test pairs whose depth outside of the crop is `outside` millimetres."""
    rng = np.random.default_rng(0)
    folder.mkdir()
    for number in range(2):
        Image.fromarray(rng.integers(0, 256, (*size, 3), np.uint8)).save(folder / f"{number}.png")
        depth = rng.integers(500, 9000, size).astype(np.uint16)
        # Of 48x64, the pixels whose middles lie in rows 45 to 471 and columns 41 to 601 of 480x640.
        inside = np.zeros(size, bool)
        inside[4:47, 4:60] = True
        Image.fromarray(np.where(inside, depth, np.uint16(outside))).save(
            folder / f"{number}_d.png"
        )
    (folder / "nyu2_test.csv").write_text("0.png,0_d.png\n1.png,1_d.png\n")
    return str(folder)


def rated(folder, output, **options):
    return commands.run(
        evaluate,
        dataset="nyu",
        data_dir=folder,
        input_size=(48, 64),
        output_dir=str(output),
        **options,
    ).rows


def test_depth_outside_of_the_crop_is_ignored(tmp_path):
    far, missing = (write_nyu(tmp_path / str(value), value) for value in (60000, 0))
    cropped = rated(far, tmp_path / "a", crop="eigen")
    assert cropped == rated(missing, tmp_path / "b")
    (row,), (whole,) = cropped, rated(far, tmp_path / "c")
    assert row["rmse"] < 10 < whole["rmse"]


def test_frames_of_another_size(tmp_path):
    folder = write_nyu(tmp_path / "wide", 0, size=(48, 96))
    with pytest.raises(InputError, match="--crop=eigen: expected .* received 48x96"):
        rated(folder, tmp_path / "out", crop="eigen")
    assert not (tmp_path / "out").exists()
