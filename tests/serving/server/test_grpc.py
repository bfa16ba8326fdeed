"""PredictionService and ModelService over gRPC, by the stubs of tensorflow-serving-api."""

import grpc
import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from serving_clients import predict_request
from tensorflow.core.framework import types_pb2
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    regression_pb2,
)

CLASSIFY, REGRESS = "tensorflow/serving/classify", "tensorflow/serving/regress"


def error_of(call, request):
    with pytest.raises(grpc.RpcError) as caught:
        call(request)
    return caught.value.code().name, caught.value.details()


def test_predict_gives_typed_values(client):
    """The field that TensorFlow Serving's own test reads."""
    request = predict_request("affine", x=np.float32([2.0]))
    result = client.predictions.Predict(request)
    assert result.outputs["y"].dtype == tf.float32.as_datatype_enum
    assert list(result.outputs["y"].float_val) == [3.0]
    assert result.model_spec.name == "affine"
    assert result.model_spec.signature_name == "serving_default"
    assert result.model_spec.version.value == 1


ARRAYS = {
    "bool": [[True, False]],
    "int8": [-128, 127],
    "uint8": [0, 255],
    "int16": [-300, 300],
    "int32": [[1], [2]],
    "int64": [2**62],
    "uint32": [2**32 - 1],
    "uint64": [2**64 - 1],
    "float16": [0.5, np.inf],
    "bfloat16": [0.5, -2.0],
    "float32": [[0.1, np.nan]],
    "float64": [1e300],
    "string": [b"\xff\x00a", b""],
}


@pytest.mark.parametrize("dtype", ARRAYS)
def test_every_type(client, dtype):
    array = tf.constant(ARRAYS[dtype], tf.as_dtype(dtype)).numpy()
    result = client.predictions.Predict(predict_request("types", dtype, x=array))
    answer = tf.make_ndarray(result.outputs["y"])
    assert answer.dtype == array.dtype and answer.shape == array.shape
    if array.dtype == object:
        assert answer.tolist() == array.tolist()
    else:
        np.testing.assert_array_equal(answer.astype(np.float64), array.astype(np.float64))


@pytest.mark.parametrize("dtype", ARRAYS)
@pytest.mark.parametrize("shape", [(), (0,), (2, 0, 3)])
def test_scalars_and_empty_arrays(client, dtype, shape):
    array = np.zeros(shape, object if dtype == "string" else tf.as_dtype(dtype).as_numpy_dtype)
    if dtype == "string":
        array[...] = b"a\0"
    result = client.predictions.Predict(
        predict_request("types", dtype, x=tf.make_tensor_proto(array, tf.as_dtype(dtype)))
    )
    proto = result.outputs["y"]
    assert [dim.size for dim in proto.tensor_shape.dim] == list(shape)
    assert proto.dtype == tf.as_dtype(dtype).as_datatype_enum
    if dtype == "string":
        assert list(proto.string_val) == [b"a\0"] * array.size


@pytest.mark.parametrize(
    "text, expected",
    [("float_val: 3.0", [3.5] * 3), ("float_val: [1, 3]", [2.5, 3.5, 3.5]), ("", [2.0] * 3)],
)
def test_compressed_tensors(client, text, expected):
    """The last value repeats to the end; without values, all are zero."""
    text = f"dtype: DT_FLOAT tensor_shape {{ dim {{ size: 3 }} }} {text}"
    request = predict_request("affine", x=text_format.Parse(text, TensorProto()))
    assert list(client.predictions.Predict(request).outputs["y"].float_val) == expected


def test_output_filter(client):
    request = predict_request("many", "", ["b", "a"], a=np.float32([[1, 2]]), b=np.int32([3]))
    assert set(client.predictions.Predict(request).outputs) == {"a", "b"}


