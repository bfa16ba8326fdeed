"""Conversion of the JSON of a predict request to arrays, by TensorFlow Serving's rules.

A float takes every number, but a whole number must be exact in it. An integer takes only whole
numbers in its range. Booleans and strings are never numbers. Lists must be regular.

The quick way flattens lists level by level in C and checks the set of types. If anything is wrong,
the careful way walks the values one by one and reports what is wrong and where.
"""

import base64
import binascii
import itertools
import re

import numpy as np

from tfdepthviz.serving.server.json_text import shown
from tfdepthviz.serving.server.status import StatusError, invalid
from tfdepthviz.serving.server.tensor_protos import dtype_name

# Integers: TensorFlow Serving's name -> NumPy's type and the range.
_INTEGERS = {
    "int8": (np.int8, -(2**7), 2**7 - 1),
    "uint8": (np.uint8, 0, 2**8 - 1),
    "int16": (np.int16, -(2**15), 2**15 - 1),
    "int32": (np.int32, -(2**31), 2**31 - 1),
    "int64": (np.int64, -(2**63), 2**63 - 1),
    "uint32": (np.uint32, 0, 2**32 - 1),
    "uint64": (np.uint64, 0, 2**64 - 1),
}
# Floats: name -> NumPy's type and the largest whole number up to which all are exact.
_FLOATS = {"float": (np.float32, 2**24 - 1), "double": (np.float64, 2**53 - 1)}
# White space that encoders put between lines.
_WHITE = re.compile(r"[ \t\n\v\f\r]+")
_TYPES = {
    "string": object,
    "bool": bool,
    **{name: rule[0] for name, rule in {**_FLOATS, **_INTEGERS}.items()},
}
_NAMES = {
    type(None): "Null",
    dict: "Object",
    list: "Array",
    str: "String",
    int: "Number",
    float: "Number",
}


def from_instances(instances, inputs):
    """The row format: a list of values, or of objects with one value for each input.

    Args:
      instances: the JSON value of "instances".
      inputs: dict of alias -> TensorInfo, without missing inputs that have a default.
    Returns:
      dict of alias -> array whose first dimension is the number of instances.
    Raises:
      StatusError: an instance is wrong; the message says which and how.
    """
    named = _is_named(instances[0])
    if not isinstance(instances[0], dict) and len(inputs) > 1:
        raise invalid(
            "instances is a plain list, but expecting list of objects as multiple input tensors "
            "required as per tensorinfo_map"
        )
    columns = _columns(instances, inputs, named)
    if columns is not None:
        arrays = {a: _quick(values, dtype_name(inputs[a].dtype)) for a, values in columns.items()}
        if all(array is not None for array in arrays.values()):
            return arrays
    return _rows_one_by_one(instances, inputs, named)


def from_inputs(value, inputs):
    """The columnar format: an object with an array for each input, or the only input's array.

    Args:
      value: the JSON value of "inputs".
      inputs: dict of alias -> TensorInfo.
    Returns:
      dict of alias -> array.
    """
    if not _is_named(value):
        if len(inputs) > 1:
            raise invalid(
                "inputs is a plain value/list, but expecting an object as multiple input tensors "
                "required as per tensorinfo_map"
            )
        value = {alias: value for alias in inputs}
    arrays = {}
    for alias in sorted(inputs):
        if alias not in value:
            raise invalid(f"Missing named input: {alias} in 'inputs' object.")
        arrays[alias] = to_array(value[alias], dtype_name(inputs[alias].dtype))
    return arrays


def to_array(value, dtype):
    """A value or nested lists of values as an array.

    Args:
      dtype: TensorFlow Serving's name, such as float or string.
    """
    array = _quick(value, dtype)
    return _carefully(value, dtype) if array is None else array


def decode_base64(value):
    """Bytes of {"b64": "..."}; padding may be missing, and lines may be broken.

    Raises:
      StatusError: another object, or text that is no base64.
    """
    if not _is_base64(value):
        raise invalid(f"JSON Value: {shown(value)} not formatted correctly for base64 data")
    text = value["b64"]
    if _WHITE.search(text):
        text = _WHITE.sub("", text)
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise invalid("Unable to base64 decode") from error


def json_type(value):
    """TensorFlow Serving's name of a JSON value's type."""
    return str(value) if isinstance(value, bool) else _NAMES[type(value)]


def lossy(value, dtype):
    return invalid(
        f"Cannot convert JSON value: {shown(value)} to {dtype} without loss of precision."
    )


def _is_base64(value):
    return isinstance(value, dict) and len(value) == 1 and isinstance(value.get("b64"), str)


def _is_named(value):
    return isinstance(value, dict) and not _is_base64(value)


def _columns(instances, inputs, named):
    """dict of alias -> list of values; None if the instances are not all alike."""
    if not named:
        if any(_is_named(instance) for instance in instances):
            return None
        return {next(iter(inputs)): instances}
    names = instances[0].keys()
    if not names <= inputs.keys() or any(
        not _is_named(instance) or instance.keys() != names for instance in instances
    ):
        return None
    if names != inputs.keys():
        return None
    return {name: [instance[name] for instance in instances] for name in names}


def _quick(value, dtype):
    """The array; None if anything is wrong, which the careful way then names."""
    flat, shape = _flattened(value)
    if flat is None:
        return None
    types = set(map(type, flat))
    if dtype in _FLOATS:
        array = _quick_floats(flat, types, dtype)
    elif dtype in _INTEGERS:
        array = _quick_integers(flat, types, *_INTEGERS[dtype])
    elif dtype == "bool":
        array = np.array(flat, bool) if types <= {bool} else None
    elif dtype == "string":
        array = _quick_strings(flat, types)
    else:
        return None
    try:
        return None if array is None else array.reshape(shape)
    except ValueError:  # more dimensions than NumPy has
        return None


