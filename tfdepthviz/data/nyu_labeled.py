"""The labelled set of NYU Depth v2 as its makers publish it: 1,449 frames in one MATLAB file.

    DATA_DIR/nyu_depth_v2_labeled.mat   MATLAB 7.3, which is HDF5: images, depths, rawDepths, ...
    DATA_DIR/splits.mat                 MATLAB 5: trainNdxs (795) and testNdxs (654)

Indices count from 1, in the files and in messages. MATLAB lists the axes of an array in the reverse
order of HDF5. Frames are read one at a time: together they take gigabytes.
"""

import dataclasses
import os
from collections.abc import Callable, Iterable

import h5py
import numpy as np
import tensorflow as tf
from scipy import io

from tfdepthviz.utils.errors import InputError, one_line

MAT_FILE = "nyu_depth_v2_labeled.mat"
SPLITS_FILE = "splits.mat"
INDICES = {"train": "trainNdxs", "validation": "testNdxs"}
HEIGHT, WIDTH = 480, 640


@dataclasses.dataclass(frozen=True)
class LabeledFrames:
    """Frames of one .mat file, in order, with the methods of `frame_files.FrameFiles`.

    Attributes:
      path: the .mat file.
      indices: places of the frames in the file, from 0.
      depths: the variable that holds their depth.
    """

    path: str
    indices: tuple[int, ...]
    depths: str = "depths"

    def __len__(self) -> int:
        return len(self.indices)

    def examples(self) -> tf.data.Dataset:
        """Raw examples, cardinality len(indices)."""

        def read(index):
            image, depth = tf.numpy_function(self._read, [index], (tf.uint8, tf.float32))
            image = tf.ensure_shape(image, (HEIGHT, WIDTH, 3))
            return {"image": image, "depth": tf.ensure_shape(depth, (HEIGHT, WIDTH, 1))}

        # HDF5 reads one thing at a time: parallel calls would only wait for each other.
        return tf.data.Dataset.from_tensor_slices(list(self.indices)).map(read)

    def check(self) -> None:
        """Reads every frame, and names the first that cannot be used.

        Raises:
          InputError: a frame cannot be read, or its depth is negative or not finite.
        """
        for index in self.indices:
            self._read(index)

    def usable(
        self, progress: Callable[[Iterable], Iterable] = iter
    ) -> tuple["LabeledFrames", list[str]]:
        """Reads every frame and leaves out those that cannot be used.

        Args, Returns: as for `FrameFiles.usable`.
        """
        problems = list(progress(map(self._problem, self.indices)))
        results = zip(self.indices, problems, strict=True)
        kept = tuple(index for index, problem in results if problem is None)
        return dataclasses.replace(self, indices=kept), [line for line in problems if line]

    def _problem(self, index: int) -> str | None:
        try:
            self._read(index)
        except InputError as error:
            return str(error)
        return None

    def _read(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Image and depth of one frame.

        Each call opens the file: so no handle outlives a reader that stops early, and opening costs
        little compared with reading the frame.
        """
        try:
            with h5py.File(self.path, "r") as file:
                image, depth = file["images"][index], file[self.depths][index]
        except (OSError, KeyError, ValueError, RuntimeError) as error:
            raise InputError(
                f"{self.path}, frame {index + 1}: cannot be read ({one_line(error)})"
            ) from error
        if not 0 <= depth.min() <= depth.max() < np.inf:
            raise InputError(
                f"{self.path}, frame {index + 1}: {self.depths} must be finite and not negative; "
                f"received {depth.min()} to {depth.max()} m"
            )
        return image.transpose(2, 1, 0), depth.T[..., np.newaxis]


def frames(data_dir: str, split: str = "train", *, depths: str = "depths") -> LabeledFrames:
    """Frames of one split, in the order of splits.mat.

    Args:
      data_dir: folder that holds both files.
      split: "train" or "validation" (the test list; the set has no other).
      depths: "depths" (filled in by the set's makers) or "rawDepths" (as measured, 0 = missing).
    Returns:
      LabeledFrames: image (480, 640, 3) uint8, depth (480, 640, 1) float32 metres.
    Raises:
      InputError: a file is missing or cut off, an array is missing or of another shape or type, or
        indices name no frame or one frame twice.
    """
    path, splits = (os.path.join(data_dir, name) for name in (MAT_FILE, SPLITS_FILE))
    for name in (MAT_FILE, SPLITS_FILE):
        if not os.path.isfile(os.path.join(data_dir, name)):
            raise InputError(
                f"data_dir={data_dir}: expected {MAT_FILE} and {SPLITS_FILE} in it, found no {name}"
            )
    return LabeledFrames(path, _indices(splits, split, _frame_count(path, depths)), depths)


def _frame_count(path: str, depths: str) -> int:
    try:
        with h5py.File(path, "r") as file:
            images, depth = (_form(file.get(name)) for name in ("images", depths))
    except (OSError, KeyError, ValueError, RuntimeError) as error:
        raise InputError(
            f"{path}: cannot be read as a MATLAB 7.3 file ({one_line(error)})"
        ) from error
    count = images[0][0] if images[0] else 0
    expected = (count, 3, WIDTH, HEIGHT), "uint8", (count, WIDTH, HEIGHT), "float32"
    if not count or (*images, *depth) != expected:
        raise InputError(
            f"{path}: expected images of (N, 3, {WIDTH}, {HEIGHT}) uint8 and {depths} of "
            f"(N, {WIDTH}, {HEIGHT}) float32; received images {images[0]} {images[1]}, "
            f"{depths} {depth[0]} {depth[1]}"
        )
    return count


def _form(variable) -> tuple[tuple[int, ...], str]:
    """Shape and type of an array of the file."""
    is_array = isinstance(variable, h5py.Dataset)
    return (variable.shape, str(variable.dtype)) if is_array else ((), "missing")


def _indices(path: str, split: str, count: int) -> tuple[int, ...]:
    """Places in the .mat file, from 0, of the frames of one split."""
    arrays = _index_arrays(path)
    for name, values in arrays.items():
        # Negated, so that NaN counts as wrong.
        wrong = values[~((values >= 1) & (values <= count) & (values % 1 == 0))]
        if wrong.size or not values.size:
            received = wrong[0] if wrong.size else "none"
            raise InputError(
                f"{path}: {name} must be numbers of frames, 1 to {count}; received {received}"
            )
    numbers, times = np.unique(np.concatenate(list(arrays.values())), return_counts=True)
    if times.max() > 1:
        raise InputError(
            f"{path}: {' and '.join(arrays)} must name no frame twice; frame "
            f"{int(numbers[times.argmax()])} comes {times.max()} times"
        )
    return tuple(int(number) - 1 for number in arrays[INDICES[split]])


def _index_arrays(path: str) -> dict[str, np.ndarray]:
    try:
        contents = io.loadmat(path, appendmat=False)
    except Exception as error:  # SciPy may raise anything on a broken file
        raise InputError(
            f"{path}: cannot be read as a MATLAB 5 file ({one_line(error)})"
        ) from error
    arrays = {}
    for name in INDICES.values():
        values = contents.get(name)
        if values is None or values.dtype.kind not in "iuf":
            received = "no such variable" if values is None else f"an array of {values.dtype}"
            raise InputError(f"{path}: expected numbers of frames in {name}; received {received}")
        arrays[name] = np.ravel(values).astype("float64")
    return arrays
