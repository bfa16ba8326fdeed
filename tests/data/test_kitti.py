"""KITTI's official folders: pairing, units, lists of frames, completed depth, sparse depth."""

import os
import pathlib

import keras
import numpy as np
import pytest
from PIL import Image

from tfdepthviz import metrics
from tfdepthviz.data import kitti, kitti_lists, pipeline
from tfdepthviz.data.kitti_lists import Frame
from tfdepthviz.utils.errors import InputError

DRIVE = "2011_09_26_drive_0001_sync"
OTHER = "2011_10_03_drive_0027_sync"


def number(index):
    return f"{index:010d}"


def image_path(folder, drive, camera, index, suffix=".png"):
    return folder / drive[:10] / drive / camera / "data" / f"{number(index)}{suffix}"


def depth_path(folder, drive, camera, index):
    return folder / drive / "proj_depth/groundtruth" / camera / f"{number(index)}.png"


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return str(path)


def selected(folder, kind, index, camera="image_02"):
    selection = folder / "depth_selection/val_selection_cropped"
    return selection / kind / f"{DRIVE}_{kind}_{number(index)}_{camera}.png"


def paired(frames):
    return list(zip(frames.images, frames.depths, strict=True))


def message_of(call):
    """The message of the error, one line."""
    with pytest.raises(InputError) as raised:
        call()
    assert "\n" not in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize("annotated", ["", "data_depth_annotated"])
@pytest.mark.parametrize("raw", ["", "raw", "any name"])
@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_raw_images_of_training_depth(tmp_path, annotated, raw, suffix):
    expected = []
    for drive, camera, index in (
        (DRIVE, "image_02", 5),
        (DRIVE, "image_02", 12),
        (DRIVE, "image_03", 5),
        (OTHER, "image_02", 5),
    ):
        image = touch(image_path(tmp_path / raw, drive, camera, index, suffix))
        expected.append(
            (image, touch(depth_path(tmp_path / annotated / "train", drive, camera, index)))
        )
    touch(image_path(tmp_path / raw, DRIVE, "image_02", 0, suffix))
    touch(image_path(tmp_path / raw, DRIVE, "image_00", 5, suffix))
    touch(depth_path(tmp_path / annotated / "val", OTHER, "image_03", 7))
    touch(image_path(tmp_path / raw, OTHER, "image_03", 7, suffix))
    assert paired(kitti.files(str(tmp_path), "train")) == expected
    ((image, depth),) = paired(kitti.files(str(tmp_path), "validation"))
    assert OTHER in image and "image_03" in image and image.endswith(f"{number(7)}{suffix}")
    assert "/val/" in depth and "image_03" in depth and depth.endswith(f"{number(7)}.png")


def test_raw_images_next_to_the_annotated_folder(tmp_path):
    folder = tmp_path / "data_depth_annotated"
    depth = touch(depth_path(folder / "train", DRIVE, "image_02", 5))
    image = touch(image_path(tmp_path / "raw", DRIVE, "image_02", 5))
    assert paired(kitti.files(str(folder), "train")) == [(image, depth)]


def test_examples_hold_metres_and_pixels(tmp_path, write_image, write_depth):
    values = np.random.default_rng(0).integers(0, 65536, (6, 20)).astype(np.uint16)
    values[::2] = 0
    pixels = write_image(image_path(tmp_path, DRIVE, "image_02", 5), 6, 20)
    write_depth(depth_path(tmp_path / "train", DRIVE, "image_02", 5), values)
    (example,) = kitti.files(str(tmp_path), "train").examples()
    np.testing.assert_array_equal(example["image"], pixels)
    np.testing.assert_array_equal(example["depth"][..., 0], np.float32(values) / 256)