X = np.float32([1.0])
REFUSED = [
    (predict_request("nope", x=X), "NOT_FOUND", "Servable not found for request: Latest(nope)"),
    (
        predict_request("affine", version=9, x=X),
        "NOT_FOUND",
        "Servable not found for request: Specific(affine, 9)",
    ),
    (
        predict_request("affine", label="x", x=X),
        "INVALID_ARGUMENT",
        "Unrecognized servable version label: x",
    ),
    (predict_request("", x=X), "INVALID_ARGUMENT", "ModelSpec has no name specified."),
    (
        predict_request("affine", "nope", x=X),
        "FAILED_PRECONDITION",
        'Serving signature key "nope" not found.',
    ),
    (
        predict_request("affine"),
        "INVALID_ARGUMENT",
        "input size does not match signature: 0!=1 len({}) != len({x}). Sent extra: {}. "
        "Missing but required: {x}.",
    ),
    (
        predict_request("affine", x=X, z=X),
        "INVALID_ARGUMENT",
        "input size does not match signature: 2!=1 len({x,z}) != len({x}). Sent extra: {z}. "
        "Missing but required: {}.",
    ),
    (
        predict_request("affine", z=X),
        "INVALID_ARGUMENT",
        "input tensor alias not found in signature: z. Inputs expected to be in the set {x}.",
    ),
    (
        predict_request("affine", "", ["nope"], x=X),
        "INVALID_ARGUMENT",
        "output tensor alias not found in signature: nope Outputs expected to be in the set {y}.",
    ),
    (
        predict_request("affine", "", ["y", "y"], x=X),
        "INVALID_ARGUMENT",
        "duplicate output tensor alias: y",
    ),
    (
        predict_request("affine", x=np.int64([1])),
        "INVALID_ARGUMENT",
        "Expects input x to be float but int64 is provided",
    ),
    (
        predict_request("affine", x=np.array([b"a"])),
        "INVALID_ARGUMENT",
        "Expects input x to be float but string is provided",
    ),
    (
        predict_request("examples", "other_method", x=X),
        "INTERNAL",
        "Expected prediction signature method_name to be one of {tensorflow/serving/predict, "
        "tensorflow/serving/classify, tensorflow/serving/regress}. Was: me",
    ),
]


@pytest.mark.parametrize("request_, code, text", REFUSED)
def test_refused(client, request_, code, text):
    assert error_of(client.predictions.Predict, request_) == (code, text)


def broken_tensor(**fields):
    proto = tf.make_tensor_proto(X)
    for name, value in fields.items():
        if name == "size":
            proto.tensor_shape.dim[0].size = value
        elif name == "rank":
            proto.tensor_shape.unknown_rank = True
        else:
            setattr(proto, name, value)
    return proto


@pytest.mark.parametrize(
    "fields",
    [
        {"size": 2, "tensor_content": b"123"},
        {"size": -1},
        {"size": 3, "tensor_content": b"12345678"},
        {"dtype": 0},
        {"dtype": 99},
        {"dtype": types_pb2.DT_RESOURCE},
        {"dtype": types_pb2.DT_VARIANT, "size": 0},
        {"rank": True},
    ],
)
def test_wrong_tensors(client, fields):
    request = predict_request("affine", x=broken_tensor(**fields))
    error = error_of(client.predictions.Predict, request)
    assert error == ("INVALID_ARGUMENT", "tensor parsing error: x")


def test_few_bytes_for_gigabytes(client):
    request = predict_request("affine", x=broken_tensor(size=2**40))
    code, text = error_of(client.predictions.Predict, request)
    assert code == "RESOURCE_EXHAUSTED" and "bytes of memory" in text


def test_error_of_the_graph(client):
    request = predict_request("affine", "fails_above_100", x=np.float32([101.0]))
    code, text = error_of(client.predictions.Predict, request)
    assert code == "INVALID_ARGUMENT" and "above 100" in text


def test_large_messages(client):
    """Twice gRPC's default limit, in both directions."""
    array = np.random.default_rng(0).random((1, 800, 900, 3)).astype(np.float32)
    result = client.predictions.Predict(predict_request("affine", x=array))
    np.testing.assert_array_equal(tf.make_ndarray(result.outputs["y"]), array * 0.5 + 2)


def add_examples(model_input, *values, context=None):
    example_list = model_input.example_list
    if context is not None:
        example_list = model_input.example_list_with_context
        example_list.context.features.feature["x"].float_list.value.append(context)
    for value in values:
        example = example_list.examples.add()
        if value is not None:
            example.features.feature["x"].float_list.value.append(value)


def test_classify(client):
    request = classification_pb2.ClassificationRequest()
    request.model_spec.name, request.model_spec.signature_name = "examples", "classify"
    add_examples(request.input, 2.0, -4.0)
    result = client.predictions.Classify(request)
    classes = [[(c.label, c.score) for c in r.classes] for r in result.result.classifications]
    assert classes == [[("low", 3.0), ("high", -3.0)], [("low", 0.0), ("high", 0.0)]]
    assert (result.model_spec.signature_name, result.model_spec.version.value) == ("classify", 1)


