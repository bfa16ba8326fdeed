"""NYU as TensorFlow Datasets stores it: files from its own writer, in several shards."""

import pathlib
import shutil
import sys

import numpy as np
import pytest
import tensorflow as tf

from tfdepthviz.data import nyu_tfds
from tfdepthviz.utils.errors import InputError
from trainers.cli.data import Data
from trainers.engine.source import Source

tfds = pytest.importorskip("tensorflow_datasets", reason="needs the extra `tfds`")
COUNTS = {"train": 3, "validation": 5}


def stored_examples(count, seed):
    rng = np.random.default_rng(seed)
    for _ in range(count):
        coarse = rng.integers(0, 256, (48, 64, 3), np.uint8)
        depth = rng.uniform(0, 10, (480, 640)).astype("float16")
        yield {"image": coarse.repeat(10, axis=0).repeat(10, axis=1), "depth": depth}


def write(data_dir, counts, depth_type=np.float16):
    folder = data_dir / "nyu_depth_v2/0.0.1"
    folder.mkdir(parents=True)
    version = tfds.core.Version(folder.name)
    identity = tfds.core.DatasetIdentity("nyu_depth_v2", version, str(folder), "")
    features = {
        "image": tfds.features.Image(shape=(480, 640, 3)),
        "depth": tfds.features.Tensor(shape=(480, 640), dtype=depth_type),
    }
    info = tfds.core.DatasetInfo(builder=identity, features=tfds.features.FeaturesDict(features))
    writer = tfds.core.SequentialWriter(info, max_examples_per_shard=2)
    writer.initialize_splits(list(counts))
    for seed, (split, count) in enumerate(counts.items()):
        for example in stored_examples(count, seed):
            writer.add_examples(
                {split: [{**example, "depth": example["depth"].astype(depth_type)}]}
            )
    writer.close_splits(list(counts))
    return data_dir


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    return write(tmp_path_factory.mktemp("tfds"), COUNTS)


@pytest.fixture
def prepared(original, tmp_path):
    """A copy of the prepared data set that a test may break."""
    return pathlib.Path(shutil.copytree(original, tmp_path / "tfds"))


def shard(data_dir, split, number):
    return data_dir / f"nyu_depth_v2/0.0.1/nyu_depth_v2-{split}.tfrecord-{number:05d}"


def test_examples_keep_the_order_of_the_files(prepared):
    for seed, (split, count) in enumerate(COUNTS.items()):
        frames = nyu_tfds.frames(str(prepared), split)
        data = frames.examples()
        assert len(frames) == count == data.cardinality()
        assert data.element_spec["image"] == tf.TensorSpec((480, 640, 3), tf.uint8)
        assert data.element_spec["depth"] == tf.TensorSpec((480, 640, 1), tf.float32)
        frames.check()
        expected = stored_examples(count, seed)
        for example, stored in zip(data.as_numpy_iterator(), expected, strict=True):
            np.testing.assert_array_equal(example["image"], stored["image"])
            np.testing.assert_array_equal(example["depth"][..., 0], stored["depth"])


@pytest.mark.parametrize("how", ["cut", "altered", "gone", "empty"])
def test_broken_file_is_named_with_its_last_good_frame(prepared, how):
    path = shard(prepared, "validation", 1)
    content = path.read_bytes()
    if how == "gone":
        path.unlink()
    elif how == "empty":
        path.write_bytes(b"")
    else:
        path.write_bytes(content[:-99] if how == "cut" else content[:-99] + b"?" * 99)
    good = {"cut": 3, "altered": 3, "gone": 2, "empty": 3}[how]
    source = Source(Data("nyu_tfds", str(prepared)))
    with pytest.raises(InputError) as raised, source.named_files():
        list(source.load("validation"))
    message = str(raised.value)
    assert f"validation frames can be read up to number {good} of 5" in message
    assert message.startswith(str(path.parent)) and "\n" not in message
    text = "^--skip_bad_examples: .*TensorFlow Datasets cannot be left out one by one"
    with pytest.raises(InputError, match=text):
        Source(Data("nyu_tfds", str(prepared), skip_bad_examples=True)).load("validation")


def test_an_unprepared_folder_says_how_to_prepare_it(tmp_path):
    for folder in (tmp_path, tmp_path / "gone"):
        with pytest.raises(InputError) as raised:
            nyu_tfds.frames(str(folder))
        says = f"builder('nyu_depth_v2', data_dir='{folder}').download_and_prepare()"
        assert says in str(raised.value)


@pytest.mark.parametrize("name", ["dataset_info.json", "features.json"])
@pytest.mark.parametrize("content", [None, b"", b"{", b'{"a": 1}', b"\xff\xfe"])
def test_broken_descriptions_are_named(prepared, name, content):
    path = prepared / "nyu_depth_v2/0.0.1" / name
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    with pytest.raises(InputError) as raised:
        nyu_tfds.frames(str(prepared), "validation")
    message = str(raised.value)
    assert f"data_dir={prepared}: its nyu_depth_v2 cannot be read" in message
    assert "prepare it anew" in message and "\n" not in message


def test_other_contents_are_refused(tmp_path):
    write(tmp_path / "a", {"validation": 1})
    with pytest.raises(InputError, match="expected a split train .* splits {'validation': 1}"):
        nyu_tfds.frames(str(tmp_path / "a"), "train")
    write(tmp_path / "b", {"train": 1}, depth_type=np.float32)
    with pytest.raises(InputError, match=r"received .* depth \(480, 640\) float32"):
        nyu_tfds.frames(str(tmp_path / "b"), "train")


def test_missing_package_is_named_with_its_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(InputError, match="pip install tensorflow-datasets, .* extra `tfds`"):
        nyu_tfds.frames(str(tmp_path))
