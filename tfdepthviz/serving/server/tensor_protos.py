"""Conversion between TensorProtos and arrays, safe for any bytes that a client sends."""

import math

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import types_pb2

from tfdepthviz.serving.server.status import StatusError, invalid

# dtype -> field of a proto that holds its values. The last two are packed as they lie in memory.
_VALUES = {
    "int64": "int64_val",
    "uint32": "uint32_val",
    "uint64": "uint64_val",
    "bool": "bool_val",
    "complex64": None,
    "complex128": None,
    **dict.fromkeys(("int8", "int16", "int32", "uint8", "uint16"), "int_val"),
    "float32": "float_val",
    "float64": "double_val",
}
# Wire format: the key of a packed field is its number shifted by 3, or'ed with 2.
_PACKED = {"float32": 5 << 3 | 2, "float64": 6 << 3 | 2}


def to_array(name, proto, max_bytes):
    """The array that a TensorProto holds.

    Args:
      name: name of the tensor in errors.
      proto: TensorProto.
      max_bytes: limit on the array. A proto of a few bytes can stand for a huge array of equal
        values.
    Raises:
      StatusError: `proto` is no tensor, or its array is too large.
    """
    try:
        dtype = tf.as_dtype(proto.dtype)
    except TypeError:
        dtype = None
    sizes = [dim.size for dim in proto.tensor_shape.dim]
    if dtype is None or proto.tensor_shape.unknown_rank or min(sizes, default=0) < 0:
        raise invalid(f"tensor parsing error: {name}")
    count = math.prod(sizes)
    if count * dtype.size > max_bytes:
        raise StatusError(
            "RESOURCE_EXHAUSTED", f"tensor {name} of shape {sizes} is larger than {max_bytes} bytes"
        )
    try:
        if not count:
            return np.zeros(sizes, object if dtype == tf.string else dtype.as_numpy_dtype)
        array = np.asarray(tf.make_ndarray(proto))
        return array if array.shape == tuple(sizes) else array.reshape(sizes)
    except (TypeError, ValueError, KeyError) as error:  # KeyError: a type such as resource
        raise invalid(f"tensor parsing error: {name}") from error


def stated_bytes(proto):
    """Bytes of a TensorProto's array, by its shape; 0 if it is no tensor."""
    try:
        size = tf.as_dtype(proto.dtype).size
    except TypeError:
        return 0
    if proto.dtype == types_pb2.DT_STRING:
        size = 8
    texts = sum(map(len, proto.string_val))
    return texts + size * max(0, math.prod(dim.size for dim in proto.tensor_shape.dim))


def fill(proto, array):
    """Fills an empty TensorProto with typed values, as in TensorFlow Serving's answers."""
    array = np.asarray(array)
    dtype = tf.string if array.dtype.kind in "OSU" else tf.as_dtype(array.dtype)
    proto.dtype = dtype.as_datatype_enum
    proto.tensor_shape.SetInParent()
    for size in array.shape:
        proto.tensor_shape.dim.add(size=size)
    if dtype == tf.string:
        proto.string_val.extend(array.ravel().tolist())
    elif dtype.name in _PACKED:
        # A million floats one by one would take a tenth of a second.
        values = np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes()
        if values:
            key = bytes([_PACKED[dtype.name]])
            proto.MergeFromString(key + _varint(len(values)) + values)
    elif _VALUES.get(dtype.name):
        getattr(proto, _VALUES[dtype.name]).extend(array.ravel().tolist())
    else:
        proto.tensor_content = np.ascontiguousarray(array).tobytes()


def dtype_name(number):
    """The name of a DataType in TensorFlow Serving's errors, such as float."""
    try:
        return types_pb2.DataType.Name(number).removeprefix("DT_").lower()
    except ValueError:
        return f"unknown dtype {number}"


def _varint(number):
    encoded = bytearray()
    while number > 127:
        encoded.append(number & 127 | 128)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)
