"""Sources of depth networks: files of Keras, TensorFlow, ONNX and PyTorch, hubs, Python code."""

import os
import re

import keras

from tfdepthviz.models.conversion.convert import is_converted, open_converted
from tfdepthviz.models.porting.keras_safety import check_code, check_sizes
from tfdepthviz.models.python_code import network_in
from tfdepthviz.models.saved_network import network_of
from tfdepthviz.utils.errors import InputError, one_line

FORMS = (
    "a .keras or .onnx file, a SavedModel's folder, hub:PRESET for a preset of keras-hub, "
    "hf:FOLDER or hf:NAME for a model of Hugging Face, torch:FILE.py:NAME for a PyTorch network, "
    "or FILE.py:NAME for a model or function in Python code"
)


_LOADED = (
    "give code FILE.py:NAME whose function returns keras.models.load_model(PATH, compile=False)"
)
_TORCH = (
    "weights of a network of this package are its weights (argument `weights`); give another "
    "network as torch:FILE.py:NAME, code that builds it and loads the file"
)
# Ending of a file -> what it is, and the way to explain the network in it.
OTHER_FORMS = {
    ".h5": ("a model file of Keras 2", _LOADED),
    ".hdf5": ("a model file of Keras 2", _LOADED),
    ".pb": (
        "a graph of TensorFlow 1",
        "give the folder of a SavedModel, or code FILE.py:NAME that wraps the graph by "
        "tf.compat.v1.wrap_function",
    ),
    ".tflite": (
        "a TensorFlow Lite model",
        "it has no gradients; give the network that it was converted from",
    ),
    **dict.fromkeys((".pt", ".pth", ".ckpt", ".safetensors"), ("a file of PyTorch", _TORCH)),
}


# What Keras says of a class that it does not know.
_UNKNOWN = re.compile(r"Could not locate (?:class|function) '([^']+)'")


def open_network(where, signature="serving_default", **conversion):
    """Opens a depth network for `models.target.depth_target`.

    Args:
      where: path of a `.keras` file; path of a SavedModel's folder; "hub:PRESET", a depth estimator
        of keras-hub by name or folder; or "FILE.py:NAME". NAME is a keras.Model, a function of an
        image batch, or a function without arguments that returns either. The code of FILE.py is
        run, and no other code: a `.keras` file that holds or names code is refused, and so is a
        SavedModel whose operations reach files (`savedmodel_safety`).
        "torch:FILE.py:NAME", "hf:NAME" and "FILE.onnx" are converted by `open_converted`.
      signature: which signature of a SavedModel to call.
      conversion: further arguments of `open_converted`, for these three.
    Returns:
      keras.Model, or a function, image (B, H, W, 3) -> tensor, or dict or list of tensors.
    Raises:
      InputError: nothing there, another kind of file, or it does not load.
    """
    if is_converted(where):
        return open_converted(where, **conversion)
    if where.startswith("hub:"):
        return _from_hub(where.removeprefix("hub:"))
    path, colon, name = where.rpartition(":")
    if colon and path.endswith(".py"):
        return network_in(path, name)
    if where.endswith(".keras"):
        return _from_keras(where)
    if where.endswith(".weights.h5") and os.path.isfile(where):
        raise InputError(
            f"{where}: holds weights without their network; give code FILE.py:NAME whose function "
            "builds the network and loads them"
        )
    if os.path.isfile(os.path.join(where, "saved_model.pb")):
        return network_of(where, signature)
    kind, way = OTHER_FORMS.get(os.path.splitext(where)[1].lower(), (None, None))
    if kind and os.path.isfile(where):
        raise InputError(f"{where}: is {kind}, which is not opened here; {way}")
    if where.endswith(".py"):
        raise InputError(f"{where}: expected FILE.py:NAME, NAME being the model or function in it")
    if os.path.isdir(where):
        raise InputError(f"{where}: expected a SavedModel, but the folder has no saved_model.pb")
    raise InputError(f"{where}: no depth network of that name; expected {FORMS}")


def _from_keras(path):
    if not os.path.isfile(path):
        raise InputError(f"{path}: no such file")
    try:
        check_sizes(path)
        check_code(path)
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras has no exception of its own for what does not load
        if unknown := _UNKNOWN.search(str(error)):
            raise InputError(
                f"{path}: holds {unknown[1]}, which is no layer of Keras; give code FILE.py:NAME "
                f"that defines it and whose function returns keras.models.load_model({path!r}, "
                "compile=False)"
            ) from error
        raise InputError(
            f"{path}: does not load as a .keras model ({one_line(error)}); what needs code of "
            "its own is given as FILE.py:NAME"
        ) from error


def _from_hub(preset):
    try:
        import keras_hub
    except ImportError as error:
        raise InputError(
            f"hub:{preset}: needs keras-hub, which the extra `targets` installs "
            '(pip install "tfdepthviz[targets]")'
        ) from error
    try:
        return keras_hub.models.DepthEstimator.from_preset(preset, preprocessor=None)
    except Exception as error:  # a download may fail in any way
        raise InputError(f"hub:{preset}: does not load ({one_line(error, 300)})") from error
