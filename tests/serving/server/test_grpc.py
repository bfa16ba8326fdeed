"""gRPC: answers, statuses, deadlines, and the health service."""

import grpc
import numpy as np
import pytest
import tensorflow as tf
from grpc_health.v1 import health_pb2, health_pb2_grpc
from serving_clients import predict_request
from tensorflow.core.framework import tensor_pb2, types_pb2
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
)


def error_of(call, *arguments):
    """(code, text) of a refused call."""
    with pytest.raises(grpc.RpcError) as caught:
        call(*arguments, timeout=30)
    return caught.value.code().name, caught.value.details()


def test_predict(client):
    response = client.predictions.Predict(predict_request("affine", x=np.float32([[1, 2]])))
    assert response.outputs["y"].float_val == [2.5, 3.0]
    spec = response.model_spec
    assert (spec.name, spec.version.value, spec.signature_name) == ("affine", 1, "serving_default")
    np.testing.assert_array_equal(tf.make_ndarray(response.outputs["y"]), [[2.5, 3.0]])


@pytest.mark.parametrize("dtype", ["bool", "int32", "int64", "float16", "float32", "float64"])
@pytest.mark.parametrize("shape", [(), (0, 2), (2, 3)])
def test_types(client, dtype, shape):
    x = np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype)
    response = client.predictions.Predict(predict_request("types", dtype, x=x))
    y = tf.make_ndarray(response.outputs["y"])
    np.testing.assert_array_equal(y, x)
    assert y.dtype == x.dtype and y.shape == x.shape


def test_strings(client):
    s = np.array([b"a\0", "é".encode()], object)
    response = client.predictions.Predict(predict_request("strings", s=s))
    assert list(response.outputs["raw_bytes"].string_val) == list(s)


def test_output_filter(client):
    request = predict_request("many", "", ["b"], a=np.ones((1, 2), "float32"), b=np.int32([3]))
    response = client.predictions.Predict(request)
    assert list(response.outputs) == ["b"] and response.outputs["b"].int_val == [3]


def proto(dtype, *sizes, **values):
    tensor = tensor_pb2.TensorProto(dtype=dtype, **values)
    for size in sizes:
        tensor.tensor_shape.dim.add(size=size)
    return tensor


FLOAT = types_pb2.DT_FLOAT
REFUSED = [
    (predict_request(""), "INVALID_ARGUMENT", "model_spec needs the name of a model"),
    (predict_request("nope"), "NOT_FOUND", "Servable not found for request: Latest(nope)"),
    (predict_request("affine", version=7), "NOT_FOUND", "Specific(affine, 7)"),
    (predict_request("affine", label="x"), "INVALID_ARGUMENT", "version label: x"),
    (predict_request("affine", "nope"), "INVALID_ARGUMENT", '"nope" not found'),
    (predict_request("affine"), "INVALID_ARGUMENT", "takes the inputs x. Received: none"),
    (predict_request("affine", z=[1.0]), "INVALID_ARGUMENT", "Received: z"),
    (predict_request("affine", x=np.int32([1])), "INVALID_ARGUMENT", "type float32. Received: int"),
    (predict_request("affine", "", ["z"], x=[1.0]), "INVALID_ARGUMENT", "outputs of y, each once"),
    (predict_request("affine", "", ["y", "y"], x=[1.0]), "INVALID_ARGUMENT", "each once"),
    (predict_request("affine", x=proto(FLOAT, -1)), "INVALID_ARGUMENT", "x: is no tensor"),
    (predict_request("affine", x=proto(0, 1)), "INVALID_ARGUMENT", "x: is no tensor"),
    (
        predict_request("affine", x=proto(FLOAT, 3, tensor_content=b"abc")),
        "INVALID_ARGUMENT",
        "x: is no tensor",
    ),
    # A message of a few bytes that stands for gigabytes
    (
        predict_request("affine", x=proto(FLOAT, 10**9, float_val=[1.0])),
        "RESOURCE_EXHAUSTED",
        "is larger than",
    ),
]


@pytest.mark.parametrize("request_, code, text", REFUSED)
def test_refused(client, request_, code, text):
    received, details = error_of(client.predictions.Predict, request_)
    assert received == code and text in details


def test_unparsable_message(client):
    call = client.channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
    assert error_of(call, b"\xff\xff") == ("INTERNAL", "Request message cannot be parsed")


def test_other_methods(client):
    request = classification_pb2.ClassificationRequest()
    assert error_of(client.predictions.Classify, request)[0] == "UNIMPLEMENTED"


def test_metadata_needs_its_field(client):
    request = get_model_metadata_pb2.GetModelMetadataRequest()
    request.model_spec.name = "affine"
    code, text = error_of(client.predictions.GetModelMetadata, request)
    assert (code, text) == ("INVALID_ARGUMENT", 'metadata_field must be ["signature_def"]')


def test_status(client):
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = "affine"
    (version,) = client.models.GetModelStatus(request).model_version_status
    assert (version.version, version.State.Name(version.state)) == (1, "AVAILABLE")
    request.model_spec.version.value = 5
    error = error_of(client.models.GetModelStatus, request)
    assert error == ("NOT_FOUND", "Could not find version 5 of model affine")


@pytest.mark.parametrize("name", ["", "tensorflow.serving.PredictionService"])
def test_health(client, name):
    health = health_pb2_grpc.HealthStub(client.channel)
    response = health.Check(health_pb2.HealthCheckRequest(service=name))
    assert response.status == health_pb2.HealthCheckResponse.SERVING
