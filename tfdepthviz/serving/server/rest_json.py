"""JSON of predict requests and answers, in TensorFlow Serving's row and columnar formats."""

import base64
import binascii
import gc
import itertools
import json
import reprlib

import numpy as np
import orjson
import tensorflow as tf
from google.protobuf import json_format

from tfdepthviz.serving.server.status import StatusError, invalid, too_large

# Types of inputs that JSON can hold: NumPy's type, the JSON types, and their name in errors.
_TYPES = {
    "float32": (np.float32, {int, float}, "a number"),
    "float64": (np.float64, {int, float}, "a number"),
    "int32": (np.int32, {int}, "a whole number"),
    "int64": (np.int64, {int}, "a whole number"),
    "bool": (np.bool_, {bool}, "true or false"),
    "string": (object, {str, dict}, 'text, or {"b64": "..."}'),
}
# Bytes that Python takes for a list, an object, a value and half of a string.
_BYTES_EACH = {b"[": 72, b"{": 240, b",": 24, b'"': 16}
# A parsed body may take this many times the largest body in memory; two are parsed at a time.
_MEMORY = 16


def memory(body):
    """Estimate of the bytes that the values of a body will take once parsed."""
    return sum(count * body.count(mark) for mark, count in _BYTES_EACH.items())


def parse(body, limits):
    """The object in a request's body."""
    if (needed := memory(body)) > _MEMORY * limits.max_body_bytes:
        raise too_large(
            f"the body would take about {needed} bytes of memory, more than {_MEMORY} times "
            "max_body_bytes"
        )
    # Each 700 new lists would start a garbage collection over all lists: three times the time.
    collects = gc.isenabled()
    gc.disable()
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        document = _parse_leniently(body)
    finally:
        if collects:
            gc.enable()
    if not isinstance(document, dict):
        raise invalid(f"the body must be a JSON object. Received: {reprlib.repr(document)}")
    return document


def signature_name(document):
    """The signature that a request names; "" without one."""
    name = document.get("signature_name", "")
    if not isinstance(name, str):
        raise invalid(f"signature_name must be text. Received: {reprlib.repr(name)}")
    return name


def arrays(document, signature):
    """(dict of alias -> array, function that encodes a dict of outputs alike) of a request."""
    if ("instances" in document) == ("inputs" in document):
        raise invalid('the body must hold either "instances", rows, or "inputs", columns')
    if "instances" in document:
        columns, encode = _from_rows(document["instances"], sorted(signature.inputs)), rows
    else:
        columns, encode = document["inputs"], columns_of
        if not _is_named(columns):
            columns = {_only(signature.inputs, "inputs"): columns}
    # Values of unknown names are not read: the signature refuses the names.
    types = {alias: info.dtype for alias, info in signature.inputs.items()}
    return {a: v if a not in types else _array(a, v, types[a]) for a, v in columns.items()}, encode


def rows(outputs):
    """The row format: one element for each instance; a single output is unwrapped."""
    sizes = {len(array) if np.ndim(array) else None for array in outputs.values()}
    if len(sizes) != 1 or None in sizes:
        raise invalid('outputs of different lengths have no rows: ask with "inputs" instead')
    values = {name: _jsonable(name, array) for name, array in sorted(outputs.items())}
    if len(values) == 1:
        (listed,) = values.values()
    else:
        listed = [{name: v[i] for name, v in values.items()} for i in range(sizes.pop())]
    return _encoded({"predictions": listed}, outputs)


def columns_of(outputs):
    """The columnar format: an array for each output; a single output is unwrapped."""
    values = {name: _jsonable(name, array) for name, array in sorted(outputs.items())}
    if len(values) == 1:
        (values,) = values.values()
    return _encoded({"outputs": values}, outputs)


def message(proto):
    """A protocol buffer as dict: all fields, under their names in the proto."""
    return json_format.MessageToDict(
        proto, always_print_fields_with_no_presence=True, preserving_proto_field_name=True
    )


def encode(document):
    """JSON of dicts, lists, strings and contiguous arrays of finite numbers or booleans."""
    return orjson.dumps(document, default=_encoded_array)


