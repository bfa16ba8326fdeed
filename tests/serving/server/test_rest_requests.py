"""Bodies of predict, classify and regress over REST: accepted ones, and the errors of others.

Expected answers and texts were written by hand, after TensorFlow Serving's tests and documentation.
"""

import base64
import json
import math

import numpy as np
import pytest

HELLO = {"b64": "aGVsbG8="}
NAN, INFINITY = math.nan, math.inf

# Model, signature, body, answer.
TAKEN = [
    # Row format
    ("affine", None, {"instances": [1.0, 2.0, 5.0]}, {"predictions": [2.5, 3.0, 4.5]}),
    ("affine", None, {"instances": [1, 2.5]}, {"predictions": [2.5, 3.25]}),
    ("affine", None, {"instances": [[1, 2], [3, 4]]}, {"predictions": [[2.5, 3.0], [3.5, 4.0]]}),
    ("affine", None, {"instances": [{"x": 1}, {"x": 2}]}, {"predictions": [2.5, 3.0]}),
    ("affine", None, {"instances": [[[1]]]}, {"predictions": [[[2.5]]]}),
    ("affine", None, {"instances": [[]]}, {"predictions": [[]]}),
    ("affine", None, {"instances": [1], "other": "key"}, {"predictions": [2.5]}),
    ("affine", "batch_size", {"instances": [1, 1, 1]}, {"predictions": [3, 3, 3]}),
    (
        "many",
        None,
        {"instances": [{"a": [1, 2], "b": 3}, {"b": -4, "a": [0.5, 0]}]},
        {
            "predictions": [
                {"a": [1.0, 2.0], "b": 3, "total": 6.0},
                {"a": [0.5, 0.0], "b": -4, "total": -3.5},
            ]
        },
    ),
    # A number of rows that depends on the values, down to none
    ("affine", "positive", {"instances": [-1, 0, 3]}, {"predictions": [3.0]}),
    ("affine", "positive", {"instances": [-1, 0]}, {"predictions": []}),
    ("affine", "positive_twice", {"instances": [-1, 0]}, {"predictions": []}),
    # Columnar format
    ("affine", None, {"inputs": [3.0, 4.0]}, {"outputs": [3.5, 4.0]}),
    ("affine", None, {"inputs": {"x": [3.0]}}, {"outputs": [3.5]}),
    ("affine", None, {"inputs": {"x": 3}}, {"outputs": 3.5}),
    ("affine", None, {"inputs": 3}, {"outputs": 3.5}),
    ("affine", None, {"inputs": []}, {"outputs": []}),
    ("affine", None, {"inputs": [[], []]}, {"outputs": [[], []]}),
    ("affine", None, {"inputs": {"x": [1], "unknown": "ignored"}}, {"outputs": [2.5]}),
    ("affine", "scalar", {"inputs": [1, 2, 3]}, {"outputs": 6.0}),
    (
        "many",
        None,
        {"inputs": {"a": [[1, 2]], "b": [3]}},
        {"outputs": {"a": [[1.0, 2.0]], "b": [3], "total": [6.0]}},
    ),
    (
        "many",
        "apart",
        {"inputs": {"a": [[1, 2]], "b": [3]}},
        {"outputs": {"a": [[1.0, 2.0]], "b": [3, 3]}},
    ),
    ("examples", None, {"instances": [[80.0]]}, {"predictions": [[42.0]]}),
    ("examples", "with_default", {"inputs": {"x": [[80]]}}, {"outputs": [[42.0]]}),
    ("examples", "with_default", {"inputs": {"x": [[8]], "weight": 2}}, {"outputs": [[18.0]]}),
    ("examples", "with_default", {"instances": [{"x": [8]}]}, {"predictions": [[6.0]]}),
    # Strings: outputs are base64 where their name ends in _bytes
    (
        "strings",
        None,
        {"instances": ["é", HELLO]},
        {
            "predictions": [
                {"length": 2, "raw_bytes": {"b64": "w6k="}, "text": "é"},
                {"length": 5, "raw_bytes": HELLO, "text": "hello"},
            ]
        },
    ),
    (
        "strings",
        None,
        {"inputs": {"s": [HELLO]}},
        {"outputs": {"length": [5], "raw_bytes": [HELLO], "text": ["hello"]}},
    ),
    ("types", "string", {"inputs": HELLO}, {"outputs": "hello"}),
    ("types", "string", {"inputs": {"b64": "aGVsbG8"}}, {"outputs": "hello"}),
    ("types", "string", {"inputs": {"b64": ""}}, {"outputs": ""}),
    ("types", "string", {"inputs": {"b64": "aGVs\nbG8=\r\n"}}, {"outputs": "hello"}),
    ("types", "string", {"instances": [{"b64": " aGVs bG8"}]}, {"predictions": ["hello"]}),
    ("types", "string", {"instances": [[HELLO, "a"]]}, {"predictions": [["hello", "a"]]}),
    ("types", "string", {"instances": [{"x": "a"}]}, {"predictions": ["a"]}),
    ("types", "string", {"inputs": 'quote " [{ \\'}, {"outputs": 'quote " [{ \\'}),
    # Numbers: the ends of each type's range
    ("types", "int8", {"inputs": [-128, 127]}, {"outputs": [-128, 127]}),
    ("types", "uint8", {"inputs": [0, 255]}, {"outputs": [0, 255]}),
    ("types", "int16", {"inputs": [-(2**15), 2**15 - 1]}, {"outputs": [-(2**15), 2**15 - 1]}),
    ("types", "int32", {"inputs": [-(2**31), 2**31 - 1]}, {"outputs": [-(2**31), 2**31 - 1]}),
    ("types", "uint32", {"inputs": [0, 2**32 - 1]}, {"outputs": [0, 2**32 - 1]}),
    ("types", "int64", {"inputs": [-(2**63), 2**63 - 1]}, {"outputs": [-(2**63), 2**63 - 1]}),
    ("types", "uint64", {"inputs": [0, 2**64 - 1]}, {"outputs": [0, 2**64 - 1]}),
    ("types", "bool", {"inputs": [True, False]}, {"outputs": [True, False]}),
    ("types", "float32", {"inputs": [2**24 - 1, -(2**24) + 1]}, {"outputs": [16777215, -16777215]}),
    ("types", "float32", {"inputs": [1e38, 1e-46, 0.1]}, {"outputs": [1e38, 0.0, 0.1]}),
    ("types", "float32", {"inputs": [16777217.0]}, {"outputs": [16777216.0]}),
    ("types", "float64", {"inputs": [2**53 - 1, 1e308]}, {"outputs": [2**53 - 1, 1e308]}),
    ("types", "float64", {"inputs": [2**64]}, {"outputs": [2.0**64]}),
    ("types", "float32", {"inputs": [NAN, -INFINITY, 1]}, {"outputs": [NAN, -INFINITY, 1.0]}),
    ("types", "float64", {"instances": [INFINITY, 2**64]}, {"predictions": [INFINITY, 2.0**64]}),
]


