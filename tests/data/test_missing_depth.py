"""Missing depth that is not 0: integers, a greatest depth, units, and sets without any depth."""

import numpy as np
import pytest

from tfdepthviz.data import depth_summary, pairs
from tfdepthviz.utils.errors import InputError
from trainers.cli.data import Data
from trainers.engine.source import Source

GLOBS = {"image_glob": "*_rgb.png", "depth_glob": "*_depth.png"}


@pytest.fixture
def sky(tmp_path, write_image, write_depth):
    """20 pairs in centimetres as of Virtual KITTI: 10, 20, ... m; a quarter of each is sky."""
    for number in range(20):
        write_image(tmp_path / f"{number:02}_rgb.png", 8, 12)
        values = np.full((8, 12), 1000 * (number + 1), np.uint16)
        values[:2] = 65535
        write_depth(tmp_path / f"{number:02}_depth.png", values)
    return tmp_path


def depths(folder, **options):
    data = Data("pairs", str(folder), **GLOBS, **{"depth_scale": 0.01} | options)
    return [one["depth"] for one in Source(data).load(None).as_numpy_iterator()]


@pytest.mark.parametrize("options", [{"missing_depth": 65535}, {"max_depth": 300.0}])
def test_sky_is_missing(sky, options, capsys):
    for number, depth in enumerate(depths(sky, **options)):
        assert (depth[:2] == 0).all()
        np.testing.assert_allclose(depth[2:], 10 * (number + 1), rtol=1e-6)
    said, warned = capsys.readouterr()
    # 16 of the 20 frames: their depth is known by hand.
    assert (
        "depth: 75.0% of the pixels valid, median 105 m, 98 % from 10 to 200 m (16 frames)" in said
    )
    assert warned == ""


@pytest.mark.parametrize("options", [{}, {"depth_scale": 1.0}, {"depth_scale": 1e-6}])
def test_a_wrong_unit_is_warned_of(sky, options, capsys):
    depths(sky, **options)
    assert "warning: depth of rooms and streets lies from 0.1 to 300 m" in capsys.readouterr().err


def test_mixed_bit_depths_are_refused(sky, write_depth):
    write_depth(sky / "03_depth.png", np.ones((8, 12), np.uint8))
    with pytest.raises(InputError, match=r"03_depth.png has 8 bits, .*00_depth.png has 16 bits"):
        pairs.files(str(sky), **GLOBS, depth_scale=0.01)


def test_a_set_without_valid_depth_is_refused(sky):
    with pytest.raises(InputError, match="no pixel of its 20 depth maps is valid"):
        depths(sky, max_depth=1.0)


def test_valid_depth_outside_of_the_sample(sky, write_depth):
    for number in range(20):
        write_depth(sky / f"{number:02}_depth.png", np.full((8, 12), number == 1, np.uint16))
    assert sum(depth.any() for depth in depths(sky)) == 1


def test_summary_by_hand():
    maps = [np.array([[0.0, 1.0], [2.0, 3.0]]), np.zeros((2, 2, 1))]
    summary = depth_summary.summarise(maps)
    assert (summary.frames, summary.valid, summary.median) == (2, 3 / 8, 2.0)
    assert summary.low == pytest.approx(1.02) and summary.high == pytest.approx(2.98)
    assert summary.is_plausible
    assert depth_summary.summarise(maps[1:]) is None
