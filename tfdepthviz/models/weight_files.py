"""Weights from a file into a network, or one clear line why they do not fit."""

import io
import warnings
import zipfile
from pathlib import Path

import h5py

from tfdepthviz.errors import InputError


def load_weights(model, path):
    """Puts the weights of a Keras file into a network of the same architecture.

    Of a `.keras` file only the weights are read: no class and no code that it names comes to life.

    Args:
      path: `.weights.h5` or `.keras` file; it may have been written for another image size.
    Raises:
      InputError: no such file, another kind of file, damaged, or made for another network.
    """
    path = Path(path)
    if not path.name.endswith((".weights.h5", ".keras")):
        raise InputError(
            f"weights of {model.name}: expected a .weights.h5 or .keras file. Received: {path}"
        )
    if not path.is_file():
        raise InputError(f"weights of {model.name}: no such file: {path}")
    try:
        stored = _layers_in(path)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise InputError(f"weights of {model.name}: {path} is damaged ({error})") from error
    # Keras matches layers by kind and order, so that a file of another network may seem to fit.
    expected = {layer.name for layer in model.layers if layer.weights}
    if stored and stored != expected:
        raise InputError(
            f"weights of {model.name}: {path} was made for another network; it lacks "
            f"{_some(expected - stored)} and has besides {_some(stored - expected)}"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about what then raises an error
            model.load_weights(path)
    except Exception as error:  # Keras has no exception of its own for what does not fit
        raise InputError(
            f"weights of {model.name}: {path} does not fit, {' '.join(str(error).split())[:300]}"
        ) from error


def _layers_in(path):
    """Names of the layers that have variables in the file; older Keras stored none."""
    source = path
    if path.name.endswith(".keras"):
        with zipfile.ZipFile(path) as archive:
            source = io.BytesIO(archive.read("model.weights.h5"))
    names = set()

    def collect(_, item):
        if isinstance(item, h5py.Group) and "name" in item.attrs and len(item):
            names.add(item.attrs["name"])

    with h5py.File(source, "r") as file:
        file.visititems(collect)
    return names


def _some(names, limit=3):
    listed = ", ".join(sorted(names)[:limit]) or "nothing"
    return listed + (f" and {len(names) - limit} more" if len(names) > limit else "")
