"""The TUM layout: both kinds of lists, association by time, the unit, the split."""

import numpy as np
import pytest
from PIL import Image

from tfdepthviz.data import examples, image_files, tum
from tfdepthviz.utils.errors import InputError


def _write_pair(folder, write_image, write_depth, seconds, *, depth_seconds=None):
    """Files of one pair; returns (image pixels, depth integers)."""
    depth_seconds = seconds if depth_seconds is None else depth_seconds
    seed = int(seconds * 1000)
    pixels = write_image(folder / f"rgb/{seconds:.6f}.png", 6, 8, seed)
    values = np.random.default_rng(seed).integers(0, 65536, (6, 8)).astype(np.uint16)
    write_depth(folder / f"depth/{depth_seconds:.6f}.png", values)
    return pixels, values


def test_associations_give_pairs_in_metres(tmp_path, write_image, write_depth):
    later, sooner = (_write_pair(tmp_path, write_image, write_depth, s) for s in (2.0, 1.0))
    (tmp_path / "associations.txt").write_text(
        "# a comment\n2.0 rgb/2.000000.png 2.0 depth/2.000000.png\n\n"
        "1.0,rgb/1.000000.png,1.0,depth/1.000000.png\n"
    )
    data = tum.files(str(tmp_path)).examples()
    assert len(data) == 2
    for example, (pixels, values) in zip(data, (sooner, later), strict=True):
        np.testing.assert_array_equal(example["image"], pixels)
        metres = np.float64(values)[..., None] / 5000
        np.testing.assert_allclose(example["depth"], metres, rtol=1e-6)
        assert example["depth"].dtype == np.float32


def test_eager_reading_equals_the_data_set(tmp_path, write_image, write_depth):
    _write_pair(tmp_path, write_image, write_depth, 1.0)
    (tmp_path / "associations.txt").write_text("1 rgb/1.000000.png 1 depth/1.000000.png\n")
    frames = tum.files(str(tmp_path))
    example = next(iter(frames.examples()))
    (image_path,), (depth_path,) = frames.images, frames.depths
    np.testing.assert_array_equal(image_files.read(image_path), example["image"])
    depth = examples.read_depth(depth_path, tum.METRES_PER_UNIT)
    np.testing.assert_array_equal(depth, example["depth"])


def test_lists_are_paired_by_nearest_time(tmp_path):
    (tmp_path / "rgb.txt").write_text("# time file\n1.000 rgb/a\n1.015 rgb/b\n5.0 rgb/c\n")
    (tmp_path / "depth.txt").write_text("5.021 depth/z\n1.012 depth/x\n0.985 depth/w\n")
    frames = tum.files(str(tmp_path))
    images, depths = frames.images, frames.depths
    # By hand: b-x differ by 3 ms and go first, a-x (12 ms) is taken, a-w (15 ms) remains; c-z
    # differ by 21 ms.
    assert images == [str(tmp_path / "rgb/a"), str(tmp_path / "rgb/b")]
    assert depths == [str(tmp_path / "depth/w"), str(tmp_path / "depth/x")]


def test_the_end_is_held_out_behind_a_gap(tmp_path):
    times = np.arange(0, 10.01, 0.25)
    rows = [f"{time} rgb/{time}.png {time} depth/{time}.png" for time in times]
    (tmp_path / "associations.txt").write_text("\n".join(rows))

    def seconds(split):
        images = tum.files(str(tmp_path), split).images
        return [float(path.split("rgb/")[1].removesuffix(".png")) for path in images]

    assert seconds("validation") == [time for time in times if time >= 8]
    assert seconds("train") == [time for time in times if time < 7.5]
    assert seconds(None) == list(times)


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({}, "expected associations.txt, or rgb.txt and depth.txt"),
        ({"rgb.txt": "1 rgb/a"}, "expected associations.txt, or rgb.txt and depth.txt"),
        ({"associations.txt": "# nothing"}, "give no image with a depth map within 0.02 s"),
        ({"associations.txt": "1 a 1"}, "line 1: expected `time image time depth`; received"),
        ({"associations.txt": "#\nx a 1 b"}, "line 2: expected `time image time depth`; received"),
        ({"associations.txt": "1 a 1 b"}, "names this file, but it does not exist"),
        ({"rgb.txt": "1 a", "depth.txt": "1.03 b"}, "give no image with a depth map within 0.02 s"),
        ({"rgb.txt": "1 a", "depth.txt": "b 1"}, "line 1: expected `time file`; received 'b 1'"),
    ],
)
def test_unusable_lists_are_named(tmp_path, files, says):
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(InputError) as raised:
        tum.files(str(tmp_path)).examples()
    assert says in str(raised.value) and str(tmp_path) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_image_listed_as_depth_is_named(tmp_path, write_image, write_depth):
    _write_pair(tmp_path, write_image, write_depth, 1.0)
    (tmp_path / "associations.txt").write_text("1 depth/1.000000.png 1 rgb/1.000000.png\n")
    with pytest.raises(InputError, match="rgb/1.000000.png: a depth map must be a grey PNG"):
        tum.files(str(tmp_path)).check()


def test_a_sequence_too_short_to_split(tmp_path):
    (tmp_path / "associations.txt").write_text("1.0 a 1.0 b\n1.2 c 1.2 d\n")
    with pytest.raises(InputError, match="2 pairs of image and depth are too few to hold out"):
        tum.files(str(tmp_path), "train").examples()


def test_real_sequence(real_data):
    folder = real_data("tum") / "rgbd_dataset_freiburg1_xyz"
    frames = tum.files(str(folder))
    images, depths = frames.images, frames.depths
    data = frames.examples()
    assert len(data) == len(images) > 0
    example = next(iter(data))
    assert example["image"].shape == (480, 640, 3)
    metres = np.asarray(Image.open(depths[0]))[..., None] / 5000
    np.testing.assert_allclose(example["depth"], metres, rtol=1e-6)
    assert 0.5 < np.median(metres[metres > 0]) < 3
    for split in ("train", "validation"):
        assert 0 < len(tum.files(str(folder), split).examples()) < len(images)
