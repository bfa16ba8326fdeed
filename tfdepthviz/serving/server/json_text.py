"""JSON as TensorFlow Serving reads and writes it: with NaN and Infinity, and with its errors."""

import gc
import json
import re

import numpy as np
import orjson

from tfdepthviz.serving.server.status import invalid

# Messages of Python's parser -> messages of TensorFlow Serving's (RapidJSON).
_WORDS = {
    "Expecting value": "Invalid value.",
    "Illegal trailing comma before end of array": "Invalid value.",
    "Illegal trailing comma before end of object": "Missing a name for object member.",
    "Extra data": "The document root must not be followed by other values.",
    "Expecting property name enclosed in double quotes": "Missing a name for object member.",
    "Expecting ':' delimiter": "Missing a colon after a name of object member.",
    "Expecting ',' delimiter": "Missing a comma, or the end of an array or object.",
    "Unterminated string starting at": "Missing a closing quotation mark in string.",
    "Invalid \\escape": "Invalid escape character in string.",
    "Invalid \\uXXXX escape": "Incorrect hex digit after \\u escape in string.",
    "Invalid control character at": "Invalid encoding in string.",
}
# Characters of a wrong value that an error shows.
_SHOWN = 300
_ESCAPED = re.compile(rb"\\.", re.DOTALL)
_STRING = re.compile(rb'"[^"]*"')
_NO_BRACKETS = bytes(set(range(256)) - set(b'[]{}"'))
# Change of the depth at each byte.
_STEPS = np.zeros(256, np.int8)
_STEPS[list(b"[{")], _STEPS[list(b"]}")] = 1, -1
_CHUNK = 2**20
# Bytes that Python takes for a list, an object, a value and half of a string.
_BYTES_EACH = {b"[": 72, b"{": 240, b",": 24, b'"': 16}


def memory(body):
    """Estimate of the bytes that the values of a body will take once parsed."""
    return sum(count * body.count(mark) for mark, count in _BYTES_EACH.items())


def parse(body):
    """The object in a request's body; call `check_depth` first.

    Args:
      body: bytes.
    Returns:
      dict.
    Raises:
      StatusError: no JSON, or no object.
    """
    if not body:
        raise _wrong("The document is empty.", 0)
    try:
        document = _quickly(body)
    except orjson.JSONDecodeError:
        document = _parse_leniently(body)  # accepts NaN and Infinity, and names errors
    if not isinstance(document, dict):
        raise invalid(f"JSON Value: {shown(document)} Is not object")
    return document


def _quickly(body):
    # Each 700 new lists would start a garbage collection over all lists: three times the time.
    collects = gc.isenabled()
    gc.disable()
    try:
        return orjson.loads(body)
    finally:
        if collects:
            gc.enable()


def encode(document):
    """JSON of dicts, lists, strings and contiguous arrays of finite numbers or booleans."""
    return orjson.dumps(document, default=_encoded_array)


def encode_leniently(document):
    """JSON of dicts, lists, strings and numbers, NaN and Infinity among them."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def shown(value):
    """A value for an error message: JSON, cut where it becomes long."""
    text = ""
    # Piece by piece: the value may be a request of many megabytes.
    for piece in json.JSONEncoder(indent=4, ensure_ascii=False).iterencode(value):
        text += piece
        if len(text) > _SHOWN:
            return f"{text[:_SHOWN]}..."
    return text


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


def check_depth(body, max_depth):
    """Counts brackets outside of strings, before any parser recurses into them.

    Raises:
      StatusError: more than `max_depth` lists and objects are nested.
    """
    if body.count(b"[") + body.count(b"{") <= max_depth:
        return
    bare = _ESCAPED.sub(b"", body) if b"\\" in body else body
    brackets = _STRING.sub(b"", bare.translate(None, _NO_BRACKETS))
    depth = 0
    for start in range(0, len(brackets), _CHUNK):
        steps = _STEPS[np.frombuffer(brackets, np.uint8)[start : start + _CHUNK]]
        depths = depth + np.cumsum(steps, dtype=np.int32)
        if depths.max() > max_depth:
            raise invalid(
                f"JSON Parse error: nested too deeply: at most {max_depth} lists and objects may "
                "be nested (max_json_depth)"
            )
        depth = int(depths[-1])


def _parse_leniently(body):
    try:
        return json.loads(body.decode("utf-8-sig"), parse_float=_finite, parse_int=_whole)
    except UnicodeDecodeError as error:
        raise _wrong("Invalid encoding in string.", error.start) from error
    except json.JSONDecodeError as error:
        raise _wrong(_WORDS.get(error.msg, error.msg), error.pos) from error
    except (ValueError, RecursionError) as error:
        raise invalid(f"JSON Parse error: {error}") from error


def _whole(text):
    """Integers of more than 64 bits are decimals, as they are to orjson and to RapidJSON."""
    number = int(text) if len(text) <= 20 else _finite(text)
    return number if -(2**63) <= number < 2**64 else _finite(text)


def _finite(text):
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError("Number too big to be stored in double.")
    return number


def _wrong(words, offset):
    return invalid(f"JSON Parse error: {words} at offset: {offset}")
