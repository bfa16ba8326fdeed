"""Clips: frames of video files and of folders."""

import sys
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from tfdepthviz.data import video
from tfdepthviz.reports.clip_video import write_video
from tfdepthviz.utils.errors import InputError

# Levels that survive a codec: large patches, far apart.
LEVELS = (40, 100, 160, 220)


def pictures(size=(48, 64)):
    """A bright corner at the top left, on a background that tells the frame."""
    for level in LEVELS:
        rgb = np.full((*size, 3), level // 2, np.uint8)
        rgb[: size[0] // 2, : size[1] // 2] = level
        yield rgb


@pytest.fixture
def film(tmp_path):
    path = tmp_path / "clip.mp4"
    write_video(path, pictures(), Fraction(12))
    return path


def test_frames_of_a_file(film):
    clip = video.open_clip(film)
    assert (clip.name, clip.rate, clip.count) == ("clip", 12, 4)
    for _ in range(2):  # each call begins anew
        for rgb, expected in zip(clip.frames(), pictures(), strict=True):
            np.testing.assert_allclose(rgb[::8, ::8], expected[::8, ::8], atol=16)


def test_turned_file(film):
    # The matrix of the MP4 track header: 90 degrees clockwise, as telephones held upright write it.
    contents = bytearray(film.read_bytes())
    start = contents.index(b"tkhd") + 4 + 40
    turn = [0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30]
    contents[start : start + 36] = b"".join(n.to_bytes(4, "big", signed=True) for n in turn)
    film.write_bytes(contents)
    for rgb, stored in zip(video.open_clip(film).frames(), pictures(), strict=True):
        np.testing.assert_allclose(rgb[::8, ::8], np.rot90(stored, -1)[::8, ::8], atol=16)


def test_every_second_frame(film):
    clip = video.every(video.open_clip(film), 2)
    assert (clip.rate, clip.count) == (6, 2)
    levels = [int(rgb[8, 8, 0]) for rgb in clip.frames()]
    np.testing.assert_allclose(levels, LEVELS[::2], atol=8)


def test_folder_in_the_order_of_numbers(tmp_path):
    for number, rgb in zip((10, 2, 9, 1), pictures(), strict=True):
        Image.fromarray(rgb).save(tmp_path / f"frame_{number}.png")
    clip = video.open_clip(tmp_path)
    assert clip.count == 4
    assert [int(rgb[0, 0, 0]) for rgb in clip.frames()] == [LEVELS[i] for i in (3, 1, 2, 0)]


def test_frames_of_two_sizes(tmp_path):
    Image.new("RGB", (64, 48)).save(tmp_path / "a.png")
    Image.new("RGB", (32, 48)).save(tmp_path / "b.png")
    with pytest.raises(InputError, match="frame 1 has 32x48 pixels, the first 64x48"):
        list(video.open_clip(tmp_path).frames())


def test_no_video(tmp_path, film):
    text = tmp_path / "notes.mp4"
    text.write_text("no video")
    (tmp_path / "empty").mkdir()
    for path, message in (
        (tmp_path / "absent.mp4", "no such file"),
        (text, "no video file that can be read"),
        (tmp_path / "empty", "holds no images"),
    ):
        with pytest.raises(InputError, match=message):
            video.open_clip(path)
    # A list of files is no video, even of files that are.
    listed = tmp_path / "list.mp4"
    listed.write_text(f"ffconcat version 1.0\nfile {film.name}\n")
    with pytest.raises(InputError, match="list.mp4: no video file"):
        video.open_clip(listed)
    # A file that was cut off ends in an error or in fewer frames, never in wrong ones.
    film.write_bytes(film.read_bytes()[:200])
    with pytest.raises(InputError, match="clip.mp4"):
        list(video.open_clip(film).frames())


def test_without_the_extra(film, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(InputError, match=r"tfdepthviz\[video\]"):
        video.open_clip(film)
