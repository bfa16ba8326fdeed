"""Checks of a stranger's Keras file: only arrays of the file's own size, and classes of Keras.

Keras itself refuses stored lambdas (safe_mode). Its later versions refuse one after another of the
rest, but older versions are supported, too: names of any importable function in the configuration,
paths of other files in a layer or in an HDF5 file, arrays of terabytes in a file of kilobytes.
"""

import io
import json
import re
import zipfile

import h5py

from tfdepthviz.utils.errors import InputError

CONFIG, WEIGHTS = "config.json", "model.weights.h5"
# Weights hardly compress; zeros do.
LARGEST_EXPANSION, SPARE_BYTES = 10, 1 << 24
MODULES = re.compile(
    r"builtins|keras|(keras(\.src)?\.(layers|models|initializers|regularizers|constraints"
    r"|activations|dtype_policies|ops|quantizers)|keras_hub|tfdepthviz\.models)(\..+)?"
)
# Classes of the modules above that run code, or read a file that their configuration names.
CODE = {"__lambda__", "Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"}
READERS = {"StringLookup", "IntegerLookup", "TextVectorization", "IndexLookup"}


def check_sizes(path):
    """Refuses a file whose arrays are far larger than the file, or lie in another file.

    Args:
      path: `.keras` file, or an HDF5 file.
    Raises:
      InputError: they are, or they do; the message continues "<file>: ".
      OSError, KeyError, zipfile.BadZipFile: it is damaged.
    """
    largest = LARGEST_EXPANSION * _size(path) + SPARE_BYTES
    if not zipfile.is_zipfile(path):
        _check_hdf5(path, largest)
        return
    with zipfile.ZipFile(path) as archive:
        _check_claimed(sum(m.file_size for m in archive.infolist()), largest)
        _check_hdf5(io.BytesIO(archive.read(WEIGHTS)), largest)


def check_code(path):
    """Refuses a `.keras` file that names a class or function that is no part of a network.

    Args:
      path: `.keras` file of a reasonable size, see `check_sizes`.
    Raises:
      InputError: with the name; the message continues "<file>: ".
      OSError, KeyError, ValueError, zipfile.BadZipFile: it is damaged.
    """
    with zipfile.ZipFile(path) as archive:
        config = json.loads(archive.read(CONFIG))
    # The settings of training are not loaded.
    waiting = [value for key, value in config.items() if key != "compile_config"]
    waiting.append({"module": config.get("module"), "class_name": config.get("class_name")})
    while waiting:
        item = waiting.pop()
        if isinstance(item, list):
            waiting += item
        if not isinstance(item, dict):
            continue
        waiting += item.values()
        module, name = item.get("module"), item.get("class_name")
        if isinstance(module, str) and not MODULES.fullmatch(module):
            raise InputError(f"it names {module}.{name}, which is no part of a network")
        if isinstance(name, str) and name in CODE | READERS:
            raise InputError(f"it holds a {name}, which may run code or read other files")


def _check_hdf5(source, largest):
    """Checks links and datasets of an HDF5 file without reading any dataset."""
    total, elsewhere = 0, []

    def look_at(name, item):
        nonlocal total
        if isinstance(item, h5py.Dataset):
            elsewhere.extend([name] if item.external or item.is_virtual else [])
            total += item.nbytes

    def look_at_link(name, link):
        outside = link.type == h5py.h5l.TYPE_EXTERNAL
        elsewhere.extend([name.decode(errors="replace")] if outside else [])

    with h5py.File(source, "r") as file:
        file.id.links.visit(look_at_link, info=True)
        file.visititems(look_at)
    if elsewhere:
        raise InputError(f"its {elsewhere[0]} lies in another file")
    _check_claimed(total, largest)


def _check_claimed(claimed, largest):
    if claimed > largest:
        raise InputError(f"it would unpack to {claimed} bytes, far more than the file has")


def _size(path):
    with open(path, "rb") as file:
        return file.seek(0, 2)
