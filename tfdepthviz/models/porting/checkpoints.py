"""Published checkpoints of PyTorch and TensorFlow, read into a dict of published name -> array."""

import re
from pathlib import Path

from tfdepthviz.models.porting.torch_files import read_torch_tensors
from tfdepthviz.models.porting.torch_tensors import Refused, Tensor, shown
from tfdepthviz.utils.errors import InputError, one_line

# Keys under which training scripts keep the network, next to epoch, optimiser and the like.
WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "network", "weights", "params")
# Keys of a mean of the network's weights, taken where the network itself is not there.
WRAPPERS += ("state_dict_ema", "model_ema", "ema_state_dict", "ema_model", "ema")


def read_torch_checkpoint(path):
    """Reads a PyTorch file, without PyTorch and without running anything the file names.

    Args:
      path: file of `torch.save`, of any version: a state dict, or a dict that holds one under
        "state_dict", "model" or another usual name. Everything else in it is ignored.
    Returns:
      dict of name -> numpy array in PyTorch's layout.
    Raises:
      InputError: no such file, another format, damaged, no tensors, or the file asks for anything
        but tensors in plain containers, such as the class of a whole model.
    """
    return read_torch_tensors(path, _state)


def _state(content):
    """The dict of tensors that is the network, out of all that was saved."""
    if not isinstance(content, dict):
        raise Refused(f"expected a dict of tensors. Received: {type(content).__name__}")
    state = _state_within(content)
    if not state:
        keys = ", ".join(shown(key, 40) for key in list(content)[:5]) or "nothing"
        raise Refused(f"expected a dict of tensors, or one under state_dict. Received: {keys}")
    return state


def _state_within(content, depth=3):
    if not depth or not isinstance(content, dict):
        return {}
    for key in WRAPPERS:
        if state := _state_within(content.get(key), depth - 1):
            return state
    tensors = {str(key): value for key, value in content.items() if isinstance(value, Tensor)}
    if tensors:
        return tensors
    inner = [v for v in content.values() if isinstance(v, dict) and _state_within(v, 1)]
    return _state_within(inner[0], 1) if len(inner) == 1 else {}


def read_tf_checkpoint(path):
    """Reads a TensorFlow checkpoint.

    Args:
      path: prefix of the checkpoint's files, one of these files, or the folder that holds them; or
        a V1 file.
    Returns:
      dict of variable name -> numpy array.
    Raises:
      InputError: no such checkpoint, or TensorFlow cannot read it.
    """
    try:
        import tensorflow as tf  # the networks work without it, too
    except ImportError as error:
        raise InputError(f"{path}: a TensorFlow checkpoint is read by TensorFlow only") from error

    prefix = tf_prefix(path)
    try:
        reader = tf.train.load_checkpoint(prefix)
        shapes = reader.get_variable_to_shape_map()
        if "_CHECKPOINTABLE_OBJECT_GRAPH" in shapes:
            raise InputError(
                f"{path}: the checkpoint of a training run of TensorFlow 2, whose names are not "
                "those of layers; give the .keras or .weights.h5 file that the run wrote"
            )
        return {name: reader.get_tensor(name) for name in shapes}
    except (ValueError, RuntimeError, tf.errors.OpError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"{path}: not a TensorFlow checkpoint that can be read ({one_line(error, 200)})"
        ) from error


def tf_prefix(path):
    """Prefix that the files of a TensorFlow checkpoint share; `path` as in `read_tf_checkpoint`."""
    path = Path(path)
    if not path.is_dir():
        return re.sub(r"\.(index|meta|data-\d{5}-of-\d{5})$", "", str(path))
    prefixes = sorted(str(index.with_suffix("")) for index in path.glob("*.index"))
    if len(prefixes) != 1:
        raise InputError(
            f"{path}: expected a folder with one TensorFlow checkpoint, found {len(prefixes)}"
        )
    return prefixes[0]
