"""What a file of Keras from a stranger may hold: arrays of its own size, and classes of Keras.

Keras refuses stored lambdas itself (safe_mode). The rest was mended in its later versions one by
one, and older ones are supported, too: names of any importable function in the configuration, paths
of other files in a layer or in an HDF5 file, arrays of terabytes in a file of kilobytes.
"""

import io
import json
import re
import zipfile

import h5py

from tfdepthviz.utils.errors import InputError

CONFIG, WEIGHTS = "config.json", "model.weights.h5"
# Zeros compress well, weights hardly.
LARGEST_EXPANSION, SPARE_BYTES = 10, 1 << 24
MODULES = re.compile(
    r"builtins|keras|(keras(\.src)?\.(layers|models|initializers|regularizers|constraints"
    r"|activations|dtype_policies|ops|quantizers)|keras_hub|tfdepthviz\.models)(\..+)?"
)
# Of the modules above, what runs code or reads a file that its configuration names.
CODE = {"__lambda__", "Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"}
READERS = {"StringLookup", "IntegerLookup", "TextVectorization", "IndexLookup"}


def check_sizes(path):
    """Refuses a file whose arrays would take far more memory than it has bytes, or lie elsewhere.

    Args:
      path: `.keras` file, or an HDF5 file.
    Raises:
      InputError: it would, or they do; the message begins after "<file>: ".
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
    """Refuses a `.keras` file that names a class or function which no network is made of.

    Args:
      path: `.keras` file of a reasonable size, see `check_sizes`.
    Raises:
      InputError: with the name; the message begins after "<file>: ".
      OSError, KeyError, ValueError, zipfile.BadZipFile: it is damaged.
    """
    with zipfile.ZipFile(path) as archive:
        config = json.loads(archive.read(CONFIG))
    # How it was trained is not loaded.
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
    """Links and datasets of an HDF5 file; the bytes of no dataset are read."""
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
