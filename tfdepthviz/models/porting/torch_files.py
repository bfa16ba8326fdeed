"""Files of `torch.save`, read into arrays without PyTorch."""

from pathlib import Path

import numpy as np

from tfdepthviz.models.porting.file_kinds import file_kind
from tfdepthviz.models.porting.torch_formats import FORMATS
from tfdepthviz.models.porting.torch_tensors import ITEM_BYTES, Refused, shown
from tfdepthviz.utils.errors import InputError

# Together, tensors that share storages may be larger than the file, by this factor at most.
LARGEST_EXPANSION = 4


def read_torch_tensors(path, choose):
    """Reads the tensors that `choose` takes from the saved object.

    Args:
      path: file of `torch.save` of any PyTorch.
      choose: function of the saved object (dicts, lists, numbers, `Tensor`s) -> dict of name ->
        `Tensor`.
    Returns:
      dict of name -> array, in the machine's own byte order; bfloat16 as float32.
    Raises:
      InputError: no such file, no file of torch.save, damaged, or it asks for anything but tensors.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"PyTorch checkpoint: no such file: {path}")
    try:
        kind = file_kind(path)
        if kind not in FORMATS:
            raise Refused(f"expected a file of torch.save; this is {kind}")
        with FORMATS[kind](path) as (content, read_storage):
            tensors = choose(content)
            return _arrays(tensors, read_storage, largest=LARGEST_EXPANSION * path.stat().st_size)
    except (Refused, InputError) as error:
        raise InputError(f"{path}: {error}") from error
    except Exception as error:  # whatever a damaged archive makes Python raise
        reason = shown(error) or type(error).__name__
        raise InputError(f"{path}: not a readable file of torch.save ({reason})") from error


def _arrays(tensors, read_storage, *, largest):
    """Name -> array; each storage is read once, and none is kept."""
    by_storage = {}
    for name, tensor in tensors.items():
        _check_inside(name, tensor)
        by_storage.setdefault(tensor.storage.key, []).append(name)
    total = sum(
        np.prod(t.size, dtype=object) * ITEM_BYTES[t.storage.dtype] for t in tensors.values()
    )
    if total > largest:
        raise Refused(f"damaged (its tensors would take {total} bytes)")
    arrays = dict.fromkeys(tensors)
    for names in by_storage.values():
        storage = tensors[names[0]].storage
        elements = _elements(*read_storage(storage), storage)
        for name in names:
            arrays[name] = _view(elements, tensors[name])
    return arrays


def _check_inside(name, tensor):
    """Makes sure that all elements of the tensor lie in its storage."""
    storage, offset, size, stride = tensor
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    if 0 not in size and last >= storage.count:
        raise Refused(f"damaged ({shown(name)} reaches beyond its storage)")
    if np.prod(size, dtype=object) > storage.count:
        raise Refused(f"damaged ({shown(name)} is larger than its storage)")


def _elements(data, order, storage):
    if len(data) < storage.total * ITEM_BYTES[storage.dtype]:
        raise Refused(f"damaged (storage {shown(storage.key)} is cut off)")
    if storage.dtype != "bfloat16":
        return np.frombuffer(data, f"{order}{storage.dtype}", storage.total)
    # The upper half of float32, for which NumPy has no type.
    halves = np.frombuffer(data, f"{order}u2", storage.total)
    return (halves.astype("u4") << 16).view("f4")


def _view(elements, tensor):
    storage, offset, size, stride = tensor
    part = elements[storage.first : storage.first + storage.count]
    strides = [step * part.itemsize for step in stride]
    view = np.lib.stride_tricks.as_strided(part[offset:], size, strides)
    return view.astype(elements.dtype.newbyteorder("="))
