"""Joined frames: two data sets as one, for training on both."""

import dataclasses

import tensorflow as tf

from tfdepthviz.data.frame_files import FrameFiles


@dataclasses.dataclass(frozen=True)
class JoinedFrames:
    """The frames of `first`, then those of `second`; methods as of FrameFiles.

        frames = JoinedFrames(nyu.files("/data/nyu"), samples.files())

    Attributes:
      first: frames of any data set, files or not.
      second: frames in files.
    """

    first: object
    second: FrameFiles

    def __len__(self) -> int:
        return len(self.first) + len(self.second)

    @property
    def images(self) -> list[str]:
        """Paths of the images; a frame that is no file of its own has its number instead."""
        own = getattr(self.first, "images", None)
        return [*(own or [f"frame {i}" for i in range(len(self.first))]), *self.second.images]

    def examples(self) -> tf.data.Dataset:
        return self.first.examples().concatenate(self.second.examples())

    def check(self) -> None:
        self.first.check()
        self.second.check()

    def usable(self, progress=iter) -> tuple["JoinedFrames", list[str]]:
        first, problems = self.first.usable(progress)
        return JoinedFrames(first, self.second), problems
