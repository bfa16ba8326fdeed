"""The Eigen crop: pixels that remain, by hand, and frames of another aspect."""

import numpy as np
import pytest
import tensorflow as tf

from tfdepthviz.data import eigen_crop, pipeline
from tfdepthviz.utils.errors import InputError


def raw_example(height, width):
    depth = 1 + np.arange(height * width, dtype="float32").reshape(height, width, 1)
    return {"image": np.zeros((12, 16, 3), np.uint8), "depth": depth}


@pytest.mark.parametrize(
    ("size", "rows", "columns"),
    [
        ((480, 640), (45, 471), (41, 601)),
        # The middles of rows 22 and 234 are at 45 and 469 of 480, that of row 235 is at 471.
        ((240, 320), (22, 235), (20, 300)),
        ((960, 1280), (90, 942), (82, 1202)),
        # Rounded to whole pixels: 640 * 256 / 480 = 341.3.
        ((256, 341), (24, 251), (22, 320)),
    ],
)
def test_depth_outside_is_missing(size, rows, columns):
    raw = raw_example(*size)
    expected = np.zeros_like(raw["depth"])
    inside = slice(*rows), slice(*columns)
    expected[inside] = raw["depth"][inside]
    (mapped,) = tf.data.Dataset.from_tensors(raw).map(eigen_crop.eigen_crop).as_numpy_iterator()
    for example in (mapped, eigen_crop.eigen_crop(raw)):
        np.testing.assert_array_equal(example["depth"], expected)
        np.testing.assert_array_equal(example["image"], raw["image"])


@pytest.mark.parametrize("size", [(352, 1216), (427, 561), (640, 480), (228, 306)])
def test_another_aspect_is_refused(size):
    data = tf.data.Dataset.from_tensors(raw_example(*size)).map(eigen_crop.eigen_crop)
    with pytest.raises(InputError) as raised, eigen_crop.refusals():
        list(data)
    message = str(raised.value)
    assert message.startswith("the Eigen crop: expected depth maps of 480x640")
    assert "\n" not in message
    assert message.endswith(f"received {size[0]}x{size[1]}")


def test_other_failures_pass_unchanged():
    with pytest.raises(tf.errors.InvalidArgumentError, match="another"), eigen_crop.refusals():
        raise tf.errors.InvalidArgumentError(None, None, "another")


def test_rows_that_the_networks_see():
    raw = raw_example(480, 640)
    raw["image"] = np.zeros((480, 640, 3), np.uint8)
    data = tf.data.Dataset.from_tensors(raw).map(eigen_crop.eigen_crop)
    sizes = {"input_size": (228, 304), "depth_size": (228, 304)}
    (batch,) = pipeline.evaluation_batches(data, **sizes, batch_size=1).as_numpy_iterator()
    seen = batch["depth"][batch["depth"] > 0].astype(int) - 1
    rows, columns = seen // 640, seen % 640
    # Nearest takes every second row and column, and the network's own crop ends at row 467.
    assert (rows.min(), rows.max()) == (45, 467)
    assert (columns.min(), columns.max()) == (41, 599)
