"""The labelled set in MATLAB's formats: order, axes, file handles, and errors of bad files.

Files hold arrays in MATLAB's order of axes; expected values are the NumPy arrays behind them.
"""

import os
import pathlib

import h5py
import numpy as np
import pytest
import tensorflow as tf
from scipy import io

from tfdepthviz.data import nyu_labeled
from tfdepthviz.utils.errors import InputError
from trainers.cli.data import Data
from trainers.engine.source import Source

COUNT = 5
SPLITS = {"trainNdxs": [4, 1], "testNdxs": [2, 5, 3]}


def write_frames(path, images, depths, raw_depths):
    """A file as `save -v7.3` writes it; arrays as (N, H, W, ...)."""
    arrays = {"images": images.transpose(0, 3, 2, 1)}
    arrays |= {"depths": depths.transpose(0, 2, 1), "rawDepths": raw_depths.transpose(0, 2, 1)}
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, values in arrays.items():
            chunks = (1, *values.shape[1:])
            written = file.create_dataset(name, data=values, chunks=chunks, compression="gzip")
            written.attrs["MATLAB_class"] = np.bytes_(
                {"u": "uint8", "f": "single"}[values.dtype.kind]
            )
    with open(path, "r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\0\2IM")


def write_splits(path, **arrays):
    columns = {name: np.array(values)[:, None] for name, values in {**SPLITS, **arrays}.items()}
    io.savemat(path, columns, do_compression=True)


