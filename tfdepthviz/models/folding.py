"""Folding: the batch normalisations of a frozen network go into the convolutions before them.

In inference a batch normalisation is one scale and one shift a channel. A convolution's kernel and
bias can hold both:

    BN(conv(x)) = s * (W x + b) + t = (s W) x + (s b + t),
    s = gamma / sqrt(variance + epsilon),  t = beta - s * mean
"""

import collections
import functools

import keras
import numpy as np
from keras import layers, ops

from tfdepthviz.models.layers import BatchNormalization, GroupedConv2D, resized_conv

# Their kernels end in the output channels. Subclasses are left out: they may use the kernel in
# another way.
FOLDABLE = (
    layers.Dense,
    layers.Conv1D,
    layers.Conv2D,
    layers.Conv3D,
    layers.Conv1DTranspose,
    layers.Conv2DTranspose,
    layers.Conv3DTranspose,
    layers.DepthwiseConv1D,
    layers.DepthwiseConv2D,
    GroupedConv2D,
    resized_conv.Conv2D,
)
TRANSPOSED = (layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose)
DEPTHWISE = (layers.DepthwiseConv1D, layers.DepthwiseConv2D)
NORMS = (layers.BatchNormalization, BatchNormalization)


def fold_batch_norm(model):
    """The same network in inference, without the batch normalisations that can be folded.

    A batch normalisation is folded if it alone reads the convolution (or dense layer) before it,
    that convolution has no activation and is called once, and both agree on type and axis of the
    channels. Any other stays. Networks within the network are folded likewise. A layer with a
    method `folded` is replaced by the layer that this method returns.

    Folded convolutions are new layers of the same name, and so are other layers of Keras and of
    this package that can be copied. The rest are the layers of `model`, which does not change.
    Weights are computed in float64 and rounded once: in float32 the outputs differ by rounding,
    under a mixed policy by the rounding of the kernels.

    Args:
      model: keras.Model. One that is no functional or sequential graph is returned unchanged.
    Returns:
      keras.Model of the same name, inputs and outputs; frozen if `model` is.
    """
    if not _is_network(model):
        return model
    graph = model
    if type(model) is keras.Sequential:
        graph = keras.Model(model.inputs, model.outputs, name=model.name)
    calls, outputs = _calls(graph)
    replaced, left_out = _folded_layers(calls, outputs)
    if not replaced:
        return model

    def replacement(layer):
        if id(layer) in left_out:
            return layer
        return replaced[id(layer)] if id(layer) in replaced else _copied(layer)

    def call(layer, *args, **kwargs):
        return args[0] if id(layer) in left_out else layer(*args, **kwargs)

    folded = keras.models.clone_model(graph, clone_function=replacement, call_function=call)
    if not model.trainable:
        folded.trainable = False
    return folded


def _is_network(layer):
    """Whether a layer is a functional or sequential graph."""
    if type(layer) is keras.Sequential:
        return bool(layer.built and getattr(layer, "inputs", None))
    # A subclass may override the call.
    return type(layer) is _functional_class()


@functools.cache
def _functional_class():
    """The class of functional graphs, which Keras does not export."""
    image = keras.Input((1,), name="x")
    return type(keras.Model(image, image, name="functional_graph"))


def _calls(model):
    """Every call of a layer in the graph, (layer, arguments, inputs, outputs); and the outputs."""
    calls = []

    def record(layer, *args, **kwargs):
        result = layer(*args, **kwargs)
        inputs = [
            id(x) for x in keras.tree.flatten((args, kwargs)) if keras.utils.is_keras_tensor(x)
        ]
        calls.append((layer, (args, kwargs), inputs, [id(x) for x in keras.tree.flatten(result)]))
        return result

    same = keras.models.clone_model(model, clone_function=lambda layer: layer, call_function=record)
    return calls, [id(x) for x in same.outputs]


def _folded_layers(calls, outputs):
    """id of a layer -> its replacement; and the ids of the layers that are left out."""
    called = collections.Counter(id(layer) for layer, *_ in calls)
    read = collections.Counter([x for *_, inputs, _ in calls for x in inputs] + outputs)
    made_by = {x: call for call in calls for x in call[3]}
    training = {id(layer) for layer, (_, kwargs), *_ in calls if kwargs.get("training")}
    replaced, left_out = {}, set()
    for layer, (args, _), inputs, _ in calls:
        if id(layer) in training or id(layer) in replaced:
            continue
        within = layer.folded() if hasattr(layer, "folded") else fold_batch_norm(layer)
        if within is not layer:
            replaced[id(layer)] = within
        if type(layer) not in NORMS or called[id(layer)] > 1:
            continue
        if not (len(args) == len(inputs) == 1 and inputs[0] in made_by):
            continue
        before, (before_args, _), *_ = made_by[inputs[0]]
        alone = len(before_args) == read[inputs[0]] == called[id(before)] == 1
        if alone and _takes(before, layer, rank=len(args[0].shape)):
            replaced[id(before)] = _folded(before, layer)
            left_out.add(id(layer))
    return replaced, left_out


def _takes(layer, norm, rank):
    """Whether a layer can take in a batch normalisation of its output."""
    if type(layer) not in FOLDABLE or layer.activation is not keras.activations.linear:
        return False
    if not _is_plain(layer):
        return False
    first = getattr(layer, "data_format", None) == "channels_first"
    same_axis = norm.axis % rank == (1 if first else rank - 1)
    return same_axis and layer.compute_dtype == norm.compute_dtype


def _copied(layer):
    """A copy of a layer of Keras's or ours; any other layer itself.

    A layer keeps all networks that it is part of in memory. If the folded network shares no layer
    with `model`, the weights of `model` are freed with it.
    """
    known = type(layer).__module__.startswith(("keras.src.layers.", "tfdepthviz.models."))
    if not known or isinstance(layer, layers.Lambda):
        return layer
    plain = _is_plain(layer) if type(layer) in FOLDABLE + NORMS else not layer.weights
    return _like(layer, layer.get_weights()) if plain else layer


def _is_plain(layer):
    """Whether its weights are those of its configuration: neither adapted nor quantised."""
    changed = getattr(layer, "lora_enabled", False) or getattr(layer, "quantization_mode", None)
    return not changed


def _folded(layer, norm):
    """A new layer that computes `layer`, then `norm`."""
    scale, shift = _scale_and_shift(norm)
    kernel = _exact(layer.kernel)
    along = (len(scale), 1) if type(layer) in TRANSPOSED else (len(scale),)
    if type(layer) in DEPTHWISE:
        along = kernel.shape[-2:]
    bias = _exact(layer.bias) if layer.use_bias else 0.0
    weights = [kernel * scale.reshape(along), bias * scale + shift]
    return _like(layer, weights, use_bias=True)


def _like(layer, weights, **changes):
    """A new layer of the same name, its configuration changed, with these weights."""
    # Random initial values would be drawn in vain.
    unset = {name: "zeros" for name in layer.get_config() if name.endswith("_initializer")}
    new = type(layer).from_config({**layer.get_config(), **unset, **changes})
    if weights:
        new.build_from_config(layer.get_build_config())
        new.set_weights(weights)
    return new


def _scale_and_shift(norm):
    """s and t of a batch normalisation, (C,) float64."""
    scale = 1.0 / np.sqrt(_exact(norm.moving_variance) + norm.epsilon)
    if norm.scale:
        scale = scale * _exact(norm.gamma)
    shift = -_exact(norm.moving_mean) * scale
    return scale, shift + _exact(norm.beta) if norm.center else shift


def _exact(variable):
    return ops.convert_to_numpy(variable).astype("float64")
