"""The made-up weights and images from which the golden files were computed."""

import json
import math
import re
import zlib

import numpy as np


def weights(golden):
    """Published name -> array, from a golden file's list of names and shapes and its seed."""
    names = "variables" if "variables" in golden else "state_dict"
    return {
        name: _array(name, shape, int(golden["seed"]), tensorflow=names == "variables")
        for name, shape in json.loads(str(golden[names])).items()
    }


def narrowed(golden, factor=8):
    """The same names with normal values, for a network with a share of the channels."""
    rng = np.random.default_rng(0)
    arrays = {}
    for name, shape in json.loads(str(golden["state_dict"])).items():
        if shape:  # not the batch counters
            shape = [n // factor if n >= 2 * factor else n for n in shape]
            arrays[name] = rng.normal(size=shape).astype("float32")
    return arrays


def image(golden):
    """(B, H, W, 3) float32, standing for normalised images."""
    rng = np.random.default_rng([int(golden["seed"]), 1])
    return rng.normal(size=tuple(golden["input_shape"])).astype("float32")


def _array(name, shape, seed, *, tensorflow):
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    if len(shape) >= 2:
        fan = math.prod(shape[:-1] if tensorflow else shape[1:])
        return rng.normal(0, math.sqrt(2 / fan), shape).astype("float32")
    leaf = re.split(r"[./]", name)[-1]
    if leaf in ("running_var", "variance"):
        array = rng.uniform(0.5, 1.5, shape)
    elif leaf in ("running_mean", "mean"):
        array = rng.normal(0, 0.1, shape)
    elif leaf in ("weight", "scale"):
        array = rng.uniform(0.5, 1.0, shape)
    else:
        array = rng.normal(0, 0.1, shape)
    return array.astype("float32")