def _flattened(value):
    """(list of the leaves, shape) of regular lists, (None, None) of others."""
    flat, shape = [value], []
    while flat and isinstance(flat[0], list):
        if set(map(type, flat)) != {list} or len(set(map(len, flat))) != 1:
            return None, None
        shape.append(len(flat[0]))
        flat = list(itertools.chain.from_iterable(flat))
    return flat, shape


def _quick_floats(flat, types, dtype):
    number_type, exact = _FLOATS[dtype]
    if not types <= {int, float}:
        return None
    array = np.array(flat, np.float64)
    large = np.flatnonzero(np.abs(array) > exact)
    if large.size and (
        any(type(flat[i]) is int for i in large)
        or np.any(np.isfinite(array) & (np.abs(array) > np.finfo(number_type).max))
    ):
        return None
    return array.astype(number_type, copy=False)


def _quick_integers(flat, types, number_type, low, high):
    if not types <= {int} or (flat and (min(flat) < low or max(flat) > high)):
        return None
    return np.array(flat, number_type)


def _quick_strings(flat, types):
    if not types <= {str, dict}:
        return None
    try:
        values = [_string(value) for value in flat]
    except StatusError:
        return None
    array = np.empty(len(values), object)
    array[:] = values
    return array


def _string(value):
    if isinstance(value, dict):
        return decode_base64(value)
    try:
        return value.encode()
    except UnicodeEncodeError as error:  # half of a surrogate pair
        raise invalid("JSON Parse error: Invalid encoding in string.") from error


def _rows_one_by_one(instances, inputs, named):
    arrays = {}
    for number, instance in enumerate(instances):
        where = f"Failed to process element: {number}"
        if named != _is_named(instance):
            expected, received = ("object", "list") if named else ("value/list", "object")
            raise invalid(f"Expecting {expected} but got {received} at item {number} of input list")
        items = instance.items() if named else [(next(iter(inputs)), instance)]
        for alias, value in items:
            key = f" key: {alias}" if named else ""
            try:
                _add_item(arrays, alias, value, inputs)
            except StatusError as error:
                raise invalid(f"{where}{key} of 'instances' list. Error: {error}") from error
        if named and instance.keys() != inputs.keys():
            raise invalid(
                f"{where} of 'instances' list. JSON object: {shown(instance)} keys must be equal "
                f"to: {','.join(sorted(inputs))}"
            )
    return {alias: np.stack(values) for alias, values in arrays.items()}


def _add_item(arrays, alias, value, inputs):
    if alias not in inputs:
        raise invalid(f"JSON object: does not have named input: {alias}")
    array = to_array(value, dtype_name(inputs[alias].dtype))
    column = arrays.setdefault(alias, [])
    if column and column[0].size != array.size:
        raise invalid(f"Expecting tensor size: {column[0].size} but got: {array.size}")
    if column and column[0].shape != array.shape:
        expected, received = (str(list(a.shape)).replace(" ", "") for a in (column[0], array))
        raise invalid(f"Expecting shape {expected} but got: {received}")
    column.append(array)


def _carefully(value, dtype):
    shape, first = [], value
    while isinstance(first, list):
        shape.append(len(first))
        if not first:
            break
        first = first[0]
    flat = []
    _fill(value, 0, shape, dtype, flat)
    array = np.empty(len(flat), object)
    array[:] = flat
    if dtype not in _TYPES:
        raise _unsupported([], dtype)
    try:
        return array.astype(_TYPES[dtype]).reshape(shape)
    except ValueError as error:
        raise invalid(f"a tensor of {len(shape)} dimensions is not supported") from error


def _fill(value, level, shape, dtype, flat):
    if not isinstance(value, list):
        if level != len(shape):
            raise invalid(
                f"JSON Value: {shown(value)} found at incorrect level: {level + 1} in the JSON "
                f"DOM. Expected at level: {len(shape)}"
            )
        flat.append(_leaf(value, dtype))
        return
    if level >= len(shape):
        raise invalid(f"Encountered list at unexpected level: {level} expected < {len(shape)}")
    if len(value) != shape[level]:
        raise invalid(
            f"Encountered list at unexpected size: {len(value)} at level: {level} expected size: "
            f"{shape[level]}"
        )
    for element in value:
        _fill(element, level + 1, shape, dtype, flat)


def _leaf(value, dtype):
    if dtype == "string" and isinstance(value, str | dict):
        return _string(value)
    wrong = invalid(
        f"JSON Value: {shown(value)} Type: {json_type(value)} is not of expected type: {dtype}"
    )
    if isinstance(value, dict):
        raise wrong
    is_number = type(value) in (int, float)
    if dtype in _FLOATS:
        if not is_number:
            raise wrong
        return _exact(value, dtype)
    if dtype in _INTEGERS:
        _, low, high = _INTEGERS[dtype]
        if type(value) is not int or not low <= value <= high:
            raise wrong
        return value
    if dtype == "bool":
        if type(value) is not bool:
            raise wrong
        return value
    if dtype == "string":
        raise wrong
    raise _unsupported(value, dtype)


def _unsupported(value, dtype):
    text = f"Conversion of JSON Value: {shown(value)} to type: {dtype}"
    return StatusError("UNIMPLEMENTED", text)


def _exact(value, dtype):
    number_type, exact = _FLOATS[dtype]
    limit = float(np.finfo(number_type).max)
    if type(value) is int:
        fits = abs(value) <= exact
    else:
        fits = not np.isfinite(value) or abs(value) <= limit
    if not fits:
        raise lossy(value, dtype)
    return float(value)
