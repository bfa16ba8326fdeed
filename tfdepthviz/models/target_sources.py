"""Sources of depth networks: a `.keras` file, a SavedModel, a preset of keras-hub, Python code."""

import importlib.util
import inspect
import os
import re
import sys
import traceback
from concurrent.futures import ThreadPoolExecutor

import keras

from tfdepthviz.models.porting.keras_safety import check_code, check_sizes
from tfdepthviz.utils.errors import InputError, one_line

FORMS = (
    "a .keras file, a SavedModel's folder, hub:PRESET for a preset of keras-hub, or FILE.py:NAME "
    "for a model or function in Python code"
)


_LOADED = (
    "give code FILE.py:NAME whose function returns keras.models.load_model(PATH, compile=False)"
)
_TORCH = (
    "weights of a network of this package are its weights (argument `weights`); export another "
    "network to ONNX and convert it to a SavedModel (onnx2tf)"
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
    ".onnx": ("an ONNX model", "convert it to a SavedModel (onnx2tf) and give its folder"),
    ".tflite": (
        "a TensorFlow Lite model",
        "it has no gradients; give the network that it was converted from",
    ),
    **dict.fromkeys((".pt", ".pth", ".ckpt", ".safetensors"), ("a file of PyTorch", _TORCH)),
}


# What Keras says of a class that it does not know.
_UNKNOWN = re.compile(r"Could not locate (?:class|function) '([^']+)'")


def open_network(where, signature="serving_default"):
    """Opens a depth network for `models.target.depth_target`.

    Args:
      where: path of a `.keras` file; path of a SavedModel's folder; "hub:PRESET", a depth estimator
        of keras-hub by name or folder; or "FILE.py:NAME". NAME is a keras.Model, a function of an
        image batch, or a function without arguments that returns either. The code of FILE.py is
        run, and no other code: a `.keras` file that holds or names code is refused, and so is a
        SavedModel whose operations reach files (`savedmodel_safety`).
      signature: which signature of a SavedModel to call.
    Returns:
      keras.Model, or a function, image (B, H, W, 3) -> tensor, or dict or list of tensors.
    Raises:
      InputError: nothing there, another kind of file, or it does not load.
    """
    if where.startswith("hub:"):
        return _from_hub(where.removeprefix("hub:"))
    path, colon, name = where.rpartition(":")
    if colon and path.endswith(".py"):
        return _from_python(path, name)
    if where.endswith(".keras"):
        return _from_keras(where)
    if where.endswith(".weights.h5") and os.path.isfile(where):
        raise InputError(
            f"{where}: holds weights without their network; give code FILE.py:NAME whose function "
            "builds the network and loads them"
        )
    if os.path.isfile(os.path.join(where, "saved_model.pb")):
        return _from_savedmodel(where, signature)
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


def _from_savedmodel(path, signature):
    # Only where TensorFlow is the backend.
    import tensorflow as tf

    from tfdepthviz.utils.savedmodel_safety import check_savedmodel

    check_savedmodel(path, "; what you trust all the same is loaded by code given as FILE.py:NAME")
    try:
        # In a thread of its own, because a strategy's scope ends there. Inside the scope the
        # variables would be mirrored, and only a replica could call the signature.
        with ThreadPoolExecutor(1) as pool:
            loaded = pool.submit(tf.saved_model.load, path).result()
    except (OSError, ValueError, tf.errors.OpError) as error:
        text = one_line(error, 300)
        raise InputError(f"{path}: does not load as a SavedModel ({text})") from error
    if signature not in loaded.signatures:
        known = ", ".join(loaded.signatures) or "none"
        raise InputError(
            f"{path}: has no signature {signature!r}; there is {known} (argument `signature`)"
        )
    call = loaded.signatures[signature]
    inputs = call.structured_input_signature[1]
    if len(inputs) != 1 or not next(iter(inputs.values())).dtype.is_floating:
        types = {name: spec.dtype.name for name, spec in inputs.items()}
        raise InputError(
            f"{path}: signature {signature!r} must take one float image. Received: {types}"
        )
    ((name, spec),) = inputs.items()

    def network(image):
        return call(**{name: tf.cast(image, spec.dtype)})

    network.loaded = loaded  # keeps its variables alive
    network.variables = call.variables
    # TensorFlow calls a signature with images of any size, even where the signature states one.
    network.image_shapes = [tuple(spec.shape)] if spec.shape.rank is not None else []
    return network


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


def _from_python(path, name):
    if not os.path.isfile(path):
        raise InputError(f"{path}: no such file")
    module_name = os.path.splitext(os.path.basename(path))[0]
    spec = importlib.util.spec_from_file_location(module_name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        with _importing_from(path):
            spec.loader.exec_module(module)
            if not hasattr(module, name):
                raise InputError(f"{path}: defines no {name or 'NAME after the colon'}")
            network = getattr(module, name)
            is_model = isinstance(network, keras.Model)
            if not is_model and callable(network) and _takes_nothing(network):
                network = network()
            _check_version_2(path)
    except InputError:
        raise
    except SystemExit as error:
        raise InputError(
            f"{path}, line {_line(error, path)}: ends the process while the network is built; put "
            'what a script does behind `if __name__ == "__main__":`'
        ) from error
    except Exception as error:
        line = _line(error, path)
        text = one_line(str(error), 300)
        raise InputError(f"{path}, line {line}: {type(error).__name__}: {text}") from error
    if not callable(network):
        raise InputError(
            f"{path}:{name}: expected a keras.Model, a function of an image batch, or a function "
            f"that returns one. Received: {type(network).__name__}"
        )
    return network


class _importing_from:
    """Lets code import files of its own folder, as a script may, and hides our flags from it."""

    def __init__(self, path):
        self.path = path
        self.folder = os.path.dirname(os.path.abspath(path))

    def __enter__(self):
        sys.path.insert(0, self.folder)
        self.argv, sys.argv = sys.argv, [self.path]

    def __exit__(self, *_):
        sys.path.remove(self.folder)
        sys.argv = self.argv


def _takes_nothing(function):
    parameters = inspect.signature(function).parameters.values()
    return all(p.default is not p.empty or p.kind in (p.VAR_KEYWORD,) for p in parameters)


def _check_version_2(path):
    """Code of a file may have switched all of TensorFlow to the behaviour of version 1."""
    if keras.backend.backend() != "tensorflow":
        return
    import tensorflow as tf

    is_2 = tf.executing_eagerly() and tf.compat.v1.resource_variables_enabled()
    if not is_2:
        raise InputError(
            f"{path}: switches TensorFlow to version 1 (disable_eager_execution or "
            "disable_v2_behavior); remove that, and wrap a graph of version 1 by "
            "tf.compat.v1.wrap_function"
        )


def _line(error, path):
    """The last line of a file that an exception passed through."""
    frames = reversed(traceback.extract_tb(error.__traceback__))
    place = os.path.abspath(path)
    return next((f.lineno for f in frames if os.path.abspath(f.filename) == place), "?")
