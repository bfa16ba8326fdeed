"""Weight files: read into a network, or refused in one line that says why they do not fit."""

import glob
import io
import warnings
import zipfile
from pathlib import Path

import h5py

from tfdepthviz.models.contract import not_finite
from tfdepthviz.models.porting import file_kinds, keras_safety
from tfdepthviz.models.porting.checkpoints import (
    read_tf_checkpoint,
    read_torch_checkpoint,
    tf_prefix,
)
from tfdepthviz.models.porting.published import DoesNotFit, port_encoder, port_weights
from tfdepthviz.models.porting.safetensors import read_safetensors
from tfdepthviz.models.porting.squeezenet import load_imagenet_encoder
from tfdepthviz.utils.errors import InputError, one_line

TORCH = (
    *(file_kinds.TORCH_ZIP, file_kinds.TORCH_LEGACY, file_kinds.TORCH_TAR),
    file_kinds.SAFETENSORS,
)
KERAS_FILES = ((".weights.h5", file_kinds.HDF5), (".keras", file_kinds.KERAS))
ACCEPTED = (
    "expected a .weights.h5 or .keras file, a file of torch.save or safetensors, or a TensorFlow "
    "checkpoint"
)


def load_weights(model, path):
    """Puts weights into a network of the same architecture, all of them or none.

    Of a `.keras` file only the weights are read; no class and no code that it names is loaded.

    Args:
      model: a network of this package.
      path: `.weights.h5` or `.keras` file, also one written for another image size; or a
        published checkpoint: a file of `torch.save` under any name, or a TensorFlow checkpoint by
        prefix, file or folder.
    Raises:
      InputError: no such file, another kind of file, damaged, made for another network, or weights
        that are not finite.
    """
    path = Path(path)
    kind = _kind(path, f"weights of {model.name}")
    if any(path.name.endswith(end) and kind == its_kind for end, its_kind in KERAS_FILES):
        _load_keras(model, path)
    elif kind in TORCH or kind == file_kinds.TENSORFLOW:
        try:
            port_weights(model, read_published(path))
        except DoesNotFit as error:
            raise InputError(_another_network(model, path, error)) from error
    else:
        raise InputError(f"weights of {model.name}: {ACCEPTED}. Received: {path}, {kind}")
    if wrong := not_finite(model.variables):
        raise InputError(
            f"weights of {model.name}: expected finite numbers. Received: {path}, where "
            f"{_some(wrong)} hold NaN or infinity"
        )


def load_encoder(model, path):
    """Puts published ImageNet weights into the encoder of a network, all of them or none.

    Args:
      model: a network of this package.
      path: for the depth network `compact` the Keras file of SqueezeNet v1.1; for the networks of
        Hu et al. and the mask network `drn_d_22` a file of `torch.save` from torchvision, Cadene or
        fyu.
    Returns:
      names of the classifier's arrays, which have no place in the network.
    Raises:
      InputError: no such file, another kind of file, another encoder, or the network takes none.
    """
    path = Path(path)
    kind = _kind(path, f"encoder weights of {model.name}")
    if model.name == "compact" and kind not in TORCH:
        load_imagenet_encoder(model, path)
        return []
    if kind not in TORCH:
        raise InputError(
            f"encoder weights of {model.name}: expected a file of torch.save. Received: {path}, "
            f"{kind}"
        )
    try:
        return port_encoder(model, read_published(path))
    except DoesNotFit as error:
        raise InputError(_another_network(model, path, error, part="encoder ")) from error


def read_published(path):
    """Arrays of a published checkpoint.

    Args:
      path: a file of `torch.save`, or prefix, file or folder of a TensorFlow checkpoint.
    Returns:
      dict of published name -> array.
    Raises:
      InputError: no such file, another kind of file, damaged, or it asks for anything but tensors.
    """
    path = Path(path)
    kind = _kind(path, "checkpoint")
    if kind == file_kinds.SAFETENSORS:
        return read_safetensors(path)
    if kind in TORCH:
        return read_torch_checkpoint(path)
    if kind == file_kinds.TENSORFLOW:
        return read_tf_checkpoint(path)
    raise InputError(
        "checkpoint: expected a file of torch.save or a TensorFlow checkpoint. Received: "
        f"{path}, {kind}"
    )


def files_of(path):
    """The files that a checkpoint consists of, in order of name."""
    path = Path(path)
    if _kind(path, "checkpoint") in TORCH:
        return [path]
    prefix = Path(tf_prefix(path))
    parts = prefix.parent.glob(f"{glob.escape(prefix.name)}.*")
    return sorted(p for p in (prefix, *parts) if p.is_file())


def is_tensorflow_checkpoint(path):
    """Whether a path is the prefix, a file or the folder of a TensorFlow checkpoint."""
    try:
        return _kind(Path(path), "weights") == file_kinds.TENSORFLOW
    except InputError:
        return False


def _kind(path, what):
    if path.is_dir() or Path(f"{tf_prefix(path)}.index").is_file():
        return file_kinds.TENSORFLOW
    if path.is_file():
        return file_kinds.file_kind(path)
    raise InputError(f"{what}: no such file: {path}")


def _another_network(model, path, error, part=""):
    return (
        f"{part}weights of {model.name}: {path} was made for another network: {error.summary()}; "
        "python -m trainers.port_weights lists them all"
    )


def _load_keras(model, path):
    try:
        keras_safety.check_sizes(path)
        stored = _layers_in(path)
    except InputError as error:
        raise InputError(f"weights of {model.name}: {path}: {error}") from error
    except Exception as error:  # whatever a damaged archive makes zipfile and h5py raise
        raise InputError(f"weights of {model.name}: {path} is damaged ({error})") from error
    # Keras matches layers by kind and order, so that a file of another network may seem to fit.
    expected = {layer.name for layer in _layers_of(model) if layer.weights}
    if stored and stored != expected:
        raise InputError(
            f"weights of {model.name}: {path} was made for another network; it lacks "
            f"{_some(expected - stored)} and also has {_some(stored - expected)}"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about what then raises an error
            model.load_weights(path)
    except Exception as error:  # Keras has no exception of its own for what does not fit
        raise InputError(
            f"weights of {model.name}: {path} does not fit, {one_line(error, 300)}"
        ) from error


def _layers_of(model):
    """The layers of a network, those of networks within it included."""
    for layer in model.layers:
        yield from _layers_of(layer) if hasattr(layer, "layers") else [layer]


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
