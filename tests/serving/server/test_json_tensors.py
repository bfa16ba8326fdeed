"""JSON to arrays: the quick way and the careful way agree on random values, right and wrong."""

import copy
import json
import random

import numpy as np
import pytest
from tensorflow.core.protobuf import meta_graph_pb2

from tfdepthviz.serving.server import json_tensors, json_text
from tfdepthviz.serving.server.status import StatusError

DTYPES = {"float": 1, "double": 2, "int32": 3, "uint8": 4, "int64": 9, "bool": 10, "string": 7}
LEAVES = {
    "float": [0, 1, -3, 2.5, 2**24, 1e39, float("nan"), float("inf"), 2**70 * 1.0],
    "double": [0, -1, 0.1, 2**53, 1e308],
    "int32": [0, -1, 2**31 - 1, 2**31, 7],
    "uint8": [0, 255, 256, -1],
    "int64": [0, 2**63 - 1, 2**63, -(2**63)],
    "bool": [True, False],
    "string": ["a", "", "é", {"b64": "aGk="}, {"b64": "?"}],
}
ODD = [None, True, "x", {"y": 1}, {"b64": "aGk="}, [1], [], 1.5, 7]


def nested(rng, dtype, shape):
    if not shape:
        return copy.deepcopy(rng.choice(LEAVES[dtype]))
    return [nested(rng, dtype, shape[1:]) for _ in range(shape[0])]


def spoil(rng, value):
    """Puts an odd value at a random place."""
    if isinstance(value, list) and value and rng.random() < 0.9:
        place = rng.randrange(len(value))
        value[place] = spoil(rng, value[place])
        return value
    return copy.deepcopy(rng.choice(ODD))


def outcome(convert, *arguments):
    try:
        array = convert(*arguments)
    except StatusError as error:
        return str(error)
    return array.dtype, array.shape, [repr(value) for value in array.ravel().tolist()]


@pytest.mark.parametrize("dtype", DTYPES)
def test_both_ways_agree(dtype):
    rng = random.Random(dtype)
    quick, refused = 0, 0
    for _ in range(400):
        shape = [rng.randrange(4) for _ in range(rng.randrange(4))]
        value = nested(rng, dtype, shape)
        if rng.random() < 0.4:
            value = spoil(rng, value)
        carefully = outcome(json_tensors._carefully, value, dtype)
        assert outcome(json_tensors.to_array, value, dtype) == carefully, value
        quick += json_tensors._quick(value, dtype) is not None
        refused += isinstance(carefully, str)
    assert quick > 100 and refused > 30


@pytest.mark.parametrize("dtype", DTYPES)
def test_rows_are_columns(dtype):
    """The row format agrees with the columnar one, in values and in refusals."""
    rng = random.Random(dtype)
    inputs = {"x": meta_graph_pb2.TensorInfo(dtype=DTYPES[dtype])}
    for _ in range(200):
        shape = [rng.randrange(1, 4), *(rng.randrange(1, 3) for _ in range(rng.randrange(3)))]
        rows = nested(rng, dtype, shape)
        columnar = outcome(json_tensors.to_array, rows, dtype)
        for instances in (rows, [{"x": row} for row in rows]):
            rowwise = outcome(lambda i: json_tensors.from_instances(i, inputs)["x"], instances)
            if isinstance(columnar, str):
                assert rowwise.startswith("INVALID_ARGUMENT: Failed to process element: ")
                assert columnar.removeprefix("INVALID_ARGUMENT: ") in rowwise
            else:
                assert rowwise == columnar


def test_more_dimensions_than_numpy_has():
    value = 1
    for _ in range(100):
        value = [value]
    with pytest.raises(StatusError, match="a tensor of 100 dimensions is not supported"):
        json_tensors.to_array(value, "int32")


DEEP = {
    "lists": '{"a": ' + "[" * 11 + "]" * 11 + "}",
    "objects": '{"a": ' * 12 + "1" + "}" * 12,
    "escapes": r'{"\"": ' + "[" * 11 + r'"\\"' + "]" * 11 + "}",
    "never closed": '{"a": ' + "[" * 5000,
    "late": '{"a": [' + "[],{}," * 300000 + "[" * 10 + "]" * 11 + "}",
}


@pytest.mark.parametrize("name", DEEP)
def test_depth_is_limited(name):
    with pytest.raises(StatusError, match="nested too deeply: at most 11 lists and objects"):
        json_text.check_depth(DEEP[name].encode(), 11)


def test_depth_within_the_limit():
    value = [[[[1, 2], [3, 4]]]] * 3
    for text in (r'{"a": "[[[[\"[[[["', r'{"[[[[[[[\\": 1', '{"b": "' + "[" * 99 + '"'):
        body = f'{text}, "c": {value}}}'.encode()
        json_text.check_depth(body, 5)
        document = json_text.parse(body)
        assert document["c"] == value


def test_quick_way_for_large_images():
    image = np.random.default_rng(0).random((2, 30, 40, 3)).astype(np.float32)
    array = json_tensors._quick(image.tolist(), "float")
    assert array.dtype == np.float32
    np.testing.assert_array_equal(array, image)


@pytest.mark.parametrize(
    "shape", [(), (1,), (3,), (1, 1), (3, 1), (2, 3, 1), (2, 1, 1), (2, 3), (2, 3, 4, 1), (0, 1)]
)
@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "uint64", "bool"])
def test_arrays_as_lists(shape, dtype):
    """Expected values: the standard library, on lists."""
    array = np.random.default_rng(0).integers(0, 2, shape).astype(dtype)
    value = array if shape else array[()]
    text = json_text.encode({"a": value, "b": [value]})
    assert json.loads(text) == {"a": array.tolist(), "b": [array.tolist()]}
    assert text == json_text.encode_leniently({"a": array.tolist(), "b": [array.tolist()]})
