"""Stored networks: the traced function, the variables and the hash of N and G in a SavedModel."""

import dataclasses
import hashlib

import numpy as np
import tensorflow as tf

from tfdepthviz.models.scores import ends_in_sigmoid, scores_net
from tfdepthviz.utils.errors import InputError
from tfdepthviz.utils.savedmodel_safety import forbidden_operations

WEIGHTS_DTYPES = ("float32", "float16", "bfloat16")


@dataclasses.dataclass(frozen=True)
class StoredNet:
    """A network in the form in which it is saved.

    Attributes:
      call: tf.function, normalised image (B, H, W, 3) float32 -> (B, h, w, 1) float32; of a region
        network also of a region (B, a, b, 1) float32.
      variables: the tf.Variables that it reads, as they are saved.
      parameters: number of weights.
      sha256: hash of the weights before any rounding: each as little-endian float32, row by row, in
        the order of `net.weights`, then variables that are not Keras's, in the order of their
        names. None where the network has no variables, its weights being constants of its graph.
      weights_dtype: the dtype in which its kernels are stored.
    """

    call: tf.types.experimental.PolymorphicFunction
    variables: tuple
    parameters: int
    sha256: str | None
    weights_dtype: str

    def __call__(self, image, training=False):
        """The network's output for an image; `training` is ignored."""
        return self.call(image)


def store(net, size, weights_dtype="float32", halves=None):
    """Traces a network in the form in which it is saved.

    Half-size kernels stay half-size on disk and in memory. Each call casts them to float32 and
    computes in float32, which every processor can do. Vectors (biases, batch statistics) are small
    and stay float32. So do variables that are not Keras's own, such as those of a SavedModel.

    Args:
      net: keras.Model, image (B, H, W, 3) -> (B, h, w, 1).
      size: (H, W).
      weights_dtype: one of WEIGHTS_DTYPES.
      halves: dict that networks which share layers share, too, so that a kernel is stored once.
    Returns:
      StoredNet.
    Raises:
      InputError: weights_dtype is another, or cannot hold a weight, or the network runs code that
        no server has.
    """
    if weights_dtype not in WEIGHTS_DTYPES:
        raise InputError(
            f"weights_dtype must be one of {', '.join(WEIGHTS_DTYPES)}. Received: {weights_dtype!r}"
        )
    halves = {} if halves is None else halves
    call = _direct(net) if weights_dtype == "float32" else _casting(net, weights_dtype, halves)
    specs = [tf.TensorSpec((None, *size, 3), tf.float32, name="normalised")]
    if len(net.inputs) > 1:
        specs.append(tf.TensorSpec((None, None, None, 1), tf.float32, name="region"))
    function = tf.function(
        lambda *inputs: tf.cast(call(inputs if len(inputs) > 1 else inputs[0]), tf.float32),
        input_signature=specs,
        autograph=False,
    )
    graph = function.get_concrete_function().graph
    if forbidden := forbidden_operations(graph.as_graph_def()):
        raise InputError(
            f"{net.name} cannot be served: its graph holds {', '.join(sorted(forbidden))}, which "
            "needs code or files of this process; use TensorFlow's own operations instead"
        )
    variables = tuple(graph.variables)
    of_keras = {id(v.value) for v in net.variables} | {id(v) for v in getattr(call, "halves", ())}
    others = [v for v in variables if id(v) not in of_keras]
    # The order in a graph differs from process to process.
    weights = [*net.weights, *sorted(others, key=lambda v: (v.name, v.numpy().tobytes()))]
    halved = any(v.dtype == weights_dtype for v in variables)
    return StoredNet(
        function,
        variables,
        sum(int(np.prod(w.shape)) for w in weights),
        _sha256(weights) if weights else None,
        weights_dtype if halved else "float32",
    )


def store_ranking(mask_net, size, weights_dtype="float32", halves=None):
    """Traces G such that its mask and its scores share one set of weights.

    Args:
      mask_net: G, image (B, H, W, 3) -> (B, H, W, 1) in [0, 1].
      size, weights_dtype, halves: as for `store`.
    Returns:
      StoredNet of G's scores, and the function from scores to G's mask. Of a network that does not
      end in a sigmoid (`models.scores.scores_net`), the scores are the mask itself.
    Raises:
      InputError: as `store`.
    """
    if ends_in_sigmoid(mask_net):
        return store(scores_net(mask_net), size, weights_dtype, halves), tf.sigmoid
    return store(mask_net, size, weights_dtype, halves), tf.identity


def _direct(net):
    return lambda image: net(image, training=False)


def _casting(net, dtype, halves):
    """The network as a function whose kernels are variables of `dtype`, those of `halves` first."""

    def half(variable):
        if id(variable.value) not in halves:
            halves[id(variable.value)] = _half(variable, dtype)
        return halves[id(variable.value)]

    trainable = [half(v) for v in net.trainable_variables]
    others = [half(v) for v in net.non_trainable_variables]

    def call(image):
        weights = _cast_like(trainable, net.trainable_variables)
        state = _cast_like(others, net.non_trainable_variables)
        return net.stateless_call(weights, state, image, training=False)[0]

    call.halves = [*trainable, *others]
    return call


def _cast_like(values, variables):
    return [tf.cast(v, variable.dtype) for v, variable in zip(values, variables, strict=True)]


def _half(variable, dtype):
    """A tf.Variable of the same value; kernels in `dtype`, vectors as they are."""
    value = tf.convert_to_tensor(variable.value)
    if value.dtype.is_floating and value.shape.rank > 1:
        small = tf.cast(value, dtype)
        if not bool(tf.reduce_all(tf.math.is_finite(tf.cast(small, tf.float32)))):
            largest = float(tf.reduce_max(tf.abs(value)))
            raise InputError(
                f"weights_dtype={dtype}: cannot hold {variable.path}, whose magnitudes reach "
                f"{largest:.3g}; bfloat16 can"
            )
        value = small
    return tf.Variable(value, trainable=False)


def _sha256(weights):
    digest = hashlib.sha256()
    for weight in weights:
        digest.update(np.ascontiguousarray(weight.numpy(), "<f4").tobytes())
    return digest.hexdigest()