@pytest.mark.parametrize("model, signature, body, answer", TAKEN)
def test_taken(client, model, signature, body, answer):
    body = body if signature is None else {**body, "signature_name": signature}
    status, reply = client.post(f"/v1/models/{model}:predict", body)
    assert status == 200, reply
    # As text: NaN equals NaN, and 1 equals neither 1.0 nor True.
    assert json.dumps(reply, sort_keys=True) == json.dumps(_decimal(reply, answer), sort_keys=True)


def _decimal(reply, answer):
    """The expected answer, with whole numbers as decimals where the reply has decimals."""
    if isinstance(answer, list) and isinstance(reply, list):
        return [_decimal(*pair) for pair in zip(reply, answer, strict=False)] + answer[len(reply) :]
    if isinstance(answer, dict) and isinstance(reply, dict):
        return {key: _decimal(reply.get(key), answer[key]) for key in answer}
    is_whole = type(answer) is int and type(reply) is float
    return float(answer) if is_whole else answer


OF_TYPE = "is not of expected type: "
LOSS = "without loss of precision"
# Model, signature, body (text or what becomes JSON), part of the error; all are status 400.
REFUSED = [
    ("affine", None, "", "JSON Parse error: The document is empty"),
    ("affine", None, "instances = [1, 2]", "JSON Parse error: Invalid value."),
    ("affine", None, " ", "JSON Parse error: Invalid value."),
    ("affine", None, '{"instances": [1,]}', "JSON Parse error: Invalid value."),
    ("affine", None, '{"instances": [1}', "JSON Parse error: Missing a comma"),
    ("affine", None, '{"instances" [1]}', "Missing a colon after a name of object member."),
    ("affine", None, "{instances: [1]}", "Missing a name for object member."),
    ("affine", None, '{"instances": [1]} x', "must not be followed by other values"),
    ("affine", None, '{"instances": ["a]}', "Missing a closing quotation mark in string."),
    ("affine", None, b'{"instances": ["\xff"]}', "Invalid encoding in string."),
    ("strings", None, '{"instances": ["\\ud800"]}', "Invalid encoding in string."),
    ("affine", None, '{"instances": [1e400]}', "Number too big to be stored in double."),
    ("affine", None, '{"instances": [' + "1" * 5000 + "]}", "JSON Parse error"),
    ("affine", None, '{"instances": [' + "1" * 400 + ", NaN]}", "Number too big"),
    ("affine", None, "[1, 2]", "Is not object"),
    ("affine", None, "NaN", "Is not object"),
    ("affine", None, "{}", "Missing 'inputs' or 'instances' key"),
    ("affine", None, {"instances": [1], "inputs": [1]}, "expecting only one of"),
    ("affine", None, {"instances": 1}, "Excepting 'instances' to be an list/array"),
    ("affine", None, {"instances": {"x": 1}}, "Excepting 'instances' to be an list/array"),
    ("affine", None, {"instances": []}, "No values in 'instances' array"),
    ("affine", None, {"instances": [1], "signature_name": 5}, "must be a string value"),
    ("affine", "nope", {"instances": [1]}, '"nope" not found in signature def'),
    ("examples", "no_inputs", {"instances": [1]}, "Failed to get input map for signature"),
    # Shapes
    ("affine", None, {"instances": [[1, 2], [3]]}, "Expecting tensor size: 2 but got: 1"),
    ("affine", None, {"instances": [[1, 2], [[3, 4]]]}, "Expecting shape [2] but got: [1,2]"),
    ("affine", None, {"instances": [1, [1]]}, "Expecting shape [] but got: [1]"),
    ("affine", None, {"instances": [[1, [2]]]}, "Encountered list at unexpected level: 1"),
    ("affine", None, {"instances": [[[1], 2]]}, "found at incorrect level: 2"),
    ("affine", None, {"instances": [[[1], [2, 3]]]}, "unexpected size: 2 at level: 1"),
    ("affine", None, {"inputs": [[1, 2], [3]]}, "unexpected size: 1 at level: 1 expected size: 2"),
    ("affine", None, {"inputs": [[1], 2]}, "found at incorrect level: 2"),
    ("affine", None, {"inputs": [1, []]}, "Encountered list at unexpected level: 1"),
    ("affine", "scalar", {"instances": [1]}, "has no shape information"),
    ("types", "float32", {"inputs": {"x": []}, "instances": []}, "only one of"),
    # Named inputs
    ("affine", None, {"instances": [{"x": 1}, 2]}, "Expecting object but got list at item 1"),
    ("affine", None, {"instances": [1, {"x": 2}]}, "Expecting value/list but got object at item 1"),
    ("affine", None, {"instances": [{"z": 1}]}, "does not have named input: z"),
    ("affine", None, {"instances": [{}]}, "keys must be equal to: x"),
    ("affine", None, {"inputs": {"z": 1}}, "Missing named input: x in 'inputs' object."),
    ("many", None, {"instances": [1, 2]}, "instances is a plain list, but expecting list of"),
    ("many", None, {"instances": [{"a": [1, 2]}]}, "keys must be equal to: a,b"),
    (
        "many",
        None,
        {"instances": [{"a": [1, 2], "b": 1}, {"a": [1, 2]}]},
        "Failed to process element: 1 of 'instances' list",
    ),
    ("many", None, {"instances": [{"a": [1, 2], "b": 1, "c": 0}]}, "key: c of 'instances' list"),
    ("many", None, {"inputs": [1, 2]}, "inputs is a plain value/list, but expecting an object"),
    ("many", None, {"inputs": {"a": [[1, 2]]}}, "Missing named input: b"),
    ("many", "apart", {"instances": [{"a": [1, 2], "b": 1}]}, "has inconsistent batch size: 2"),
    ("examples", "with_default", {"inputs": {"weight": 1}}, "Missing named input: x"),
    # Types
    ("affine", None, {"instances": ["x"]}, f"Type: String {OF_TYPE}float"),
    ("affine", None, {"instances": ["1.5"]}, f"Type: String {OF_TYPE}float"),
    ("affine", None, {"instances": [1, True]}, f"JSON Value: true Type: True {OF_TYPE}float"),
    ("affine", None, {"instances": [None]}, f"JSON Value: null Type: Null {OF_TYPE}float"),
    ("affine", None, {"instances": [[HELLO]]}, f"Type: Object {OF_TYPE}float"),
    ("affine", None, {"inputs": {"x": {"y": 1}}}, f"Type: Object {OF_TYPE}float"),
    ("types", "float32", {"inputs": [2**24 + 1]}, f"JSON value: 16777217 to float {LOSS}"),
    ("types", "float32", {"inputs": [0.5, -(2**24) - 1]}, LOSS),
    ("types", "float32", {"inputs": [1e39]}, f"to float {LOSS}"),
    ("types", "float64", {"inputs": [2**53 + 1]}, f"to double {LOSS}"),
    ("types", "int32", {"inputs": [1.0]}, f"{OF_TYPE}int32"),
    ("types", "int32", {"inputs": [1, 1.5]}, f"{OF_TYPE}int32"),
    ("types", "int32", {"inputs": [NAN]}, f"{OF_TYPE}int32"),
    ("types", "int32", {"inputs": [True]}, f"{OF_TYPE}int32"),
    ("types", "int32", {"inputs": [2**31]}, f"{OF_TYPE}int32"),
    ("types", "int32", {"inputs": ["1"]}, f"{OF_TYPE}int32"),
    ("types", "int8", {"inputs": [128]}, f"{OF_TYPE}int8"),
    ("types", "uint8", {"inputs": [-1]}, f"{OF_TYPE}uint8"),
    ("types", "uint8", {"inputs": [256]}, f"{OF_TYPE}uint8"),
    ("types", "int16", {"inputs": [2**15]}, f"{OF_TYPE}int16"),
    ("types", "uint32", {"inputs": [-1]}, f"{OF_TYPE}uint32"),
    ("types", "int64", {"inputs": [2**63]}, f"{OF_TYPE}int64"),
    ("types", "uint64", {"inputs": [-1]}, f"{OF_TYPE}uint64"),
    ("types", "uint64", {"inputs": [2**64]}, f"{OF_TYPE}uint64"),
    ("types", "bool", {"inputs": [1]}, f"{OF_TYPE}bool"),
    ("types", "bool", {"inputs": ["true"]}, f"{OF_TYPE}bool"),
    ("types", "string", {"inputs": [1]}, f"{OF_TYPE}string"),
    ("types", "string", {"inputs": [None]}, f"{OF_TYPE}string"),
    ("types", "string", {"inputs": {"x": {"b64": 1}}}, "not formatted correctly for base64 data"),
    ("types", "string", {"inputs": [{"b64": "a", "c": "b"}]}, "not formatted correctly for base64"),
    ("types", "string", {"inputs": {"b64": "%%%"}}, "Unable to base64 decode"),
    ("types", "half_out", {"inputs": [1]}, "Failed to write JSON value for tensor type: half"),
    ("types", "scalar_out", {"instances": [1]}, "Tensor name: y has no shape information"),
    ("types", "float16", {"instances": [1]}, "Conversion of JSON Value: 1 to type: half"),
    ("many", None, {"inputs": {"a": [[1, 2]] * 3, "b": [1, 2]}}, "Incompatible shapes"),
]