def test_the_cropped_selection_comes_before_val(tmp_path):
    for index, camera in ((40, "image_03"), (8, "image_02"), (40, "image_02")):
        for kind in ("groundtruth_depth", "image", "velodyne_raw"):
            touch(selected(tmp_path, kind, index, camera))
    touch(depth_path(tmp_path / "val", DRIVE, "image_02", 5))
    touch(image_path(tmp_path, DRIVE, "image_02", 5))
    expected = [
        (
            str(selected(tmp_path, "image", *frame)),
            str(selected(tmp_path, "groundtruth_depth", *frame)),
        )
        for frame in ((8, "image_02"), (40, "image_02"), (40, "image_03"))
    ]
    assert paired(kitti.files(str(tmp_path), "validation")) == expected
    inside = tmp_path / "depth_selection"
    for folder in (inside, inside / "val_selection_cropped"):
        assert paired(kitti.files(str(folder), "validation")) == expected
    # A file that is gone is named, whichever of the two it is.
    for index in range(2):
        gone = pathlib.Path(expected[index][index])
        gone.unlink()
        assert str(gone) in message_of(kitti.files(str(tmp_path), "validation").examples)
        gone.touch()


def test_drives_without_raw_images_are_left_out(tmp_path, caplog):
    for drive, camera in ((DRIVE, "image_02"), (DRIVE, "image_03"), (OTHER, "image_02")):
        for index in (5, 6):
            touch(depth_path(tmp_path / "train", drive, camera, index))
    for index in range(12):
        touch(image_path(tmp_path, DRIVE, "image_02", index))
    assert len(kitti.files(str(tmp_path), "train")) == 2
    (warning,) = caplog.messages
    assert "of 6 depth maps 4 have no raw images and are left out, such as" in warning
    assert str(depth_path(tmp_path / "train", DRIVE, "image_03", 5)) in warning


LINES = {
    f"2011_09_26/{DRIVE}/image_02/data/0000000005.png": Frame(DRIVE, "image_02", number(5)),
    f"2011_09_26/{DRIVE}/image_03/data/0000000005.jpg None 721.5": None,
    f"2011_09_26/{DRIVE}/image_03/data/0000000006.jpg "
    f"{DRIVE}/proj_depth/groundtruth/image_03/0000000006.png 721.5": Frame(
        DRIVE, "image_03", number(6)
    ),
    f"2011_09_26/{DRIVE}/image_02/data/0000000007.jpg "
    f"2011_09_26/{DRIVE}/image_03/data/0000000007.jpg": Frame(DRIVE, "image_02", number(7)),
    f"2011_10_03/{OTHER} 473 r": Frame(OTHER, "image_03", number(473)),
    f"2011_10_03/{OTHER} 0000000473 l": Frame(OTHER, "image_02", number(473)),
}


def test_published_forms_of_lists(tmp_path):
    path = tmp_path / "list.txt"
    path.write_text("\ufeff# a comment\n\n" + "\r\n".join(LINES), encoding="utf-8")
    frames = kitti_lists.read(str(path))
    assert [frame if has_depth else None for frame, has_depth in frames] == list(LINES.values())


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "cannot be read as a text file"),
        (b"\x00\x01", "cannot be read as a text file"),
        (b"\n# nothing\n", "lists no frame; expected lines `DAY/DRIVE_sync/image_02"),
        (
            f"2011_09_26/{DRIVE} 4 r\n7 100 l\n".encode(),
            "line 2: expected `DAY/DRIVE_sync/image_02",
        ),
        (f"2011_09_26/{DRIVE}/image_00/data/0000000005.png".encode(), "line 1: expected `DAY"),
        (
            f"a/{DRIVE}/image_02/data/0000000005.png "
            f"{DRIVE}/proj_depth/groundtruth/image_02/0000000006.png".encode(),
            "0000000006.png'",
        ),
    ],
)
def test_unusable_lists_are_named(tmp_path, content, says):
    path = tmp_path / "list.txt"
    if content is not None:
        path.write_bytes(content)
    message = message_of(lambda: kitti_lists.read(str(path)))
    assert says in message and str(path) in message


