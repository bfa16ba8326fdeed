"""Published checkpoints -> our weights, by layer name.

A checkpoint is read into a dict of published name -> array; `port_weights` knows how our layers are
called there. Neither needs the framework that wrote a PyTorch file.
"""

import re

import numpy as np

from tfdepthviz.errors import InputError
from tfdepthviz.models.torch_zip import read_torch_zip

# Our layer name -> the name in the checkpoint, by the rules that match, in this order.
TORCH_RULES = (
    (r"_", r"."),
    (r"(up\d)\.1\.2\.(conv|bn)$", r"\1.\g<2>1_2"),
    (r"\.downsample\.conv$", r".downsample.0"),
    (r"\.downsample\.bn$", r".downsample.1"),
    (r"(base\.\d)\.0\.conv$", r"\1.0"),
    (r"(base\.\d)\.0\.bn$", r"\1.1"),
    (r"\.(\d+)\.(conv|bn)$", r".\2\1"),
)
TENSORFLOW_RULES = (
    (r"^conv1_bn$", r"bn_conv1"),
    (r"^res(\w+)_bn$", r"bn\1"),
    (r"^(layer\d+x)_conv$", r"\1_Conv"),
    (r"_bn$", r"_BN"),
    (r"_conv$", r""),
)
# Our variable name -> its name in the checkpoint.
TORCH_LEAVES = {
    "kernel": "weight",
    "bias": "bias",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
TENSORFLOW_LEAVES = {
    "kernel": "weights",
    "bias": "biases",
    "gamma": "scale",
    "beta": "offset",
    "moving_mean": "mean",
    "moving_variance": "variance",
}


def read_torch_checkpoint(path):
    """Arrays of a PyTorch file, without PyTorch and without running anything the file names.

    Args:
      path: file of `torch.save` (zip format, PyTorch 1.6 or newer): a state dict, or a dict that
        holds one under "state_dict".
    Returns:
      dict of name -> numpy array in PyTorch's layout.
    Raises:
      InputError: no such file, another format, or anything in it but tensors in dicts.
    """
    content = read_torch_zip(path)
    if isinstance(content, dict) and isinstance(content.get("state_dict"), dict):
        content = content["state_dict"]
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected a dict of tensors. Received: {type(content).__name__}")
    others = [str(name) for name, value in content.items() if not isinstance(value, np.ndarray)]
    if others or not content:
        raise InputError(
            f"{path}: expected a dict of tensors. Not tensors: {others or 'empty dict'}"
        )
    return content


def read_tf_checkpoint(path):
    """Arrays of a TensorFlow checkpoint.

    Args:
      path: prefix of the checkpoint's files (without `.index`), or a V1 file.
    Returns:
      dict of variable name -> numpy array.
    Raises:
      InputError: no such checkpoint, or TensorFlow cannot read it.
    """
    import tensorflow as tf  # here, because the networks must work where it is not installed

    try:
        reader = tf.train.load_checkpoint(str(path))
        return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}
    except (ValueError, RuntimeError, tf.errors.OpError) as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError(
            f"{path}: not a TensorFlow checkpoint that can be read ({reason})"
        ) from error


def port_weights(model, arrays):
    """Puts published weights into a network, all of them or none.

    Kernels in PyTorch's layout (out, in, h, w) are turned into (h, w, in, out). A leading `module.`
    and PyTorch's `num_batches_tracked` are ignored.

    Args:
      model: a network of this package with the architecture that the arrays belong to.
      arrays: dict of published name -> array, PyTorch's names (with dots) or TensorFlow's (with
        slashes).
    Returns:
      the model.
    Raises:
      InputError: lists every missing, unused and misshapen entry; the model is then unchanged.
    """
    arrays = {
        re.sub(r"^module\.", "", name): np.asarray(array)
        for name, array in arrays.items()
        if not name.endswith("num_batches_tracked")
    }
    from_tensorflow = any("/" in name for name in arrays)
    values, missing, misshapen = [], [], []
    for owner, variable in [(layer, v) for layer in model.layers for v in layer.weights]:
        name = _published_name(owner, variable, from_tensorflow)
        if name not in arrays:
            missing.append(name)
            continue
        array, shape = arrays.pop(name), _published_shape(variable, from_tensorflow)
        if array.shape != shape:
            misshapen.append(f"{name} (expected {shape}, received {array.shape})")
        values.append((variable, array))
    problems = {"missing": missing, "unused": sorted(arrays), "misshapen": misshapen}
    if any(problems.values()):
        listed = (f"{kind}: {', '.join(names)}" for kind, names in problems.items() if names)
        raise InputError(f"weights do not fit {model.name}; {'; '.join(listed)}")
    for variable, value in values:
        turned = value.ndim > 1 and not from_tensorflow
        variable.assign(np.moveaxis(value, (0, 1), (-1, -2)) if turned else value)
    return model


def _published_name(layer, variable, from_tensorflow):
    name = layer.name
    for pattern, replacement in TENSORFLOW_RULES if from_tensorflow else TORCH_RULES:
        name = re.sub(pattern, replacement, name)
    if from_tensorflow:
        return f"{name}/{TENSORFLOW_LEAVES[variable.name]}"
    return f"{name}.{TORCH_LEAVES[variable.name]}"


def _published_shape(variable, from_tensorflow):
    shape = tuple(variable.shape)
    if from_tensorflow or len(shape) < 2:
        return shape
    return (shape[-1], shape[-2], *shape[:-2])