@pytest.mark.parametrize("model, signature, body, text", REFUSED)
def test_refused(client, model, signature, body, text):
    if signature is not None:
        body = {**body, "signature_name": signature}
    status, answer = client.post(f"/v1/models/{model}:predict", body)
    assert (status, set(answer)) == (400, {"error"}) and text in answer["error"]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_types_without_json(client, dtype):
    body = {"signature_name": dtype, "inputs": [1]}
    status, answer = client.post("/v1/models/types:predict", body)
    name = {"float16": "half"}.get(dtype, dtype)
    assert status == 501 and answer["error"].endswith(f"to type: {name}")


# Method, body, answer, after the tests of TensorFlow Serving's half_plus_two.
ON_EXAMPLES = [
    ("regress", {"signature_name": "regress", "examples": [{"x": 80.0}]}, [42.0]),
    ("regress", {"signature_name": "regress", "examples": [{"x": [1.0]}, {"x": -4.0}]}, [2.5, 0.0]),
    ("regress", {"signature_name": "regress", "examples": [{"x": INFINITY}]}, [INFINITY]),
    (
        "regress",
        {"signature_name": "regress", "context": {"x": 80.0}, "examples": [{}, {"y": "b"}]},
        [42.0, 42.0],
    ),
    (
        "classify",
        {"signature_name": "classify", "examples": [{"x": 20.0}]},
        [[["low", 12.0], ["high", -12.0]]],
    ),
    ("classify", {"signature_name": "scores", "examples": [{"x": 20.0}]}, [[["", 12.0]]]),
]


