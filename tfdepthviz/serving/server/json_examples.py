"""Conversion of the JSON of a classify or regress request to tf.Examples."""

import tensorflow as tf
from tensorflow_serving.apis import input_pb2

from tfdepthviz.serving.server.json_tensors import decode_base64, json_type, lossy
from tfdepthviz.serving.server.json_text import shown
from tfdepthviz.serving.server.status import StatusError, invalid

_FLOAT32_MAX = float(tf.float32.max)
# Lists of a Feature -> name of their type in errors.
_KINDS = {"bytes_list": "bytes", "float_list": "float", "int64_list": "int64"}


def to_input(document):
    """The Input that a request's object holds.

    Args:
      document: dict with "examples" and optionally the "context" that they share.
    Returns:
      tensorflow.serving.Input.
    Raises:
      StatusError: something is missing or of a wrong type.
    """
    model_input = input_pb2.Input()
    examples = model_input.example_list.examples
    if "context" in document:
        with_context = model_input.example_list_with_context
        with_context.context.CopyFrom(_example(document["context"]))
        examples = with_context.examples
    if "examples" not in document:
        raise _wrong(
            document, "When method is classify, key 'examples' is expected and was not found"
        )
    if not isinstance(document["examples"], list):
        raise _wrong(document, "Expecting 'examples' value to be an list/array")
    if not document["examples"]:
        raise _wrong(document, "'examples' value is an empty array")
    examples.extend(_example(example) for example in document["examples"])
    return model_input


def _wrong(document, text):
    return invalid(f"JSON Value: {shown(document)} {text}")


def _example(value):
    if not isinstance(value, dict):
        raise invalid(f"Example must be JSON object but got JSON {json_type(value)}")
    example = tf.train.Example()
    for name, content in value.items():
        feature = example.features.feature[name]
        for element in content if isinstance(content, list) else [content]:
            _add(feature, name, element)
    return example


def _add(feature, name, value):
    kind, converted = _converted(name, value)
    have = feature.WhichOneof("kind")
    if have not in (None, kind):
        raise invalid(f"Unexpected element type in feature: {name} expecting type: {_KINDS[have]}")
    getattr(feature, kind).value.append(converted)


def _converted(name, value):
    """(list of the Feature, value) of one JSON value."""
    if isinstance(value, str):
        return "bytes_list", value.encode("utf-8", "replace")
    if isinstance(value, bool):
        return "int64_list", int(value)
    if isinstance(value, float):
        # Integers of more than 64 bits arrive here, too.
        if abs(value) > _FLOAT32_MAX and abs(value) != float("inf"):
            raise lossy(value, "float")
        return "float_list", value
    if isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            raise invalid(f"Feature: {name} has uint64 element. Only int64 is supported.")
        return "int64_list", value
    if isinstance(value, dict):
        try:
            return "bytes_list", decode_base64(value)
        except StatusError:
            if set(value) == {"b64"} and isinstance(value["b64"], str):
                raise
    raise invalid(f"Feature: {name} has element with unexpected JSON type: {json_type(value)}")