@pytest.fixture(scope="module")
def arrays():
    """Frames whose depth encodes frame, row and column; every tenth raw pixel is missing."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (COUNT, 48, 64, 3), np.uint8)
    depths = np.arange(COUNT * 480 * 640, dtype="float32").reshape(COUNT, 480, 640) * 1e-6 + 1
    raw_depths = np.where(np.arange(640) % 10, depths, np.float32(0))
    return coarse.repeat(10, axis=1).repeat(10, axis=2), depths, raw_depths


@pytest.fixture(scope="module")
def original(tmp_path_factory, arrays):
    folder = tmp_path_factory.mktemp("nyu")
    write_frames(folder / "nyu_depth_v2_labeled.mat", *arrays)
    write_splits(folder / "splits.mat")
    return folder


@pytest.fixture
def copy(original, tmp_path):
    """A copy of the data set that a test may break."""
    for path in original.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def test_order_of_the_split_and_of_the_axes(original, arrays):
    images, depths, _ = arrays
    for split, name in (("train", "trainNdxs"), ("validation", "testNdxs")):
        data = nyu_labeled.frames(str(original), split).examples()
        numbers = SPLITS[name]
        assert data.cardinality() == len(numbers)
        assert data.element_spec["image"] == tf.TensorSpec((480, 640, 3), tf.uint8)
        assert data.element_spec["depth"] == tf.TensorSpec((480, 640, 1), tf.float32)
        for _ in range(2):
            for number, example in zip(numbers, data.as_numpy_iterator(), strict=True):
                np.testing.assert_array_equal(example["image"], images[number - 1])
                np.testing.assert_array_equal(example["depth"][..., 0], depths[number - 1])


def test_depth_as_measured(original, arrays):
    (example,) = nyu_labeled.frames(str(original), depths="rawDepths").examples().take(1)
    np.testing.assert_array_equal(example["depth"][..., 0], arrays[2][SPLITS["trainNdxs"][0] - 1])
    assert not example["depth"].numpy()[:, ::10].any()


def test_parallel_readers_and_open_files(original):
    data = nyu_labeled.frames(str(original), "validation").examples().prefetch(2)
    both = tf.data.Dataset.zip(data, data.skip(1))
    first, second = next(iter(both.as_numpy_iterator()))
    assert not np.array_equal(first["depth"], second["depth"])
    assert len(list(both)) == 2
    handles = pathlib.Path("/proc/self/fd")
    if handles.is_dir():
        links = [os.readlink(handle) for handle in handles.iterdir() if handle.is_symlink()]
        assert not [link for link in links if link.endswith(".mat")]


def damage(path, name, index):
    """Overwrites the middle of one frame's compressed bytes; returns the frame's number."""
    with h5py.File(path) as file:
        chunk = file[name].id.get_chunk_info_by_coord((index,) + (0,) * (file[name].ndim - 1))
        start = file.userblock_size + chunk.byte_offset
    with open(path, "r+b") as file:
        file.seek(start + chunk.size // 2)
        file.write(b"\xff" * 200)
    return index + 1


def set_depth(path, index, value):
    with h5py.File(path, "r+") as file:
        file["depths"][index, 0, 0] = value
    return index + 1


@pytest.mark.parametrize(
    ("hurt", "says"),
    [
        (lambda path: damage(path, "depths", 4), "cannot be read"),
        (lambda path: damage(path, "images", 2), "cannot be read"),
        (lambda path: set_depth(path, 1, np.nan), "depths must be finite and not negative"),
        (lambda path: set_depth(path, 2, -1), "received -1.0 to"),
        (lambda path: set_depth(path, 4, np.inf), "to inf m"),
    ],
)
def test_unusable_frame_is_named_or_left_out(copy, hurt, says):
    path = copy / "nyu_depth_v2_labeled.mat"
    number = hurt(path)
    source = Source(Data("nyu_labeled", str(copy)))
    with pytest.raises(InputError) as raised, source.named_files():
        list(source.load("validation"))
    message = str(raised.value)
    assert message.startswith(f"{path}, frame {number}: ") and says in message
    assert "\n" not in message
    source = Source(Data("nyu_labeled", str(copy), skip_bad_examples=True))
    with source.named_files():
        assert len(list(source.load("validation"))) == 2
    assert source.skipped == [message]


def test_usable_frames_keep_their_order(copy):
    seen = []
    frames = nyu_labeled.frames(str(copy), "validation")
    assert frames.usable() == (frames, [])
    damage(copy / "nyu_depth_v2_labeled.mat", "depths", 4)
    usable, problems = frames.usable(lambda items: (seen.append(one) or one for one in items))
    assert usable.indices == (1, 2) and len(problems) == 1 and len(seen) == len(frames) == 3


def rewritten(**changes):
    def change(folder):
        with h5py.File(folder / "nyu_depth_v2_labeled.mat", "r+") as file:
            for name, values in changes.items():
                del file[name]
                if values is not None:
                    file[name] = values

    return change


def replaced(name, content):
    return lambda folder: (folder / name).write_bytes(content)


def cut(name, share):
    def change(folder):
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: int(share * len(content))])

    return change


def splits(**arrays):
    return lambda folder: write_splits(folder / "splits.mat", **arrays)


FRAMES, DEPTHS = np.zeros((COUNT, 3, 640, 480), np.uint8), np.ones((COUNT, 640, 480), np.float32)


@pytest.mark.parametrize(
    ("change", "names", "says"),
    [
        (lambda f: (f / "splits.mat").unlink(), "data_dir=", "found no splits.mat"),
        (
            lambda f: (f / "nyu_depth_v2_labeled.mat").unlink(),
            "data_dir=",
            "found no nyu_depth_v2_labeled.mat",
        ),
        (cut("nyu_depth_v2_labeled.mat", 0.7), "labeled.mat", "truncated file"),
        (cut("nyu_depth_v2_labeled.mat", 0.0), "labeled.mat", "not be read as a MATLAB 7.3 file"),
        (replaced("nyu_depth_v2_labeled.mat", b"?" * 9999), "labeled.mat", "signature not found"),
        (rewritten(images=None), "labeled.mat", "received images () missing, depths (5, 640, 480)"),
        (rewritten(depths=None), "labeled.mat", "depths () missing"),
        (rewritten(depths=DEPTHS[:4]), "labeled.mat", "depths (4, 640, 480) float32"),
        (rewritten(depths=DEPTHS.astype("float64")), "labeled.mat", "(5, 640, 480) float64"),
        (rewritten(images=FRAMES.swapaxes(2, 3)), "labeled.mat", "images (5, 3, 480, 640) uint8"),
        (rewritten(images=FRAMES[:0], depths=DEPTHS[:0]), "labeled.mat", "images (0, 3, 640, 480)"),
        (rewritten(images=np.uint8(3)), "labeled.mat", "images () uint8"),
        (cut("splits.mat", 0.6), "splits.mat", "cannot be read as a MATLAB 5 file"),
        (cut("splits.mat", 0.0), "splits.mat", "cannot be read as a MATLAB 5 file"),
        (replaced("splits.mat", bytes(range(256)) * 9), "splits.mat", "cannot be read as a MATLAB"),
        (splits(testNdxs=[2, 6]), "splits.mat", "testNdxs must be numbers of frames, 1 to 5"),
        (splits(trainNdxs=[0, 1]), "splits.mat", "trainNdxs must be numbers of frames, 1 to 5"),
        (splits(trainNdxs=[1.5]), "splits.mat", "received 1.5"),
        (splits(trainNdxs=[np.nan]), "splits.mat", "received nan"),
        (splits(trainNdxs=np.zeros(0)), "splits.mat", "received none"),
        (splits(trainNdxs=["a"]), "splits.mat", "expected numbers of frames in trainNdxs"),
        (splits(trainNdxs=[1, 3]), "splits.mat", "must name no frame twice; frame 3 comes 2 times"),
        (splits(testNdxs=[2, 2]), "splits.mat", "must name no frame twice; frame 2 comes 2 times"),
        (
            lambda f: io.savemat(f / "splits.mat", {"trainNdxs": np.ones((1, 1))}),
            "splits.mat",
            "expected numbers of frames in testNdxs; received no such variable",
        ),
    ],
)
def test_unusable_files_are_named(copy, change, names, says):
    change(copy)
    with pytest.raises(InputError) as raised:
        nyu_labeled.frames(str(copy), "validation")
    message = str(raised.value)
    assert message.split(": ")[0].startswith(
        (names, str(copy / names), str(copy / "nyu_depth_v2_"))
    )
    assert names in message and says in message and str(copy) in message and "\n" not in message