def test_regress_with_context(client):
    request = regression_pb2.RegressionRequest()
    request.model_spec.name, request.model_spec.signature_name = "examples", "regress"
    add_examples(request.input, None, None, context=2.0)
    result = client.predictions.Regress(request)
    assert [r.value for r in result.result.regressions] == [3.0, 3.0]


@pytest.mark.parametrize("method", ["Classify", "Regress"])
def test_no_examples(client, method):
    kind = {"Classify": classification_pb2.ClassificationRequest}
    request = kind.get(method, regression_pb2.RegressionRequest)()
    request.model_spec.name, request.model_spec.signature_name = "examples", method.lower()
    error = error_of(getattr(client.predictions, method), request)
    assert error == ("INVALID_ARGUMENT", "Input is empty.")


def multi_request(*tasks):
    request = inference_pb2.MultiInferenceRequest()
    for model, signature, method in tasks:
        task = request.tasks.add(method_name=method)
        task.model_spec.name, task.model_spec.signature_name = model, signature
    add_examples(request.input, 2.0)
    return request


def test_multi_inference(client):
    request = multi_request(("examples", "regress", REGRESS), ("examples", "classify", CLASSIFY))
    first, second = client.predictions.MultiInference(request).results
    assert [r.value for r in first.regression_result.regressions] == [3.0]
    (row,) = second.classification_result.classifications
    assert [(c.label, c.score) for c in row.classes] == [("low", 3.0), ("high", -3.0)]
    assert first.model_spec.signature_name == "regress" and first.model_spec.version.value == 1


@pytest.mark.parametrize(
    "tasks, code, text",
    [
        ([], "INVALID_ARGUMENT", "ModelSpec has no name specified."),
        (
            [("examples", "regress", REGRESS), ("affine", "", REGRESS)],
            "INVALID_ARGUMENT",
            "All ModelSpecs in a MultiInferenceRequest must access the same model name.",
        ),
        (
            [("examples", "regress", REGRESS)] * 2,
            "INVALID_ARGUMENT",
            "Duplicate evaluation of signature: regress",
        ),
        (
            [("examples", "nope", REGRESS)],
            "INVALID_ARGUMENT",
            "Requested signature not found in model graph: nope",
        ),
        (
            [("examples", "regress", "nope")],
            "UNIMPLEMENTED",
            "Unsupported signature method_name: nope",
        ),
        (
            [("examples", "regress", CLASSIFY)],
            "INVALID_ARGUMENT",
            f"Expected classification signature method_name to be {CLASSIFY}. Was: {REGRESS}",
        ),
    ],
)
def test_multi_inference_refused(client, tasks, code, text):
    request = multi_request(*tasks)
    assert error_of(client.predictions.MultiInference, request) == (code, text)


def metadata_request(model=None, *fields):
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=fields)
    if model is not None:
        request.model_spec.name = model
    return request


@pytest.mark.parametrize(
    "request_, code, text",
    [
        (metadata_request(None, "signature_def"), "INVALID_ARGUMENT", "Missing ModelSpec"),
        (
            metadata_request("affine"),
            "INVALID_ARGUMENT",
            "GetModelMetadataRequest must specify at least one metadata_field",
        ),
        (
            metadata_request("affine", "nope"),
            "INVALID_ARGUMENT",
            "Metadata field nope is not supported",
        ),
        (
            metadata_request("nope", "signature_def"),
            "NOT_FOUND",
            "Servable not found for request: Latest(nope)",
        ),
    ],
)
def test_metadata_refused(client, request_, code, text):
    assert error_of(client.predictions.GetModelMetadata, request_) == (code, text)


def test_status(client):
    request = get_model_status_pb2.GetModelStatusRequest()
    assert error_of(client.models.GetModelStatus, request) == (
        "INVALID_ARGUMENT",
        "Missing ModelSpec",
    )
    request.model_spec.name = "affine"
    (version,) = client.models.GetModelStatus(request).model_version_status
    assert (version.version, version.State.Name(version.state)) == (1, "AVAILABLE")
    assert version.status.error_code == 0
    request.model_spec.version.value = 5
    error = error_of(client.models.GetModelStatus, request)
    assert error == ("NOT_FOUND", "Could not find version 5 of model affine")


def test_reload_of_nothing(client):
    request = model_management_pb2.ReloadConfigRequest()
    code, text = error_of(client.models.HandleReloadConfigRequest, request)
    assert code == "INVALID_ARGUMENT" and "Only ModelConfigList is currently supported" in text
