"""PandaSet's layout: units, order, and a split without neighbouring frames."""

import numpy as np
import pytest
from PIL import Image

from tfdepthviz.data import pandaset
from tfdepthviz.utils.errors import InputError


def touch(folder, *numbers):
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        for kind in ("rgb.jpg", "depth.png"):
            (folder / f"{number:02}.{kind}").touch()


def names(root, split=None):
    """Frames of a split as CAMERA/NN."""
    frames = pandaset.files(str(root), split)
    for image, depth in zip(frames.images, frames.depths, strict=True):
        assert image.removesuffix(".rgb.jpg") == depth.removesuffix(".depth.png")
    return [path.removeprefix(f"{root}/").removesuffix(".rgb.jpg") for path in frames.images]


def test_frames_are_metres_and_pixels(tmp_path, write_image, write_depth):
    values = np.random.default_rng(0).integers(0, 65536, (36, 64)).astype(np.uint16)
    write_image(tmp_path / "front_camera/04.rgb.jpg", 36, 64)
    write_depth(tmp_path / "front_camera/04.depth.png", values)
    (example,) = pandaset.files(str(tmp_path)).examples()
    assert example["image"].shape == (36, 64, 3)
    np.testing.assert_array_equal(example["depth"][..., 0], np.float32(values) / 256)


def test_sequences_at_any_depth_in_order_of_time(tmp_path):
    touch(tmp_path / "004/front_camera", 8, 100, 12)
    touch(tmp_path / "002/front_camera", 0)
    touch(tmp_path / "002/back_camera", 4)
    (tmp_path / "002/front_camera/cuboids.pkl").touch()
    expected = ["002/back_camera/04", "002/front_camera/00"]
    expected += [f"004/front_camera/{number}" for number in ("08", "12", "100")]
    assert names(tmp_path) == expected
    assert names(tmp_path / "002") == ["back_camera/04", "front_camera/00"]


def test_held_out_end_and_gap(tmp_path):
    touch(tmp_path / "002/front_camera", *range(0, 80, 4))
    touch(tmp_path / "002/back_camera", *range(0, 41, 4))
    touch(tmp_path / "004/front_camera", *range(11))
    # By hand: sequence 002 ends at 76 and is held out from 76 - 76/5 = 60.8, its training ends
    # before 55.8, for both cameras; 004 is held out from 8, its training ends before 3.
    train = [f"002/back_camera/{number:02}" for number in range(0, 41, 4)]
    train += [f"002/front_camera/{number:02}" for number in range(0, 53, 4)]
    train += [f"004/front_camera/{number:02}" for number in (0, 1, 2)]
    assert names(tmp_path, "train") == train
    validation = [f"002/front_camera/{number}" for number in (64, 68, 72, 76)]
    assert names(tmp_path, "validation") == [
        *validation,
        *(f"004/front_camera/{n:02}" for n in (8, 9, 10)),
    ]


def test_completed_depth_of_one_split(tmp_path):
    data, completed = tmp_path / "pandaset", tmp_path / "completed"
    touch(data / "002/front_camera", *range(0, 80, 4))
    for number in range(0, 52, 4):
        touch(completed / "002/front_camera", number)
    train = pandaset.files(str(data), "train", str(completed))
    measured = pandaset.files(str(data), "train")
    assert train.images == measured.images
    assert train.depths == [path.replace(str(data), str(completed)) for path in measured.depths]
    # Completion was interrupted: the missing file is named, and no frame is lost.
    with pytest.raises(InputError, match="completed/.*/52.depth.png: the data set names this file"):
        train.examples()
    validation = pandaset.files(str(data), "validation", str(completed))
    assert validation == pandaset.files(str(data), "validation")
    with pytest.raises(InputError, match="expected depth maps where data_dir has them, such as"):
        pandaset.files(str(data), "train", str(tmp_path / "nowhere"))


@pytest.mark.parametrize(
    ("made", "split", "says"),
    [
        (None, None, "no such folder"),
        ((), None, "expected CAMERA/NN.rgb.jpg and CAMERA/NN.depth.png, found none"),
        ((4, 6), "train", "2 frames are too few to hold out the last fifth of their time"),
    ],
)
def test_unusable_folders_are_named(tmp_path, made, split, says):
    folder = tmp_path / "pandaset"
    if made is not None:
        touch(folder / "front_camera", *made)
    with pytest.raises(InputError) as raised:
        pandaset.files(str(folder), split).examples()
    message = str(raised.value)
    assert says in message and f"data_dir={folder}" in message and "\n" not in message


@pytest.mark.parametrize("gone", ["00.rgb.jpg", "00.depth.png"])
def test_a_file_without_its_partner_is_named(tmp_path, gone):
    touch(tmp_path / "front_camera", 0, 4)
    (tmp_path / "front_camera" / gone).unlink()
    with pytest.raises(InputError, match=f"{gone}: the data set names this file"):
        pandaset.files(str(tmp_path)).examples()


def test_unknown_split():
    with pytest.raises(ValueError, match="Received: 'test'"):
        pandaset.files("", "test")


def test_real_sequence(real_data):
    folder = real_data("pandaset")
    assert len(names(folder)) == 57
    assert (len(names(folder, "train")), len(names(folder, "validation"))) == (42, 12)
    frames = pandaset.files(str(folder))
    frames.check()
    example = next(iter(frames.examples()))
    assert example["image"].shape == (360, 640, 3)
    metres = np.asarray(Image.open(frames.depths[0]))[..., None] / 256
    np.testing.assert_array_equal(example["depth"], metres)
    assert 5 < np.median(metres[metres > 0]) < 60
