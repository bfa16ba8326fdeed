"""Name rules: from our layers and variables to their names in published checkpoints."""

import re

# Our layer name -> the name in the checkpoint: every rule that matches, in this order.
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
# Modules that stand in front of every name of a wrapped network.
WRAPPED = re.compile(r"^(module\.|_orig_mod\.)+")
# DenseNet's modules had dots in their names until PyTorch 0.4 forbade it.
OLD_DENSENET = re.compile(r"(\.denselayer\d+\.(?:norm|conv))\.([12]\.)")
# Modules of an ImageNet or segmentation network outside its encoder.
CLASSIFIER = re.compile(r"^(fc|classifier|last_linear|seg|up)\.")
# Batch counters, steps, and the state of Adam: no weights.
COUNTERS = re.compile(
    r"(^|[./])(num_batches_tracked|n_averaged|num_updates|global_step|beta[12]_power(_\d+)?)$"
)


def published_name(layer, variable, from_tensorflow):
    """Name of a layer's variable in a checkpoint of TensorFlow, or else of PyTorch."""
    name = layer.name
    for pattern, replacement in TENSORFLOW_RULES if from_tensorflow else TORCH_RULES:
        name = re.sub(pattern, replacement, name)
    if from_tensorflow:
        return f"{name}/{TENSORFLOW_LEAVES[variable.name]}"
    return f"{name}.{TORCH_LEAVES[variable.name]}"


def published_shape(variable, from_tensorflow):
    """Shape of the array of a variable; PyTorch's kernels are (out, in, h, w)."""
    shape = tuple(variable.shape)
    if from_tensorflow or len(shape) < 2:
        return shape
    return (shape[-1], shape[-2], *shape[:-2])


def plain(name):
    """A published name without wrappers, in today's spelling of DenseNet's modules."""
    return OLD_DENSENET.sub(r"\1\2", WRAPPED.sub("", name))


def encoder_name(name, in_stages):
    """Name in a network of Hu et al. of an array of an ImageNet network.

    Args:
      name: plain name in the ImageNet network.
      in_stages: whether the encoder numbers its stages, as SENet-154 and DRN-D-22 do.
    """
    if in_stages:  # a stage is layer3, base.3 or 3
        name = re.sub(r"^(layer|base\.)?(?=\d)", "base.", name)
    return f"E.{name}"


def left_aside(arrays):
    """Names of arrays that no network needs: batch counters, steps, and slots of optimisers.

    Args:
      arrays: dict of published name -> array.
    Returns:
      sorted list of names.
    """
    return sorted(n for n in arrays if COUNTERS.search(n) or n.rpartition("/")[0] in arrays)
