"""Joined frames: order, names, and what --skip_bad_examples leaves out."""

import numpy as np
import pytest
from PIL import Image

from tfdepthviz.data.frame_files import FrameFiles
from tfdepthviz.data.joined import JoinedFrames
from tfdepthviz.utils.errors import InputError


def frame_files(folder, levels, size):
    """Frames of one grey level each, with depth of as many millimetres."""
    folder.mkdir()
    images, depths = [], []
    for level in levels:
        images.append(str(folder / f"{level}.jpg"))
        depths.append(str(folder / f"{level}.png"))
        Image.new("RGB", size, (level,) * 3).save(images[-1])
        Image.fromarray(np.full(size[::-1], level, np.uint16)).save(depths[-1])
    return FrameFiles(images, depths, {16: 0.001})


def test_examples_of_both_sizes_in_order(tmp_path):
    first = frame_files(tmp_path / "a", (10, 20), (40, 30))
    second = frame_files(tmp_path / "b", (200,), (60, 45))
    joined = JoinedFrames(first, second)
    examples = joined.examples()
    assert len(joined) == len(examples) == 3
    assert joined.images == [*first.images, *second.images]
    shapes = [example["image"].shape for example in examples]
    assert shapes == [(30, 40, 3), (30, 40, 3), (45, 60, 3)]
    depths = [float(example["depth"][0, 0, 0]) for example in examples]
    np.testing.assert_allclose(depths, [0.01, 0.02, 0.2])


def test_bad_frames_of_the_first_are_left_out(tmp_path):
    first = frame_files(tmp_path / "a", (10, 20), (40, 30))
    second = frame_files(tmp_path / "b", (200,), (60, 45))
    (tmp_path / "a" / "10.jpg").write_bytes(b"not an image")
    joined = JoinedFrames(first, second)
    with pytest.raises(InputError, match=r"10\.jpg"):
        joined.check()
    usable, problems = joined.usable()
    assert usable.images == [first.images[1], *second.images]
    assert len(problems) == 1 and "10.jpg" in problems[0]


def test_frames_without_files_have_numbers(tmp_path):
    second = frame_files(tmp_path / "b", (200,), (60, 45))
    assert JoinedFrames([None, None], second).images == ["frame 0", "frame 1", *second.images]
