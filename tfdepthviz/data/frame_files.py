"""Frames in files, an image and a depth map each: the form of most data sets."""

import dataclasses
import functools
import os
import re
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

import tensorflow as tf

from tfdepthviz.data import examples, image_files
from tfdepthviz.data.image_sizes import PNG_SIGNATURE
from tfdepthviz.utils.arrays import evenly
from tfdepthviz.utils.errors import InputError

ASPECT_TOLERANCE = 0.02
# Zero bytes, line ends and other control characters, which no file name in a list may hold.
CONTROL = re.compile(r"[\0-\x1f\x7f]")


class OutsideError(InputError):
    """A data set names a file that lies outside of its folders."""


@dataclasses.dataclass(frozen=True)
class FrameFiles:
    """The files of one split, in order.

        frames = FrameFiles(["1.jpg"], ["1.png"], {16: 0.001})
        for example in frames.examples(): ...

    Attributes:
      images: paths of the images, in any format of `image_files`.
      depths: paths of the depth maps (grey PNG) in the order of the images; None: no ground truth.
      metres_per_unit: metres of one step of the stored integers, for each bit depth that the data
        set may use: {16: 0.001}.
      folders: folders that the files must lie in, links followed; (): they may lie anywhere.
      missing_depth: stored integer that stands for missing depth, as well as 0.
      note: which part of the data set these frames are, and what was left out, in words.
    """

    images: list[str]
    depths: list[str] | None = None
    metres_per_unit: Mapping[int, float] | None = None
    folders: tuple[str, ...] = dataclasses.field(default=(), compare=False)
    missing_depth: int | None = None
    note: str = dataclasses.field(default="", compare=False)

    def __len__(self) -> int:
        return len(self.images)

    def examples(self) -> tf.data.Dataset:
        """Raw examples, cardinality len(images).

        Raises:
          InputError: no files, or a file that does not exist.
          OutsideError: a file that lies outside of the folders.
        """
        if not self.images:
            raise InputError("the data set lists no images")
        self._check_places()
        for path in [*self.images, *(self.depths or [])]:
            if not os.path.isfile(path):
                raise InputError(f"{path}: the data set names this file, but it does not exist")
        if self.depths is None:
            files = tf.data.Dataset.from_tensor_slices(_encoded(self.images))
            return files.map(_read_without_depth, tf.data.AUTOTUNE)
        files = tf.data.Dataset.from_tensor_slices(tuple(map(_encoded, (self.images, self.depths))))
        return files.map(
            lambda image_path, depth_path: _same_view(
                examples.read_image(image_path, paired=True),
                self._depth(depth_path),
                depth_path,
            ),
            tf.data.AUTOTUNE,
        )

    def read_depth(self, path: str) -> tf.Tensor:
        """(h, w, 1) float32, metres, of one of the depth maps; 0 = missing."""
        return self._depth(os.fsencode(path))

    def _depth(self, path):
        return examples.read_depth(path, self.metres_per_unit, self.missing_depth)

    def evenly(self, count: int) -> "FrameFiles":
        """`count` frames, evenly spread over the set; all if there are fewer."""
        return self._take(evenly(len(self), count))

    def check(self) -> None:
        """Decodes every file, and names the first that cannot be used.

        This reads everything, so commands call it only after reading has failed somewhere.

        Raises:
          InputError: a file is missing, no image, cut off, or no grey PNG of an accepted bit depth,
            or depth has another field of view than its image.
          OutsideError: a file that lies outside of the folders.
        """
        self._check_places()
        for index in range(len(self)):
            self._check_frame(index)

    def usable(
        self, progress: Callable[[Iterable], Iterable] = iter
    ) -> tuple["FrameFiles", list[str]]:
        """Decodes every file and leaves out the frames that cannot be used.

        Args:
          progress: wraps what is iterated over, one element a frame, as `tqdm` does.
        Returns:
          the usable frames in the same order, and one line for each of the others.
        Raises:
          OutsideError: a file that lies outside of the folders.
        """
        self._check_places()
        with ThreadPoolExecutor() as pool:
            problems = list(progress(pool.map(self._problem, range(len(self)))))
        kept = [index for index, problem in enumerate(problems) if problem is None]
        return self._take(kept), [problem for problem in problems if problem is not None]

    def _check_places(self) -> None:
        """Called before anything is read: a list from a stranger may name any file."""
        roots = tuple(os.path.join(os.path.realpath(folder), "") for folder in self.folders)
        resolved = functools.cache(os.path.realpath)
        for path in [*self.images, *(self.depths or [])] if roots else []:
            folder, name = os.path.split(path)
            place = os.path.join(resolved(folder), name)
            place = os.path.realpath(place) if os.path.islink(place) else place
            if not place.startswith(roots):
                link = "" if os.path.abspath(path) == place else f" (it leads to {place})"
                raise OutsideError(
                    f"{path}: the data set names this file, which lies outside of "
                    f"{self.folders[0]}{link}"
                )

    def _take(self, indices: list[int]) -> "FrameFiles":
        depths = self.depths and [self.depths[index] for index in indices]
        return dataclasses.replace(
            self, images=[self.images[index] for index in indices], depths=depths
        )

    def _problem(self, index: int) -> str | None:
        try:
            self._check_frame(index)
        except InputError as error:
            return str(error)
        return None

    def _check_frame(self, index: int) -> None:
        path = self.images[index]
        if self.depths is None:
            image_files.read(path)
            return
        height, width, _ = image_files.read_paired(path).shape
        depth_path = self.depths[index]
        contents = image_files.contents_of(depth_path)
        (depth_width, depth_height), kind = image_files.described(contents, depth_path)
        bits = contents[24] if contents.startswith(PNG_SIGNATURE) and not contents[25] else None
        if bits not in self.metres_per_unit:
            expected = " or ".join(str(bits) for bits in self.metres_per_unit)
            raise InputError(
                f"{depth_path}: a depth map must be a grey PNG of {expected} bits; received {kind}"
            )
        try:
            self.read_depth(depth_path)
        except tf.errors.OpError as error:
            raise InputError(f"{depth_path}: cannot be read as a PNG file, is it cut?") from error
        if abs(depth_width * height / (depth_height * width) - 1) > ASPECT_TOLERANCE:
            raise InputError(
                f"{depth_path}: depth must show what {path} shows; received depth of "
                f"{depth_height}x{depth_width} for an image of {height}x{width}"
            )


def _encoded(paths):
    """Paths as bytes: not every name of a file is UTF-8, as text in a tensor must be."""
    return [os.fsencode(path) for path in paths]


def _same_view(image: tf.Tensor, depth: tf.Tensor, depth_path: tf.Tensor) -> dict[str, tf.Tensor]:
    height, width = tf.unstack(tf.cast(tf.shape(image)[:2], tf.float32))
    depth_height, depth_width = tf.unstack(tf.cast(tf.shape(depth)[:2], tf.float32))
    stretch = depth_width * height / (depth_height * width)
    tf.debugging.Assert(
        tf.abs(stretch - 1.0) <= ASPECT_TOLERANCE, ["not the image's field of view:", depth_path]
    )
    return {"image": image, "depth": depth}


def _read_without_depth(path: tf.Tensor) -> dict[str, tf.Tensor]:
    image = examples.read_image(path)
    return {"image": image, "depth": tf.zeros_like(image[:, :, :1], tf.float32)}
