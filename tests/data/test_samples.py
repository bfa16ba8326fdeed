"""The embedded frames: contents, and a split without neighbouring frames."""

import collections
import importlib.resources
import pathlib

import numpy as np
import pytest
from PIL import Image

from tfdepthviz.data import examples, samples


def _numbers(split):
    """Sequence -> frame numbers of a split."""
    numbers = collections.defaultdict(list)
    for path in samples.files(split).images:
        sequence, number = pathlib.Path(path).stem.split("_")
        numbers[sequence].append(int(number))
    return numbers


def test_counts_are_the_stated_ones():
    counts = {
        split: {sequence: len(numbers) for sequence, numbers in _numbers(split).items()}
        for split in ("train", "validation")
    }
    assert counts == {
        "train": {"hololens": 50, "tum": 92},
        "validation": {"hololens": 21, "tum": 22},
    }


def test_no_training_frame_is_near_a_validation_frame():
    train, validation = _numbers("train"), _numbers("validation")
    for sequence in ("hololens", "tum"):
        distances = np.abs(np.subtract.outer(train[sequence], validation[sequence]))
        assert distances.min() > samples.GAP


def test_each_image_goes_with_its_depth():
    for split in ("train", "validation"):
        for image, depth in zip(
            samples.files(split).images, samples.files(split).depths, strict=True
        ):
            assert pathlib.Path(image).stem == pathlib.Path(depth).stem


@pytest.mark.parametrize("split", ["train", "validation"])
def test_frames_are_what_pillow_reads(split):
    frames = samples.files(split)
    data, image_paths, depth_paths = frames.examples(), frames.images, frames.depths
    assert len(data) == len(image_paths)
    for index, example in enumerate(data.take(2).as_numpy_iterator()):
        millimetres = np.asarray(Image.open(depth_paths[index]))
        assert example["image"].shape == (240, 320, 3) and example["image"].dtype == np.uint8
        assert example["depth"].shape == (120, 160, 1) and example["depth"].dtype == np.float32
        np.testing.assert_allclose(example["depth"][:, :, 0], millimetres / 1000, rtol=1e-6)
        # TensorFlow decodes JPEG by a faster and coarser cosine transform than Pillow.
        image = np.asarray(Image.open(image_paths[index]), np.int16)
        assert np.abs(example["image"] - image).mean() < 2
        eager = examples.read_depth(depth_paths[index], samples.METRES_PER_UNIT)
        np.testing.assert_array_equal(eager, example["depth"])


def test_every_frame_is_whole_and_indoors():
    for split in ("train", "validation"):
        samples.files(split).check()
        for path in samples.files(split).depths:
            metres = np.asarray(Image.open(path)) / 1000
            assert 0.3 < np.median(metres[metres > 0]) < 6 and (metres > 0).mean() > 0.3, path


def test_size_and_stated_origin():
    folder = pathlib.Path(str(importlib.resources.files("tfdepthviz.data") / "samples"))
    assert sum(path.stat().st_size for path in folder.iterdir()) < 10e6
    origins = (folder / "README.md").read_text("utf-8")
    for words in ("Sturm", "IROS 2012", "CC BY 4.0", "DeepVideoMVS", "MIT"):
        assert words in origins


def test_unknown_split():
    with pytest.raises(ValueError, match="Received: 'test'"):
        samples.files("test").examples()
