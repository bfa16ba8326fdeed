"""N and G as a SavedModel holds them: a traced function, its variables, the hash of its weights."""

import dataclasses
import hashlib

import numpy as np
import tensorflow as tf

from tfdepthviz.utils.errors import InputError

WEIGHTS_DTYPES = ("float32", "float16", "bfloat16")


@dataclasses.dataclass(frozen=True)
class StoredNet:
    """A network in the form in which it is saved.

    Attributes:
      call: tf.function, normalised image (B, H, W, 3) float32 -> (B, h, w, 1) float32.
      variables: the tf.Variables that it reads, as they are saved.
      parameters: number of weights.
      sha256: hash of the weights before any rounding: each as little-endian float32, row by row, in
        the order of `net.weights`, then variables that are not Keras's, in the order of their
        names. None where the network has no variables, its weights being constants of its graph.
      weights_dtype: what its kernels are stored as.
    """

    call: tf.types.experimental.PolymorphicFunction
    variables: tuple
    parameters: int
    sha256: str | None
    weights_dtype: str

    def __call__(self, image, training=False):
        """As the network itself, never in training."""
        return self.call(image)


def store(net, size, weights_dtype="float32"):
    """Traces a network in the form in which it is to be saved.

    Half-size weights stay so on disk and in memory; each call casts them to float32, in which
    everything is computed, so that every processor runs it. Vectors (biases, batch statistics) keep
    float32, as they weigh next to nothing; and so do variables that are not Keras's own, such as
    those of a SavedModel.

    Args:
      net: keras.Model, image (B, H, W, 3) -> (B, h, w, 1).
      size: (H, W).
      weights_dtype: one of WEIGHTS_DTYPES.
    Returns:
      StoredNet.
    Raises:
      InputError: another dtype, or a weight that it cannot hold.
    """
    if weights_dtype not in WEIGHTS_DTYPES:
        raise InputError(
            f"weights_dtype must be one of {', '.join(WEIGHTS_DTYPES)}. Received: {weights_dtype!r}"
        )
    call = _direct(net) if weights_dtype == "float32" else _casting(net, weights_dtype)
    images = tf.TensorSpec((None, *size, 3), tf.float32, name="normalised")
    function = tf.function(
        lambda image: tf.cast(call(image), tf.float32), input_signature=[images], autograph=False
    )
    variables = tuple(function.get_concrete_function().graph.variables)
    of_keras = {id(v.value) for v in net.variables} | {id(v) for v in getattr(call, "halves", ())}
    others = [v for v in variables if id(v) not in of_keras]
    # A graph holds them in no order that another process would find again.
    weights = [*net.weights, *sorted(others, key=lambda v: (v.name, v.numpy().tobytes()))]
    halved = any(v.dtype == weights_dtype for v in variables)
    return StoredNet(
        function,
        variables,
        sum(int(np.prod(w.shape)) for w in weights),
        _sha256(weights) if weights else None,
        weights_dtype if halved else "float32",
    )


def _direct(net):
    return lambda image: net(image, training=False)


def _casting(net, dtype):
    """The network as a function whose kernels are variables of `dtype`."""
    kinds = (net.trainable_variables, net.non_trainable_variables)
    halves = [[_half(variable, dtype) for variable in kind] for kind in kinds]

    def call(image):
        values = [
            [tf.cast(half, variable.dtype) for half, variable in zip(*pair, strict=True)]
            for pair in zip(halves, kinds, strict=True)
        ]
        return net.stateless_call(*values, image, training=False)[0]

    call.halves = [half for kind in halves for half in kind]
    return call


def _half(variable, dtype):
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
