"""Random and spoilt requests: each gets a proper answer, and the server keeps running.

Seeded, so that a failure can be repeated.
"""

import contextlib
import http.client
import json
import random
import socket

import grpc
import numpy as np
import pytest
from serving_clients import predict_request, started
from tensorflow.core.framework import types_pb2
from tensorflow_serving.apis import predict_pb2

from tfdepthviz.serving.server import Limits

ROUNDS = 200
# 501: a type without a JSON form. 408 and 413 come from the limits.
ANSWERS = {200, 400, 404, 408, 413, 415, 429, 501}
BODIES = [
    '{"instances": [1.0, 2, NaN]}',
    '{"signature_name": "serving_default", "inputs": {"x": [[1, 2], [3, 4]]}}',
    '{"instances": [{"a": [1, 2], "b": 3}, {"a": [0.5, 1e3], "b": -4}]}',
    '{"instances": ["text", {"b64": "aGVsbG8="}], "signature_name": "string"}',
    '{"signature_name": "image_size", "inputs": [{"b64": "iVBORw0KGgoAAAANSUhEUg=="}]}',
]
PIECES = (
    *'[]{}:,"\\ -.0eE',
    *("null", "true", "NaN", "-Infinity", '"b64"', '"instances":', '"inputs":', "1e400", "18e18"),
    *("9223372036854775808", '"\\ud800"', "\u0000", "é", '{"b64": "a"}', "[[[]]]", "-0", "int32"),
)
PATHS = (
    *("/v1/models/", "/versions/", "/labels/", "/metadata", ":predict", ":classify"),
    *("affine", "many", "strings", "types", "1", "-1", "99999999999999999999", "%2e"),
    *("%ff", "%", "?", "#", "//", "/..", "\\", "é", "a" * 300, "V1", ";", "*", "models.json", "/"),
)


@pytest.fixture(scope="module")
def served(toys):
    """Client of a separate server, which a defect may stop; its small limits are reached."""
    models = {path.name: path for path in toys.iterdir()}
    limits = Limits(max_body_bytes=20_000, max_header_seconds=2)
    with started(models, limits=limits) as client:
        yield client


def spoilt(draw, text, pieces):
    """The text with a few pieces inserted, removed, doubled or cut off."""
    for _ in range(draw.randint(1, 4)):
        start = draw.randint(0, len(text))
        end = min(len(text), start + draw.choice((0, 0, 1, 3, 20)))
        text = text[:start] + draw.choice((*pieces, text[start:end] * 2)) + text[end:]
    return text[: draw.choice((len(text), len(text), draw.randint(0, len(text))))]


def lives(client):
    """Whether the server still answers, by REST and gRPC."""
    assert client.post("/v1/models/affine:predict", {"instances": [2]}) == (
        200,
        {"predictions": [3.0]},
    )
    answer = client.predictions.Predict(predict_request("affine", x=[2.0]), timeout=30)
    return answer.outputs["y"].float_val == [3.0]


def test_bodies(served):
    draw, seen = random.Random(1), set()
    connection = http.client.HTTPConnection(served.rest_address, timeout=30)
    with contextlib.closing(connection):
        for _ in range(ROUNDS):
            model = draw.choice(("affine", "many", "strings", "types"))
            body = draw.choice(BODIES)
            if draw.random() < 0.8:
                body = spoilt(draw, body, PIECES)
            if draw.random() < 0.05:
                body += draw.choice("[1 ") * draw.choice((1000, 30_000))
            path = f"/v1/models/{model}:predict"
            connection.request("POST", path, body.encode("utf-8", "surrogatepass"))
            response = connection.getresponse()
            text = response.read().decode()
            assert response.status in ANSWERS, (path, body, text)
            answer = json.loads(text)
            assert (response.status == 200) != ("error" in answer), (path, body, text)
            seen.add(response.status)
    # The random requests include good and bad ones, and reach the limits.
    assert {200, 400, 413} <= seen and lives(served)


def sent(client, request):
    """First line of the server's answer to some bytes, sent completely."""
    host, port = client.rest_address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
        answer = b""
        with contextlib.suppress(ConnectionError):
            while piece := connection.recv(65536):
                answer += piece
    return answer.partition(b"\r\n")[0]


def test_paths_and_headers(served):
    draw = random.Random(2)
    headers = "Host: x\r\nContent-Length: 21\r\nContent-Type: application/json\r\n\r\n"
    pieces = ("\r\n", "\n", "\0", ":", " ", "\t", "é", "Content-Length: 5\r\n", "a" * 9000, "1.1")
    pieces += ("Transfer-Encoding: chunked\r\n", "Content-Encoding: gzip\r\n", "Expect: x\r\n")
    for number in range(ROUNDS):
        path = "".join(draw.choices(PATHS, k=draw.randint(1, 6)))
        method = draw.choice(("GET", "POST", "HEAD", "PUT", "OPTIONS", "CONNECT", "get", ""))
        head = f"{method} /{path.lstrip('/')} HTTP/1.1\r\n{headers}"
        if number % 2:
            head = spoilt(draw, f"POST /v1/models/affine:predict HTTP/1.1\r\n{headers}", pieces)
        first = sent(served, head.encode() + b'{"instances": [1, 2]}')
        # No answer to a request that never ends: the server closes when the client does.
        if first:
            assert int(first.split()[1]) in ANSWERS | {100, 405, 417}, (head, first)
    assert lives(served)


def test_messages(served):
    draw, seen = random.Random(3), set()
    requests = [
        predict_request("affine", x=[1.0, 2.0]),
        predict_request("many", a=np.ones((2, 2), "float32"), b=np.int32([1, 2])),
        predict_request("strings", s=[b"text", b"more"]),
        predict_request("types", "int32", ["y"], x=np.int32([1])),
    ]
    raw = served.channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
    for _ in range(ROUNDS):
        request = predict_pb2.PredictRequest.FromString(draw.choice(requests).SerializeToString())
        for alias in list(request.inputs):
            tensor = request.inputs[alias]
            if draw.random() < 0.3:
                tensor.dtype = draw.choice(types_pb2.DataType.values())
            if draw.random() < 0.3:
                tensor.tensor_shape.dim.add(size=draw.choice((-1, 0, 1, 3, 2**31, 2**62)))
            if draw.random() < 0.2:
                tensor.tensor_content = draw.randbytes(draw.choice((1, 4, 8, 1000)))
            if draw.random() < 0.1:
                tensor.tensor_shape.unknown_rank = True
        contents = request.SerializeToString()
        if draw.random() < 0.4:
            at = draw.randrange(len(contents))
            contents = contents[:at] + draw.randbytes(draw.randint(0, 3)) + contents[at + 1 :]
        try:
            raw(contents, timeout=30)
            seen.add("OK")
        except grpc.RpcError as error:
            seen.add(error.code().name)
            unparsed = error.details() == "Request message cannot be parsed"
            assert unparsed == (error.code().name == "INTERNAL"), (contents, error.details())
            wrong = ("UNKNOWN", "UNAVAILABLE", "DEADLINE_EXCEEDED", "DATA_LOSS", "UNIMPLEMENTED")
            assert error.code().name not in wrong, (contents, error.details())
    assert {"OK", "INVALID_ARGUMENT", "INTERNAL"} <= seen and lives(served)
