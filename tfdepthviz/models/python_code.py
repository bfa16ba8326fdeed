"""Python code of users: runs a file and takes the network out of it."""

import importlib.util
import inspect
import os
import sys
import traceback

import keras

from tfdepthviz.utils.errors import InputError, one_line


def network_in(path, name):
    """The network under a name in a Python file, which is run.

    Args:
      path: the file.
      name: of a network, or of a function or class without arguments that gives one.
    Returns:
      the network; something that can be called.
    Raises:
      InputError: no such file or name, or the code fails; names the line.
    """
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
            is_maker = inspect.isclass(network) or (callable(network) and _takes_nothing(network))
            if is_maker and not is_model:
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
            f"{path}:{name}: expected a network, a function of an image batch, or a function "
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
