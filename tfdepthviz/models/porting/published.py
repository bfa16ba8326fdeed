"""Published checkpoints -> our weights, by layer name.

A checkpoint is read into a dict of published name -> array; `port_weights` knows how our layers are
called there. Neither needs the framework that wrote a PyTorch file.
"""

import re
from pathlib import Path

import numpy as np

from tfdepthviz.models.porting.torch_files import read_torch_tensors
from tfdepthviz.models.porting.torch_pickle import Refused, Tensor, shown
from tfdepthviz.utils.errors import InputError, one_line

# Our layer name -> the name in the checkpoint, by the rules that match, in this order.
TORCH_RULES = (
    (r"_", r"."),
    (r"\.se\.", r".se_module."),
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
# Keys under which training scripts keep the network, beside epoch, optimiser and the like.
WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "network", "weights", "params")
# Modules that stand in front of every name of a wrapped network.
WRAPPED = re.compile(r"^(module\.|_orig_mod\.)+")
# DenseNet's modules had dots in their names until PyTorch 0.4 forbade it.
OLD_DENSENET = re.compile(r"(\.denselayer\d+\.(?:norm|conv))\.([12]\.)")
# What an ImageNet network or a segmentation network on it has beside its encoder.
CLASSIFIER = re.compile(r"^(fc|classifier|last_linear|seg|up)\.")
COUNTERS = re.compile(r"(^|[./])(num_batches_tracked|global_step|beta[12]_power(_\d+)?)$")


class DoesNotFit(InputError):
    """Weights of another network; `entries` has all names under missing, unused, misshapen."""

    def __init__(self, model, **entries):
        self.entries = {
            kind: [shown(name) for name in names] for kind, names in entries.items() if names
        }
        listed = (f"{kind}: {', '.join(names)}" for kind, names in self.entries.items())
        super().__init__(f"weights do not fit {model.name}; {'; '.join(listed)}")

    def summary(self, limit=3):
        """How many of each kind, and the first few."""
        parts = []
        for kind, names in self.entries.items():
            more = ", ..." if len(names) > limit else ""
            parts.append(f"{len(names)} {kind} ({', '.join(names[:limit])}{more})")
        return "; ".join(parts)


def read_torch_checkpoint(path):
    """Arrays of a PyTorch file, without PyTorch and without running anything the file names.

    Args:
      path: file of `torch.save`, of any version: a state dict, or a dict that holds one under
        "state_dict", "model" or another usual name. What is no tensor beside it is left aside.
    Returns:
      dict of name -> numpy array in PyTorch's layout.
    Raises:
      InputError: no such file, another format, damaged, no tensors, or the file asks for anything
        but tensors in plain containers, such as the class of a whole model.
    """
    return read_torch_tensors(path, _state)


def _state(content):
    """The dict of tensors that is the network, without what lies beside them."""
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
    """Arrays of a TensorFlow checkpoint.

    Args:
      path: prefix of the checkpoint's files, one of these files, or the folder that holds them; or
        a V1 file.
    Returns:
      dict of variable name -> numpy array.
    Raises:
      InputError: no such checkpoint, or TensorFlow cannot read it.
    """
    try:
        import tensorflow as tf  # here, because the networks must work where it is not installed
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
    """What the files of a TensorFlow checkpoint have in common; `path` as `read_tf_checkpoint`."""
    path = Path(path)
    if not path.is_dir():
        return re.sub(r"\.(index|meta|data-\d{5}-of-\d{5})$", "", str(path))
    prefixes = sorted(str(index.with_suffix("")) for index in path.glob("*.index"))
    if len(prefixes) != 1:
        raise InputError(
            f"{path}: expected a folder with one TensorFlow checkpoint, found {len(prefixes)}"
        )
    return prefixes[0]


def left_aside(arrays):
    """Names of what no network needs: batch counters, steps, and slots of optimisers.

    Args:
      arrays: dict of published name -> array.
    """
    return sorted(n for n in arrays if COUNTERS.search(n) or n.rpartition("/")[0] in arrays)


def port_weights(model, arrays):
    """Puts published weights into a network, all of them or none.

    Kernels in PyTorch's layout (out, in, h, w) are turned into (h, w, in, out). A leading `module.`
    and what `left_aside` names are ignored; DenseNet's `norm.1` and `norm1` are the same.

    Args:
      model: a network of this package with the architecture that the arrays belong to.
      arrays: dict of published name -> array, PyTorch's names (with dots) or TensorFlow's (with
        slashes).
    Returns:
      the model.
    Raises:
      DoesNotFit: an InputError that lists every missing, unused and misshapen entry; the model is
        then unchanged.
    """
    _assign(model, model.layers, _renamed(_weights(arrays), _plain), arrays)
    return model


def port_encoder(model, arrays):
    """Puts weights of an ImageNet network into the encoder of a network, all of them or none.

    Args:
      model: a depth network of Hu et al. or the mask network `drn_d_22`.
      arrays: dict of name -> array as torchvision (ResNet-50, DenseNet-161), Cadene (SENet-154) or
        fyu (DRN-D-22) name them.
    Returns:
      names of the classifier's arrays, which have no place in the network.
    Raises:
      DoesNotFit: as `port_weights`, the classifier aside.
      InputError: the network has no such encoder.
    """
    layers = [layer for layer in model.layers if layer.name.startswith("E_")]
    if not layers:
        raise InputError(f"{model.name} has no encoder that PyTorch's ImageNet weights would fit")
    in_stages = any(layer.name.startswith("E_base_") for layer in layers)
    classifier = [name for name in _weights(arrays) if CLASSIFIER.search(_plain(name))]
    encoder = [name for name in _weights(arrays) if name not in classifier]
    sources = _renamed(encoder, lambda name: _encoder_name(_plain(name), in_stages))
    _assign(model, layers, sources, arrays)
    return sorted(classifier)


def _weights(arrays):
    aside = set(left_aside(arrays))
    return [name for name in arrays if name not in aside]


def _renamed(names, rename):
    """New name -> name."""
    renamed = {rename(name): name for name in names}
    if len(renamed) != len(names):
        twice = sorted(set(names) - set(renamed.values()))
        raise InputError(f"weights that are there twice: {', '.join(map(shown, twice[:3]))}")
    return renamed


def _plain(name):
    return OLD_DENSENET.sub(r"\1\2", WRAPPED.sub("", name))


def _encoder_name(name, in_stages):
    if in_stages:  # a stage is layer3, base.3 or 3
        name = re.sub(r"^(layer|base\.)?(?=\d)", "base.", name)
    return f"E.{name}"


def _assign(model, layers, sources, arrays):
    """Gives the layers' variables their arrays; sources: name that we look for -> name there."""
    sources, from_tensorflow = dict(sources), any("/" in name for name in arrays)
    values, missing, misshapen = [], [], []
    for owner, variable in [(layer, v) for layer in layers for v in layer.weights]:
        name = _published_name(owner, variable, from_tensorflow)
        if name not in sources:
            missing.append(name)
            continue
        array, shape = arrays[sources.pop(name)], _published_shape(variable, from_tensorflow)
        if np.shape(array) != shape:
            misshapen.append(f"{name} (expected {shape}, received {np.shape(array)})")
        values.append((variable, np.asarray(array)))
    unused = sorted(sources)
    if missing or unused or misshapen:
        raise DoesNotFit(model, missing=missing, unused=unused, misshapen=misshapen)
    for variable, value in values:
        turned = value.ndim > 1 and not from_tensorflow
        variable.assign(np.moveaxis(value, (0, 1), (-1, -2)) if turned else value)


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
