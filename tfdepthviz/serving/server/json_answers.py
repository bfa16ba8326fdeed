"""JSON of answers: predictions, classes, values, errors, and messages such as a status."""

import base64

import numpy as np
import tensorflow as tf
from google.protobuf import json_format

from tfdepthviz.serving.server.json_text import encode, encode_leniently
from tfdepthviz.serving.server.status import invalid
from tfdepthviz.serving.server.tensor_protos import dtype_name

# Types whose arrays the encoder takes.
_NUMBERS = frozenset("bool int8 uint8 int16 int32 uint32 int64 uint64 float32 float64".split())


def predictions(outputs):
    """The row format: one element for each instance; a single output is unwrapped.

    Args:
      outputs: dict of alias -> array with a common first dimension.
    Returns:
      bytes.
    Raises:
      StatusError: no common first dimension, or a type without a JSON form.
    """
    batch = None
    for name in sorted(outputs):
        if not np.ndim(outputs[name]):
            raise invalid(f"Tensor name: {name} has no shape information ")
        size = len(outputs[name])
        if batch not in (None, size):
            raise invalid(
                f"Tensor name: {name} has inconsistent batch size: {size} expecting: {batch}"
            )
        batch = size
    values = _values(outputs)
    if len(values) == 1:
        (rows,) = values.values()
    else:
        rows = [{name: values[name][i] for name in values} for i in range(batch)]
    return _encoded({"predictions": rows}, outputs)


def columns(outputs):
    """The columnar format: an array for each output; a single output is unwrapped."""
    values = _values(outputs)
    if len(values) == 1:
        (values,) = values.values()
    return _encoded({"outputs": values}, outputs)


def classes(result):
    """JSON of a ClassificationResult: for each example a list of [label, score]."""
    rows = [
        [[c.label, np.float32(c.score)] for c in classifications.classes]
        for classifications in result.classifications
    ]
    scores = [score for row in rows for _, score in row]
    return _encoded({"results": rows}, {"scores": np.array(scores, np.float32)})


def values(result):
    """JSON of a RegressionResult: a number for each example."""
    numbers = np.array([regression.value for regression in result.regressions], np.float32)
    return _encoded({"results": numbers}, {"values": numbers})


def message(proto):
    """A protocol buffer as dict: all fields, under their names in the proto."""
    options = {"preserving_proto_field_name": True}
    try:
        return json_format.MessageToDict(
            proto, always_print_fields_with_no_presence=True, **options
        )
    except TypeError:  # protobuf before 5.26
        return json_format.MessageToDict(proto, including_default_value_fields=True, **options)


def error(text):
    """JSON of an error."""
    return encode({"error": text.encode("utf-8", "replace").decode()})


def _values(outputs):
    """alias -> value that the encoder takes."""
    encodable = {}
    for name in sorted(outputs):
        array = np.asarray(outputs[name])
        if array.dtype == object:
            as_json = _bytes if name.endswith("_bytes") else _text
            encodable[name] = _each(array.tolist(), as_json)
        elif array.dtype.name in _NUMBERS:
            encodable[name] = np.ascontiguousarray(array) if array.ndim else array[()]
        else:
            dtype = dtype_name(tf.as_dtype(array.dtype).as_datatype_enum)
            raise invalid(f"Failed to write JSON value for tensor type: {dtype}")
    return encodable


def _each(nested, function):
    return [_each(e, function) for e in nested] if isinstance(nested, list) else function(nested)


def _bytes(value):
    return {"b64": base64.b64encode(value).decode("ascii")}


def _text(value):
    return value.decode("utf-8", "replace")


def _encoded(document, arrays):
    numbers = [array for array in arrays.values() if np.asarray(array).dtype.kind == "f"]
    if all(np.isfinite(array).all() for array in numbers):
        return encode(document)
    return encode_leniently(_plain(document))


def _plain(value):
    """Arrays as lists, for the encoder that writes NaN."""
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value
