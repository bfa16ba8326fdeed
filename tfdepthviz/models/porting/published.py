"""Porting of published arrays into networks, by layer name, all of them or none."""

import numpy as np

from tfdepthviz.models.porting.name_rules import (
    CLASSIFIER,
    encoder_name,
    left_aside,
    plain,
    published_name,
    published_shape,
)
from tfdepthviz.models.porting.prefixes import own_names
from tfdepthviz.models.porting.torch_tensors import shown
from tfdepthviz.utils.errors import InputError


class DoesNotFit(InputError):
    """Weights of another network; `entries` has all names under missing, unused, misshapen."""

    def __init__(self, model, **entries):
        self.entries = {
            kind: [shown(name) for name in names] for kind, names in entries.items() if names
        }
        listed = (f"{kind}: {', '.join(names)}" for kind, names in self.entries.items())
        super().__init__(f"weights do not fit {model.name}; {'; '.join(listed)}")

    def summary(self, limit=3):
        """One line: how many entries of each kind, and the first few names."""
        parts = []
        for kind, names in self.entries.items():
            more = ", ..." if len(names) > limit else ""
            parts.append(f"{len(names)} {kind} ({', '.join(names[:limit])}{more})")
        return "; ".join(parts)


def port_weights(model, arrays):
    """Puts published weights into a network, all of them or none.

    Kernels in PyTorch's layout (out, in, h, w) are turned into (h, w, in, out). A prefix that all
    names of the network share, such as `module.` or Lightning's `model.`, is taken off, and what
    lies outside of it is left aside, with the arrays named by `left_aside`; DenseNet's `norm.1` and
    `norm1` are the same.

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
    sources = _renamed(_weights(arrays), plain)
    if not _from_tensorflow(arrays):
        sources = own_names(sources, [name for name, _ in _named(model.layers, False)])
    _assign(model, model.layers, sources, arrays)
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
      DoesNotFit: as `port_weights`, except for the classifier.
      InputError: the network has no such encoder.
    """
    layers = [layer for layer in model.layers if layer.name.startswith("E_")]
    if not layers:
        raise InputError(f"{model.name} has no encoder that PyTorch's ImageNet weights would fit")
    in_stages = any(layer.name.startswith("E_base_") for layer in layers)
    classifier = [name for name in _weights(arrays) if CLASSIFIER.search(plain(name))]
    encoder = [name for name in _weights(arrays) if name not in classifier]
    sources = _renamed(encoder, lambda name: encoder_name(plain(name), in_stages))
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


def _from_tensorflow(arrays):
    return any("/" in name for name in arrays)


def _named(layers, from_tensorflow):
    """(published name, variable) of all variables of some layers."""
    return [
        (published_name(layer, variable, from_tensorflow), variable)
        for layer in layers
        for variable in layer.weights
    ]


def _assign(model, layers, sources, arrays):
    """Gives the layers' variables their arrays; sources: published name -> key in `arrays`."""
    sources, from_tensorflow = dict(sources), _from_tensorflow(arrays)
    values, missing, misshapen = [], [], []
    for name, variable in _named(layers, from_tensorflow):
        if name not in sources:
            missing.append(name)
            continue
        array, shape = arrays[sources.pop(name)], published_shape(variable, from_tensorflow)
        if np.shape(array) != shape:
            misshapen.append(f"{name} (expected {shape}, received {np.shape(array)})")
        values.append((variable, np.asarray(array)))
    unused = sorted(sources)
    if missing or unused or misshapen:
        raise DoesNotFit(model, missing=missing, unused=unused, misshapen=misshapen)
    for variable, value in values:
        turned = value.ndim > 1 and not from_tensorflow
        variable.assign(np.moveaxis(value, (0, 1), (-1, -2)) if turned else value)
