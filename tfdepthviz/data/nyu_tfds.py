"""NYU Depth v2 as TensorFlow Datasets prepares it: 47,584 training and 654 validation frames.

    DATA_DIR/nyu_depth_v2/0.0.1/   dataset_info.json, features.json, *.tfrecord-*

The package `tensorflow-datasets` (this project's extra `tfds`) reads it. This module downloads
nothing; prepare the folder once with

    import tensorflow_datasets as tfds
    tfds.builder("nyu_depth_v2", data_dir=DATA_DIR).download_and_prepare()
"""

import dataclasses
import os
from collections.abc import Callable, Iterable
from typing import Any

import tensorflow as tf

from tfdepthviz.utils.errors import InputError, one_line

NAME = "nyu_depth_v2"
STORED = {
    "image": tf.TensorSpec((480, 640, 3), tf.uint8),
    "depth": tf.TensorSpec((480, 640), tf.float16),
}


@dataclasses.dataclass(frozen=True)
class TfdsFrames:
    """Frames of one split, with the methods of `frame_files.FrameFiles`.

    Attributes:
      builder: tfds.core.DatasetBuilder of the prepared data set.
      split: one of its splits.
    """

    builder: Any
    split: str

    def __len__(self) -> int:
        return self.builder.info.splits[self.split].num_examples

    def examples(self) -> tf.data.Dataset:
        """Raw examples in the order of the files, cardinality len(self)."""
        import tensorflow_datasets as tfds

        # By default TensorFlow Datasets reads 16 files in turns.
        one_by_one = tfds.ReadConfig(interleave_cycle_length=1, try_autocache=False)
        data = self.builder.as_dataset(split=self.split, read_config=one_by_one)
        return data.map(_raw_example, tf.data.AUTOTUNE)

    def check(self) -> None:
        """Reads every frame, and names the first that cannot be read.

        Raises:
          InputError: a file is missing, cut off or altered.
        """
        good = 0
        try:
            for _ in self.examples():
                good += 1
        except tf.errors.OpError as error:
            raise InputError(
                f"{self.builder.data_dir}: {self.split} frames can be read up to number {good} of "
                f"{len(self)} ({one_line(error, 200)}); prepare the data set anew"
            ) from error

    def usable(self, progress: Callable[[Iterable], Iterable] = iter):
        """Refuses: nothing behind a bad record of a file can be read."""
        raise InputError(
            "frames of TensorFlow Datasets cannot be left out one by one; "
            "prepare the data set anew where it is broken"
        )


def frames(data_dir: str, split: str = "train") -> TfdsFrames:
    """Frames of one split of a prepared data set.

    Args:
      data_dir: the folder of TensorFlow Datasets, such as ~/tensorflow_datasets.
      split: "train" or "validation".
    Returns:
      TfdsFrames: image (480, 640, 3) uint8, depth (480, 640, 1) float32 metres, stored as float16
      (a step of 8 mm between 8 and 16 m).
    Raises:
      InputError: tensorflow-datasets is not installed, or the folder holds no such data set.
    """
    try:
        import tensorflow_datasets as tfds
    except ImportError as error:
        raise InputError(
            f"{NAME}: reading it needs TensorFlow Datasets: "
            "pip install tensorflow-datasets, or this project's extra `tfds`"
        ) from error
    if not os.path.isdir(os.path.join(data_dir, NAME)):
        raise InputError(
            f"data_dir={data_dir}: expected {NAME} in it, found none; Python prepares it with "
            f"tensorflow_datasets.builder({NAME!r}, data_dir={data_dir!r}).download_and_prepare()"
        )
    try:
        builder = tfds.core.read_only_builder.builder_from_files(NAME, data_dir=data_dir)
        stored = {name: builder.info.features[name].get_tensor_spec() for name in STORED}
        counts = {name: info.num_examples for name, info in builder.info.splits.items()}
    except Exception as error:  # it may raise anything on a broken or unfinished folder
        raise InputError(
            f"data_dir={data_dir}: its {NAME} cannot be read ({one_line(error, 200)}); "
            "prepare it anew"
        ) from error
    if stored != STORED or not counts.get(split):
        raise InputError(
            f"{builder.data_dir}: expected a split {split} of {_described(STORED)}; received "
            f"splits {counts} of {_described(stored)}"
        )
    return TfdsFrames(builder, split)


def _raw_example(example):
    return {
        "image": example["image"],
        "depth": tf.cast(example["depth"], tf.float32)[..., tf.newaxis],
    }


def _described(features):
    return ", ".join(f"{name} {spec.shape} {spec.dtype.name}" for name, spec in features.items())
