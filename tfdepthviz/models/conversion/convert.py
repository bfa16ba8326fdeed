"""Conversion: a network from PyTorch, Hugging Face or an ONNX file as a checked SavedModel."""

import contextlib
import json
import os
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from keras import ops

from tfdepthviz.models.conversion import hugging_face, onnx_file, store
from tfdepthviz.models.conversion.comparison import Original, differences, made_up_images
from tfdepthviz.models.conversion.onnx_network import OnnxNetwork, fixed_size
from tfdepthviz.models.conversion.outputs import depth_of, needs
from tfdepthviz.models.conversion.torch_network import (
    check_installed,
    depth_module,
    exported,
    original_of,
)
from tfdepthviz.models.conversion.walk import BATCH
from tfdepthviz.models.foreign_network import mean_and_std
from tfdepthviz.models.python_code import network_in
from tfdepthviz.models.saved_network import network_of
from tfdepthviz.utils.constants import INPUT_SIZE
from tfdepthviz.utils.errors import InputError, one_line
from tfdepthviz.utils.files import partial_folder, writing


def is_converted(where):
    """Whether `open_converted` opens a network."""
    return where.startswith(("torch:", "hf:")) or where.lower().endswith(".onnx")


def open_converted(where, *, input_size=None, output=None, normalisation="imagenet"):
    """Opens a network that is not TensorFlow's; converts it at the first time.

    The converted network is kept in the user's cache folder. It is opened from there, without
    PyTorch, until a file changes that it was made from.

    Args:
      where: "torch:FILE.py:NAME", NAME being a torch.nn.Module or a function without arguments that
        returns one; "hf:FOLDER" or "hf:NAME", a depth-estimation model of Hugging Face; or
        "FILE.onnx".
      input_size: (H, W) of the image; None: what the file fixes, or else INPUT_SIZE.
      output: name or number of the depth among several outputs.
      normalisation: of the images, for the comparison; as in `depth_target`.
    Returns:
      function, image (B, H, W, 3) -> {"depth": (B, h, w, 1)}, with the attributes `depth_kind`,
      `normalisation` (both None if the source does not say them), `comparison` (str) and
      `folder`.
    Raises:
      InputError: the source does not load, is not translated, or answers otherwise afterwards.
    """
    kind, path = _parts(where)
    is_hub = kind == "hf" and not os.path.isdir(path)
    place = path if is_hub else os.path.abspath(path)
    size = input_size and list(input_size)
    folder = store.folder_of({"kind": kind, "place": place, "size": size, "output": output})
    record, network = store.record_of(folder), None
    if record is not None:
        with contextlib.suppress(Exception):  # a damaged copy is made anew
            network = network_of(str(folder))
    if network is None:
        mean_std = mean_and_std(normalisation or "imagenet", where)
        # In a thread of its own, because a strategy's scope ends there; it would mirror variables.
        with ThreadPoolExecutor(1) as pool:
            work = (_converted, kind, path, where, folder, input_size, output, mean_std)
            record = pool.submit(*work).result()
        network = network_of(str(folder))
    network.folder = folder
    network.depth_kind = record["depth_kind"]
    network.normalisation = record["normalisation"]
    network.comparison = record["comparison"]
    return network


def _parts(where):
    """("torch", "FILE.py:NAME"), ("hf", "NAME") or ("onnx", "FILE")."""
    kind = next((k for k in ("torch", "hf") if where.startswith(f"{k}:")), "onnx")
    path = where.removeprefix(f"{kind}:")
    if kind == "torch" and ".py:" not in path:
        raise InputError(f"{where}: expected torch:FILE.py:NAME, NAME being the network in it")
    if kind == "onnx" and not os.path.isfile(path):
        raise InputError(f"{where}: no such file")
    return kind, path