def _parse_leniently(body):
    """Accepts NaN and Infinity, as TensorFlow Serving does."""
    try:
        return json.loads(body.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise invalid(f"the body is no JSON: byte {error.start} is not UTF-8") from error
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else error
        raise invalid(f"the body is no JSON: {reason}") from error


def _from_rows(instances, aliases):
    """alias -> list of the values of all rows."""
    if not isinstance(instances, list) or not instances:
        raise invalid('"instances" must be a list of at least one row')
    if not any(map(_is_named, instances)):
        return {_only(aliases, "instances"): instances}
    for place, instance in enumerate(instances):
        if not _is_named(instance) or sorted(instance) != aliases:
            sent = ", ".join(sorted(instance)) if _is_named(instance) else reprlib.repr(instance)
            raise invalid(
                f"instances[{place}] must be an object of the inputs {', '.join(aliases)}. "
                f"Received: {sent}"
            )
    return {alias: [instance[alias] for instance in instances] for alias in aliases}


def _only(aliases, key):
    if len(aliases) != 1:
        names = ", ".join(sorted(aliases)) or "none"
        raise invalid(f'"{key}" must name the inputs, as the signature takes {names}')
    return next(iter(aliases))


def _is_named(value):
    return isinstance(value, dict) and not (value.keys() == {"b64"})


def _array(alias, value, dtype):
    name = tf.as_dtype(dtype).name
    if name not in _TYPES:
        raise StatusError("UNIMPLEMENTED", f"{alias}: JSON has no form for the type {name}")
    number_type, types, expected = _TYPES[name]
    flat, shape = _flattened(alias, value)
    if not set(map(type, flat)) <= types:
        place = next(i for i, item in enumerate(flat) if type(item) not in types)
        where, item = _placed(alias, place, shape), reprlib.repr(flat[place])
        raise invalid(f"{where} must be {expected}. Received: {item}")
    if name == "string":
        array = np.empty(len(flat), object)
        array[:] = [_bytes(item, alias, i, shape) for i, item in enumerate(flat)]
        return array.reshape(shape)
    try:
        # The warning of NumPy becomes an error: a finite number is infinite in float32.
        with np.errstate(over="raise"):
            wide = np.float64 if name == "float32" else number_type
            array = np.array(flat, wide).astype(number_type, copy=False)
    except (OverflowError, FloatingPointError) as error:
        raise invalid(f"{alias} holds numbers too large for {name}") from error
    if len(shape) > 32:  # as many axes as all versions of NumPy have
        raise invalid(f"{alias} has {len(shape)} nested lists, which no input has")
    return array.reshape(shape)


def _flattened(alias, value):
    """(list of the leaves, shape) of regular lists."""
    flat, shape = [value], []
    while flat and isinstance(flat[0], list):
        size = len(flat[0])
        if set(map(type, flat)) != {list} or set(map(len, flat)) != {size}:
            place = next(i for i, v in enumerate(flat) if not isinstance(v, list) or len(v) != size)
            raise invalid(
                f"{_placed(alias, place, shape)} must be a list of {size}, as the others are. "
                f"Received: {reprlib.repr(flat[place])}"
            )
        shape.append(size)
        flat = list(itertools.chain.from_iterable(flat))
    return flat, shape


def _placed(alias, place, shape):
    """Where a value lies: image[0][3]."""
    return alias + "".join(f"[{i}]" for i in (np.unravel_index(place, shape) if shape else ()))


def _bytes(value, alias, place, shape):
    """Bytes of a text or of {"b64": "..."}; padding may be missing, and lines may be broken."""
    try:
        if isinstance(value, str):
            return value.encode()
        text = "".join(value["b64"].split())
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (KeyError, AttributeError, binascii.Error, ValueError) as error:
        where = _placed(alias, place, shape)
        raise invalid(f'{where} must be text, or {{"b64": "..."}} with base64 data') from error


def _jsonable(name, array):
    array = np.asarray(array)
    if array.dtype == object:
        return _each(array.tolist(), name.endswith("_bytes"))
    if array.dtype.kind in "fiub" and array.dtype != np.float16:
        return np.ascontiguousarray(array) if array.ndim else array[()]
    raise invalid(f"output {name} is of type {array.dtype}, for which JSON has no form")


def _each(value, as_base64):
    if isinstance(value, list):
        return [_each(one, as_base64) for one in value]
    if as_base64:
        return {"b64": base64.b64encode(value).decode("ascii")}
    return value.decode("utf-8", "replace")


def _encoded(document, outputs):
    numbers = [np.asarray(a) for a in outputs.values() if np.asarray(a).dtype.kind == "f"]
    if all(np.isfinite(array).all() for array in numbers):
        return encode(document)
    return json.dumps(document, default=np.ndarray.tolist, separators=(",", ":")).encode()


def _encoded_array(array):
    """A fragment of JSON for an array.

    Maps end in a dimension of 1, and orjson takes three times as long for a list around each
    number. Without that dimension, each comma stands where two lists of one number meet: between
    numbers, and between rows, whose own brackets are then the outer ones.
    """
    single = np.ndim(array) > 1 and array.shape[-1] == 1 and array.size
    inner = np.ascontiguousarray(array[..., 0]) if single else array
    text = orjson.dumps(inner, option=orjson.OPT_SERIALIZE_NUMPY)
    return orjson.Fragment(b"[" + text.replace(b",", b"],[") + b"]" if single else text)
