"""Conversion between TensorProtos and arrays, safe for any bytes that a client sends."""

import math

import numpy as np
import tensorflow as tf

from tfdepthviz.serving.server.status import invalid, too_large
from tfdepthviz.utils.wire import field

# dtype -> field of a proto that holds its values.
_FIELDS = {
    "string": "string_val",
    "int64": "int64_val",
    "int32": "int_val",
    "bool": "bool_val",
    "float64": "double_val",
}
_FLOAT_VAL = 5  # number of that field in TensorProto


def to_array(alias, proto, max_bytes):
    """The array that a TensorProto holds; `alias` names it in errors.

    A proto of a few bytes can stand for a huge array of equal values: `max_bytes` limits it.
    """
    sizes = [dim.size for dim in proto.tensor_shape.dim]
    try:
        dtype = tf.as_dtype(proto.dtype)
        count = math.prod(sizes)
        if proto.tensor_shape.unknown_rank or min(sizes, default=0) < 0:
            raise ValueError("no shape")
        if count * (dtype.size or 1) > max_bytes:
            raise too_large(f"{alias}: a tensor of shape {sizes} is larger than {max_bytes} bytes")
        if not count:
            return np.zeros(sizes, object if dtype == tf.string else dtype.as_numpy_dtype)
        array = np.asarray(tf.make_ndarray(proto)).reshape(sizes)
    except (TypeError, ValueError, KeyError) as error:  # KeyError: a type such as resource
        raise invalid(f"{alias}: is no tensor ({error})") from error
    return array


def fill(proto, array):
    """Fills an empty TensorProto with typed values, as in TensorFlow Serving's answers."""
    array = np.asarray(array)
    dtype = tf.string if array.dtype == object else tf.as_dtype(array.dtype)
    proto.dtype = dtype.as_datatype_enum
    proto.tensor_shape.SetInParent()
    for size in array.shape:
        proto.tensor_shape.dim.add(size=size)
    if dtype == tf.float32:
        # A million floats one by one would take a tenth of a second.
        values = np.ascontiguousarray(array, "<f4").tobytes()
        if values:
            proto.MergeFromString(field(_FLOAT_VAL, values))
    elif dtype.name in _FIELDS:
        getattr(proto, _FIELDS[dtype.name]).extend(array.ravel().tolist())
    else:
        proto.tensor_content = np.ascontiguousarray(array).tobytes()