def _converted(kind, path, where, folder, size, output, mean_std):
    """Converts a network, compares it, and writes it with its record, which is returned."""
    record = {"depth_kind": None, "normalisation": None, "sources": {}}
    convert = _from_onnx if kind == "onnx" else _from_torch
    with writing(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
    with partial_folder(folder) as partial:
        comparison = convert(kind, path, where, str(partial), size, output, mean_std, record)
        record["comparison"] = str(comparison)
        with writing(folder):
            (partial / store.RECORD).write_text(json.dumps(record, indent=1))
            shutil.rmtree(folder, ignore_errors=True)
            os.rename(partial, folder)
    return record


def _from_onnx(kind, path, where, folder, size, output, mean_std, record):
    model, files = onnx_file.read(path, where)
    size = tuple(size or (f or n for f, n in zip(fixed_size(model.graph), INPUT_SIZE, strict=True)))
    network = _translated(model, size, where)
    images = made_up_images(size, *mean_std)
    widened = onnx_file.in_float32(model)
    file = widened.SerializeToString() if widened else path
    output, depth = _answer_of_file(file, images, network.is_channels_first, output, where)
    record["sources"] = {file: store.checksum(file) for file in files}
    return _saved(model, network, output, images, Original(depth), where, folder)


def _from_torch(kind, path, where, folder, size, output, mean_std, record):
    size, resized, missing = tuple(size or INPUT_SIZE), None, []
    check_installed(where)
    with store.Reading() as reading:
        if kind == "hf":
            source = hugging_face.opened(path, where)
            network, missing = source.network, source.missing
            normalisation, resized = source.steps(size, where)
            record |= {"depth_kind": source.depth_kind, "normalisation": normalisation}
            mean_std = mean_and_std(normalisation, where)
        else:
            path, _, name = path.rpartition(":")
            network = network_in(path, name)
    if os.path.exists(path):
        record["sources"] = reading.checksums(path)
    images = made_up_images(size, *mean_std)
    module = depth_module(network, output, where, resized)
    original = original_of(module, images, where)
    if missing and not np.isfinite(original.depth).all():
        names = one_line(", ".join(missing), 300)
        raise InputError(f"{where}: its files lack {len(missing)} weights that it uses: {names}")
    model, any_batch = _exported(module, images, where)
    try:
        network = _translated(model, size, where)
        return _saved(model, network, "depth", images, original, where, folder)
    except InputError as error:
        if not any_batch:
            raise
        try:  # the exporter may have written the batch's size as a constant
            model, _ = _exported(module, images, where, any_batch=False)
            network = OnnxNetwork(model, size, batch=1)
            return _saved(model, network, "depth", images, original, where, folder)
        except InputError:  # the first one says more
            raise error from error.__cause__


def _exported(module, images, where, any_batch=True):
    """A PyTorch module as onnx.ModelProto, and whether it takes batches of any size."""
    with tempfile.TemporaryDirectory() as temporary:
        file = os.path.join(temporary, "network.onnx")
        any_batch = exported(module, images, file, where, any_batch=any_batch)
        return onnx_file.read(file, where)[0], any_batch


def _translated(model, size, where):
    """OnnxNetwork for batches of any size, or else for one image at a time."""
    try:
        return OnnxNetwork(model, size)
    except InputError as error:
        try:
            return OnnxNetwork(model, size, batch=1)
        except InputError:  # the first one says more
            raise InputError(f"{where}: {error}") from error


def _answer_of_file(file, images, is_channels_first, output, where):
    """Name of an ONNX file's depth and the depth itself (B, h, w), by onnxruntime."""
    try:
        import onnxruntime
    except ImportError as error:
        raise needs("onnxruntime", "onnx", where) from error
    images = images.transpose(0, 3, 1, 2) if is_channels_first else images
    try:
        session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
        (image,) = session.get_inputs()
        answers = [session.run(None, {image.name: i[None]}) for i in images]
    except Exception as error:  # onnxruntime raises its own kinds of all sorts
        raise InputError(
            f"{where}: does not run in onnxruntime ({one_line(error, 300)})"
        ) from error
    names = [o.name for o in session.get_outputs()]
    chosen = [depth_of(dict(zip(names, a, strict=True)), output, where) for a in answers]
    return chosen[0][0], np.concatenate([depth for _, depth in chosen]).astype("float32")


def _as_one_map(network, output, size):
    """An OnnxNetwork as a function, (B, H, W, 3) -> (B, h, w, 1)."""

    def depth(image):
        return ops.reshape(network(image)[output], (-1, *size[1:], 1))

    if network.batch == BATCH:
        return depth
    return lambda image: ops.map(lambda one: depth(one[None])[0], image)


def _saved(model, network, output, images, original, where, folder):
    """Writes a network as a SavedModel and tells how well it answers as the original does."""
    try:
        return _saved_as(model, network, output, images, original, where, folder)
    except InputError as error:
        if network.batch == 1:
            raise
        try:  # sizes in the file may hold for one image alone
            one_by_one = OnnxNetwork(model, network.size, batch=1)
            return _saved_as(model, one_by_one, output, images, original, where, folder)
        except InputError:  # the first one says more
            raise error from error.__cause__


def _saved_as(model, network, output, images, original, where, folder):
    import tensorflow as tf

    size = original.depth.shape
    depth = _as_one_map(network, output, size)
    spec = tf.TensorSpec((None, *network.size, 3), tf.float32, name="image")
    module = tf.Module()
    module.weights = [v.value for v in network.variables]
    module.call = tf.function(
        lambda image: {"depth": depth(image)}, input_signature=[spec], autograph=False
    )
    in_float64 = None
    if original.gradient is None:
        in_float64 = OnnxNetwork(model, network.size, "float64", network.batch)
        in_float64 = _as_one_map(in_float64, output, size)
    try:
        with writing(folder, tf.errors.OpError):
            tf.saved_model.save(module, folder, signatures=module.call)
        saved = network_of(folder)
        result = differences(lambda x: saved(x)["depth"], images, original, in_float64)
    except InputError as error:
        raise InputError(f"{where}: {error}") from error
    except Exception as error:  # TensorFlow may raise anything
        raise InputError(f"{where}: {one_line(error, 300)}") from error
    result.check(where)
    return result
