"""Reader for the zip format of `torch.save`: tensors in plain containers, and nothing else.

The archive holds a pickle (`data.pkl`) that rebuilds tensors from raw storages (`data/<key>`). A
pickle can call any function it names, so this one may name only those that rebuild tensors.
"""

import collections
import pickle
import zipfile
from pathlib import Path

import numpy as np

from tfdepthviz.errors import InputError

# Bits that NumPy has no type for are read as uint16 and widened by `_as_array`.
BFLOAT16 = "bfloat16"
STORAGES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "BFloat16Storage": BFLOAT16,
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "|i1",
    "ByteStorage": "|u1",
    "BoolStorage": "|b1",
}


def read_torch_zip(path):
    """The object that was saved, tensors as numpy arrays.

    Args:
      path: file of `torch.save`, PyTorch 1.6 or newer.
    Returns:
      dicts, lists and tuples of arrays, numbers and strings, as they were saved.
    Raises:
      InputError: no such file, not this format, damaged, or naming anything but tensors.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"PyTorch checkpoint: no such file: {path}")
    if not zipfile.is_zipfile(path):
        raise InputError(
            f"{path}: not in the zip format of torch.save (PyTorch 1.6 or newer); older files have "
            "to be loaded and saved again there"
        )
    try:
        with zipfile.ZipFile(path) as archive:
            pickles = [name for name in archive.namelist() if name.endswith("data.pkl")]
            if len(pickles) != 1:
                raise InputError(
                    f"{path}: expected one data.pkl in the archive, found {len(pickles)}"
                )
            folder = pickles[0][: -len("data.pkl")]
            byteorder = f"{folder}byteorder"
            if byteorder in archive.namelist() and archive.read(byteorder) != b"little":
                raise InputError(f"{path}: written on a big-endian machine, which is not supported")
            with archive.open(pickles[0]) as stream:
                return _TensorUnpickler(stream, archive, folder).load()
    except InputError:
        raise
    except Exception as error:  # whatever a damaged or crafted pickle makes Python raise
        raise InputError(f"{path}: not a readable torch.save file ({error})") from error


def _as_array(data, dtype):
    if dtype != BFLOAT16:
        return np.frombuffer(data, dtype)
    return (np.frombuffer(data, "<u2").astype("<u4") << 16).view("<f4")


def _rebuild_tensor(storage, offset, size, stride, *_):
    """A view of the storage, after making sure that it stays inside."""
    inside = all(n >= 0 and s >= 0 for n, s in zip(size, stride, strict=True)) and offset >= 0
    last = offset + sum((n - 1) * s for n, s in zip(size, stride, strict=True))
    if not inside or (0 not in size and last >= storage.size):
        raise pickle.UnpicklingError("a tensor reaches beyond its storage")
    if int(np.prod(size, dtype=object)) > storage.size:
        raise pickle.UnpicklingError("a tensor is larger than its storage")
    strides = [s * storage.itemsize for s in stride]
    return np.lib.stride_tricks.as_strided(storage[offset:], size, strides).copy()


def _rebuild_parameter(array, *_):
    return array


# Every name that a checkpoint may call for, and what it gets.
PERMITTED = {
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
    ("torch._utils", "_rebuild_parameter"): _rebuild_parameter,
    **{("torch", name): dtype for name, dtype in STORAGES.items()},
}


class _TensorUnpickler(pickle.Unpickler):
    """Unpickler that knows how to rebuild tensors and refuses every other name."""

    def __init__(self, stream, archive, folder):
        super().__init__(stream)
        self._archive, self._folder = archive, folder

    def find_class(self, module, name):
        if (module, name) not in PERMITTED:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which is no tensor")
        return PERMITTED[module, name]

    def persistent_load(self, pid):
        kind, dtype, key, _, count = pid
        if kind != "storage" or dtype not in STORAGES.values():
            raise pickle.UnpicklingError(f"it holds a {kind!r}, which is no tensor storage")
        data = self._archive.read(f"{self._folder}data/{key}")
        return _as_array(data, dtype)[:count]
