"""NumPy arrays: .npz files, which may come from strangers, missing depth, and places in a row."""

import io
import zipfile
import zlib

import numpy as np

from tfdepthviz.utils.files import write_whole

# What `read_arrays` raises for a file that is missing, damaged or no .npz file.
UNREADABLE = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error)
# Limit for what an archive unpacks to: 15,000 masks of 228x304 in float32.
MOST_BYTES = 2**32


def evenly(total, count):
    """`count` places evenly spread over `total`, in order; all if there are fewer."""
    count = min(count, total)
    return [(2 * i + 1) * total // (2 * count) for i in range(count)]


def read_arrays(path, names=None):
    """Arrays of an .npz file by name.

    Args:
      path: the file.
      names: which arrays to read; None: all.
    Returns:
      dict of name -> array.
    Raises:
      one of UNREADABLE: the file cannot be read, lacks a name, or unpacks to more than MOST_BYTES.
    """
    # np.load leaves a file open that it cannot read, and gives no archive for an .npy file.
    with open(path, "rb") as file, zipfile.ZipFile(file), np.load(file) as archive:
        names = archive.files if names is None else names
        size = sum(archive.zip.getinfo(f"{name}.npy").file_size for name in names)
        if size > MOST_BYTES:
            raise ValueError(f"unpacks to {size} bytes, at most {MOST_BYTES} are read")
        return {name: archive[name] for name in names}


def write_arrays(path, arrays, *, compressed=True):
    """Writes arrays as an .npz file, whole or not at all.

    Args:
      path: the file; its folder is made.
      arrays: dict of name -> array.
      compressed: smaller, but slower to write.
    Raises:
      WriteError: the file cannot be written.
    """
    stream = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(stream, **arrays)
    write_whole(path, stream.getvalue())


def valid_depth(depth):
    """Where a depth map holds a measurement: finite and above 0.

    `metrics.valid_depth` is the same for tensors.

    Args:
      depth: float array of any shape, metres; 0, negative, NaN or infinite = missing.
    Returns:
      bool array of the same shape.
    """
    return np.isfinite(depth) & (depth > 0)
