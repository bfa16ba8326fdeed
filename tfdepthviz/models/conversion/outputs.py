"""Outputs of foreign networks: the depth among them; the error of a package that is missing."""

from tfdepthviz.utils.errors import InputError

# Names of the depth in networks with several outputs; the first one that is there is taken.
DEPTHS = (
    *("predicted_depth", "depth", "metric_depth", "inverse_depth", "disparity", "disp", "disp_0"),
)


def depth_of(outputs, output, name):
    """The depth among a network's outputs.

    Args:
      outputs: tensor or array; or a list, tuple or dict of them. A key ("disp", 0) is named disp_0,
        and so is the first one of a list under the key "disp".
      output: name or number of the depth; None: the only one, or one of DEPTHS.
      name: what messages call the network.
    Returns:
      its name or number as str, and the map (B, h, w).
    Raises:
      InputError: there is no such output, or it is no map.
    """
    tensors = dict(_named(outputs))
    if output is None:
        output = next((n for n in DEPTHS if n in tensors), None)
    if output is None and len(tensors) == 1:
        (output,) = tensors
    if output not in tensors:
        raise InputError(
            f"{name}, clause 'output': expected the depth's name, one of {', '.join(tensors)}. "
            f"Received: {output}"
        )
    depth = tensors[output]
    if depth.ndim == 4 and 1 in (depth.shape[1], depth.shape[3]):
        depth = depth.squeeze(1 if depth.shape[1] == 1 else 3)
    if depth.ndim != 3:
        raise InputError(
            f"{name}, clause 'output': expected one map, (B, h, w), (B, 1, h, w) or (B, h, w, 1). "
            f"Received: {tuple(depth.shape)}"
        )
    return output, depth


def _named(outputs):
    """(name, tensor) of outputs in any container."""
    if hasattr(outputs, "ndim"):
        pairs = [("0", outputs)]
    elif hasattr(outputs, "items"):
        pairs = outputs.items()
    else:
        pairs = enumerate(outputs)
    for key, value in pairs:
        key = "_".join(map(str, key)) if isinstance(key, tuple) else str(key)
        if hasattr(value, "ndim"):
            yield key, value
        elif isinstance(value, dict | list | tuple):
            yield from ((f"{key}_{inner}", tensor) for inner, tensor in _named(value))


def needs(package, extra, where):
    """The InputError of a package that is not installed.

    Args:
      package, extra: names of the package, and of the extra that installs it.
      where: the network, in the user's words.
    """
    return InputError(
        f"{where}: needs {package} for its conversion, which the extra `{extra}` installs "
        f'(pip install "tfdepthviz[{extra}]")'
    )