@pytest.mark.parametrize("method, body, answer", ON_EXAMPLES)
def test_examples_taken(client, method, body, answer):
    reply = client.post(f"/v1/models/examples:{method}", body)
    assert reply == (200, {"results": answer})


X = [{"x": 1.0}]
EXAMPLES_REFUSED = [
    ("", "The document is empty"),
    ({"signature_name": ["a"], "examples": X}, "'signature_name' key must be a string"),
    ({"context": X}, "Example must be JSON object but got JSON Array"),
    ({}, "key 'examples' is expected and was not found"),
    ({"examples": X[0]}, "Expecting 'examples' value to be an list/array"),
    ({"examples": []}, "'examples' value is an empty array"),
    ({"examples": [X]}, "Example must be JSON object but got JSON Array"),
    ({"examples": [{"n": [10, None]}]}, "n has element with unexpected JSON type: Null"),
    ({"examples": [{"n": [10, 10.0]}]}, "feature: n expecting type: int64"),
    ({"examples": [{"n": ["a", 10]}]}, "feature: n expecting type: bytes"),
    ({"examples": [{"n": [10, {"t": 10}]}]}, "n has element with unexpected JSON type: Object"),
    ({"examples": [{"n": [[10], 20]}]}, "n has element with unexpected JSON type: Array"),
    ({"examples": [{"n": [20, 2**64 - 13]}]}, "Only int64 is supported"),
    ({"examples": [{"n": 1e300}]}, LOSS),
    ({"examples": [{"n": {"b64": "%"}}]}, "Unable to base64 decode"),
    ({"signature_name": "nope", "examples": X}, "No signature was found with the name: nope"),
    ({"examples": X}, "signature method_name to be tensorflow/serving/"),
]