def test_listed_images_without_depth_are_left_out(tmp_path, caplog):
    raw, lists = tmp_path / "raw", [tmp_path / "train.txt", tmp_path / "test.txt"]
    for index in range(12):
        touch(image_path(raw, DRIVE, "image_02", index, ".jpg"))
    for index in range(5, 12):
        touch(depth_path(tmp_path / "train", DRIVE, "image_02", index))
    lists[0].write_text(f"2011_09_26/{DRIVE} 10 l\n2011_09_26/{DRIVE} 9 l\n")
    lists[1].write_text("".join(f"2011_09_26/{DRIVE} {index} l\n" for index in (4, 11, 3)))
    both = f"{lists[0]},{lists[1]}"
    # In the order of the list; a drive of train/ may be listed to validate on.
    train = kitti.files(str(tmp_path), "train", image_list=both)
    assert [path[-6:] for path in (*train.images, *train.depths)] == [
        "10.jpg",
        "09.jpg",
        "10.png",
        "09.png",
    ]
    assert caplog.messages == []
    for image_list in (both, str(lists[1])):
        validation = kitti.files(str(tmp_path), "validation", image_list=image_list)
        assert [path[-6:] for path in validation.images] == ["11.jpg"]
    assert f"{lists[1]}: of 3 images 2 have no depth map and are left out" in caplog.messages[0]
    lists[1].write_text(f"2011_09_26/{DRIVE} 4 l\n")
    assert "none of its 1 images has a depth map" in message_of(
        lambda: kitti.files(str(tmp_path), "validation", image_list=both)
    )
    assert "expected TRAINING_LIST,VALIDATION_LIST" in message_of(
        lambda: kitti.files(str(tmp_path), "train", image_list=str(lists[0]))
    )
    gone = image_path(raw, DRIVE, "image_02", 9, ".jpg")
    gone.unlink()
    lists[1].write_text(f"2011_09_26/{DRIVE} 9 l\n2011_09_26/{DRIVE} 10 l\n")
    message = message_of(kitti.files(str(tmp_path), "validation", image_list=both).examples)
    assert message.startswith(str(gone.with_suffix(".png")))


def test_completed_depth_of_one_split(tmp_path):
    data, completed = tmp_path / "kitti", tmp_path / "completed"
    for part, drive in (("train", DRIVE), ("val", OTHER)):
        for index in (5, 6):
            touch(depth_path(data / "data_depth_annotated" / part, drive, "image_02", index))
            touch(image_path(data / "raw", drive, "image_02", index))
    # trainers.complete_depth writes at the data set's own relative path.
    dense = touch(depth_path(completed / "data_depth_annotated/train", DRIVE, "image_02", 5))
    options = {"depth_dir": str(completed)}
    train = kitti.files(str(data), "train", **options)
    assert train.depths[0] == dense and len(train) == 2
    # Completion was interrupted: the missing file is named, and no frame is lost.
    assert f"{number(6)}.png: the data set names this file" in message_of(train.examples)
    validation = kitti.files(str(data), "validation", **options)
    assert validation == kitti.files(str(data), "validation")
    (tmp_path / "list.txt").write_text(f"2011_09_26/{DRIVE} 5 l\n2011_10_03/{OTHER} 6 l\n")
    listed = kitti.files(str(data), "validation", **options, image_list=str(tmp_path / "list.txt"))
    assert listed.depths == [train.depths[0], validation.depths[1]]
    assert f"depth_dir={data / 'raw'}: expected depth maps where data_dir has them" in message_of(
        lambda: kitti.files(str(data), "train", depth_dir=str(data / "raw"))
    )


def test_completed_depth_of_the_selection(tmp_path):
    data, completed = tmp_path / "kitti", tmp_path / "completed"
    for kind in ("image", "groundtruth_depth"):
        touch(selected(data, kind, 8))
    dense = touch(selected(completed, "groundtruth_depth", 8))
    frames = kitti.files(str(data), "validation", str(completed))
    assert paired(frames) == [(str(selected(data, "image", 8)), dense)]
    # Without depth of its own the data set needs only images.
    image = touch(image_path(data, DRIVE, "image_02", 5))
    depth = touch(depth_path(completed / "train", DRIVE, "image_02", 5))
    assert paired(kitti.files(str(data), "train", str(completed))) == [(image, depth)]