@pytest.mark.parametrize("method", ["classify", "regress"])
@pytest.mark.parametrize("body, text", EXAMPLES_REFUSED)
def test_examples_refused(client, method, body, text):
    status, answer = client.post(f"/v1/models/examples:{method}", body)
    assert status == 400 and text in answer["error"]


def test_wrong_method(client):
    body = {"signature_name": "classify", "examples": X}
    status, answer = client.post("/v1/models/examples:regress", body)
    assert status == 400
    assert answer["error"] == (
        "Expected regression signature method_name to be tensorflow/serving/regress. "
        "Was: tensorflow/serving/classify"
    )


def test_unknown_method(client):
    body = {"signature_name": "other_method", "instances": [[1]]}
    status, answer = client.post("/v1/models/examples:predict", body)
    assert status == 500 and answer["error"].endswith("Was: me")


def test_float32_as_shortest_decimal(client):
    values = np.random.default_rng(0).normal(size=500).astype(np.float32)
    body = json.dumps({"signature_name": "float32", "inputs": values.tolist()})
    _, _, answer = client.ask("POST", "/v1/models/types:predict", body)
    outputs = json.loads(answer)["outputs"]
    assert [np.float32(value) for value in outputs] == values.tolist()
    assert b"0000000" not in answer and len(answer) < 14 * len(values)


def test_any_bytes_go_through(client):
    contents = bytes(range(256))
    b64 = base64.b64encode(contents).decode()
    body = {"inputs": {"s": [{"b64": b64}]}}
    _, answer = client.post("/v1/models/strings:predict", body)
    assert answer["outputs"]["raw_bytes"] == [{"b64": b64}]
    assert answer["outputs"]["length"] == [256]