@pytest.mark.parametrize(
    ("made", "split", "says"),
    [
        (None, "train", "no such folder"),
        ((), "train", "expected train/DRIVE_sync/proj_depth/groundtruth in it, or in its data_d"),
        ((), "validation", "expected val_selection_cropped/groundtruth_depth or val/DRIVE_sync"),
        (("train",), "train", "found no folder YYYY_MM_DD"),
        (("train", "other image"), "train", "none of its 1 depth maps has an image"),
        (("train", "image of another frame"), "train", "0000000005.png: the data set names"),
        (("empty selection",), "validation", "expected image/DRIVE_sync_image_FRAME_CAMERA.png"),
    ],
)
def test_missing_parts_are_named(tmp_path, made, split, says):
    folder = tmp_path / "kitti"
    if made is not None:
        folder.mkdir()
    for what in made or ():
        if what == "train":
            touch(depth_path(folder / "train", DRIVE, "image_02", 5))
        elif what == "empty selection":
            (folder / "val_selection_cropped/groundtruth_depth").mkdir(parents=True)
        else:
            drive = OTHER if what == "other image" else DRIVE
            touch(image_path(folder, drive, "image_02", 6))
    message = message_of(lambda: kitti.files(str(folder), split).examples())
    assert says in message and str(folder) in message


def test_unknown_split():
    with pytest.raises(ValueError, match="Received: 'test'"):
        kitti.files("", "test")


def test_sparse_depth_keeps_its_values(tmp_path, write_image, write_depth):
    rng = np.random.default_rng(0)
    values = rng.integers(256, 20000, (44, 152)).astype(np.uint16)
    values[rng.random(values.shape) > 0.05] = 0
    write_image(selected(tmp_path, "image", 0), 44, 152)
    write_depth(selected(tmp_path, "groundtruth_depth", 0), values)
    raw = kitti.files(str(tmp_path), "validation").examples()
    for depth_size in ((32, 104), (16, 52)):
        (batch,) = pipeline.evaluation_batches(
            raw, input_size=(32, 104), depth_size=depth_size, batch_size=1
        )
        depth = batch["depth"].numpy()
        assert np.isin(depth, values / 256).all()
        assert 0.02 < (depth > 0).mean() < 0.08
        estimate = rng.uniform(1, 80, depth.shape).astype(np.float32)
        errors = metrics.depth_errors(depth, keras.ops.convert_to_tensor(estimate))
        y, y_hat = depth[depth > 0].astype(np.float64), estimate[depth > 0].astype(np.float64)
        expected = {
            "mse": np.mean((y - y_hat) ** 2),
            "rel": np.mean(np.abs(y - y_hat) / y),
            "delta1": np.mean(np.maximum(y / y_hat, y_hat / y) < 1.25),
        }
        for name, value in expected.items():
            np.testing.assert_allclose(errors[name], [value], rtol=1e-5, err_msg=name)


def test_real_frames(real_data):
    folder = real_data("kitti")
    frames = kitti.files(str(folder), "validation")
    assert len(frames) == 25
    frames.check()
    for image, depth in paired(frames):
        assert os.path.basename(image).replace("_image_0", "_groundtruth_depth_0", 1) == (
            os.path.basename(depth)
        )
    (batch,) = pipeline.evaluation_batches(
        frames.examples().take(1), input_size=(256, 832), depth_size=(256, 832), batch_size=1
    )
    depth = batch["depth"].numpy()
    assert np.isin(depth, np.asarray(Image.open(frames.depths[0])) / 256).all()
    assert 0.02 < (depth > 0).mean() < 0.08 and 5 < np.median(depth[depth > 0]) < 40
