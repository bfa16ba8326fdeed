"""REST: bodies and paths that are accepted, the errors of others, and HTTP as clients use it."""

import base64
import contextlib
import gzip
import hashlib
import json
import math
import socket
import zlib

import pytest
from serving_clients import started
from tensorflow_serving.apis import get_model_metadata_pb2

from tfdepthviz.serving.server import page

HELLO = {"b64": "aGVsbG8="}
NAN, INFINITY = math.nan, math.inf
OK = {"error_code": "OK", "error_message": ""}
STATUS = {"model_version_status": [{"version": "1", "state": "AVAILABLE", "status": OK}]}

# Model, signature, body, answer, written by hand after TensorFlow Serving's documentation.
TAKEN = [
    # Rows
    ("affine", "", {"instances": [1.0, 2.0, 5]}, {"predictions": [2.5, 3.0, 4.5]}),
    ("affine", "", {"instances": [[1, 2], [3, 4]]}, {"predictions": [[2.5, 3.0], [3.5, 4.0]]}),
    ("affine", "", {"instances": [{"x": 1}, {"x": 2}]}, {"predictions": [2.5, 3.0]}),
    ("affine", "", {"instances": [[]]}, {"predictions": [[]]}),
    ("affine", "", {"instances": [1], "other": "key"}, {"predictions": [2.5]}),
    ("affine", "positive", {"instances": [-1, 0]}, {"predictions": []}),
    ("affine", "positive_twice", {"instances": [-1, 0]}, {"predictions": []}),
    (
        "many",
        "",
        {"instances": [{"a": [1, 2], "b": 3}, {"b": -4, "a": [0.5, 0]}]},
        {
            "predictions": [
                {"a": [1.0, 2.0], "b": 3, "total": 6.0},
                {"a": [0.5, 0.0], "b": -4, "total": -3.5},
            ]
        },
    ),
    # Columns
    ("affine", "", {"inputs": [3.0, 4.0]}, {"outputs": [3.5, 4.0]}),
    ("affine", "", {"inputs": {"x": [3.0]}}, {"outputs": [3.5]}),
    ("affine", "", {"inputs": 3}, {"outputs": 3.5}),
    ("affine", "", {"inputs": [[], []]}, {"outputs": [[], []]}),
    ("affine", "scalar", {"inputs": [1, 2, 3]}, {"outputs": 6.0}),
    (
        "many",
        "apart",
        {"inputs": {"a": [[1, 2]], "b": [3]}},
        {"outputs": {"a": [[1.0, 2.0]], "b": [3, 3]}},
    ),
    # Strings: outputs are base64 where their name ends in _bytes
    (
        "strings",
        "",
        {"instances": ["é", HELLO]},
        {
            "predictions": [
                {"length": 2, "raw_bytes": {"b64": "w6k="}, "text": "é"},
                {"length": 5, "raw_bytes": HELLO, "text": "hello"},
            ]
        },
    ),
    ("types", "string", {"inputs": {"b64": "aGVs\nbG8"}}, {"outputs": "hello"}),
    ("types", "string", {"instances": [[HELLO, "a"]]}, {"predictions": [["hello", "a"]]}),
    # Types
    ("types", "int32", {"inputs": [-(2**31), 2**31 - 1]}, {"outputs": [-(2**31), 2**31 - 1]}),
    ("types", "int64", {"inputs": [-(2**63), 2**63 - 1]}, {"outputs": [-(2**63), 2**63 - 1]}),
    ("types", "bool", {"inputs": [True, False]}, {"outputs": [True, False]}),
    ("types", "float32", {"inputs": [1e38, 1e-46, 0.1]}, {"outputs": [1e38, 0.0, 0.1]}),
    ("types", "float64", {"inputs": [2**64]}, {"outputs": [2.0**64]}),
    ("types", "float32", {"inputs": [NAN, -INFINITY, 1]}, {"outputs": [NAN, -INFINITY, 1.0]}),
]


def body_of(signature, body):
    return {**body, "signature_name": signature} if signature else body


@pytest.mark.parametrize("model, signature, body, answer", TAKEN)
def test_taken(client, model, signature, body, answer):
    status, reply = client.post(f"/v1/models/{model}:predict", body_of(signature, body))
    assert status == 200, reply
    # As text: NaN equals NaN, and 1 equals neither 1.0 nor True.
    assert json.dumps(reply, sort_keys=True) == json.dumps(answer, sort_keys=True)


# Model, signature, body (text or what becomes JSON), part of the error; all are status 400.
REFUSED = [
    ("affine", "", "", "the body is no JSON"),
    ("affine", "", '{"instances": [1,]}', "the body is no JSON"),
    ("affine", "", b'{"instances": ["\xff"]}', "is not UTF-8"),
    ("affine", "", '{"inputs": ' + "[" * 200_000, "the body is no JSON"),
    ("affine", "", '{"inputs": ' + "[" * 40 + "]" * 40 + "}", "nested lists"),
    ("affine", "", "[1, 2]", "must be a JSON object. Received: [1, 2]"),
    ("affine", "", "{}", 'either "instances", rows, or "inputs", columns'),
    ("affine", "", {"instances": [1], "inputs": [1]}, 'either "instances"'),
    ("affine", "", {"instances": {"x": 1}}, "must be a list of at least one row"),
    ("affine", "", {"instances": []}, "must be a list of at least one row"),
    ("affine", "", {"instances": [1], "signature_name": 5}, "signature_name must be text"),
    ("affine", "nope", {"instances": [1]}, '"nope" not found; the model has batch_size, fails'),
    # Shapes
    ("affine", "", {"instances": [[1, 2], [3]]}, "x[1] must be a list of 2, as the others are"),
    (
        "affine",
        "",
        {"inputs": [[1], 2]},
        "x[1] must be a list of 1, as the others are. Received: 2",
    ),
    ("affine", "", {"instances": [1, [1]]}, "x[1] must be a number. Received: [1]"),
    ("affine", "", {"inputs": [[[1], [2, 3]]]}, "x[0][1] must be a list of 1"),
    ("affine", "scalar", {"instances": [1]}, 'have no rows: ask with "inputs" instead'),
    ("many", "", {"inputs": {"a": [1, 2], "b": [1]}}, "the first axis, of the batch, is missing"),
    ("many", "", {"inputs": {"a": [[1, 2]], "b": 1}}, "b must have the shape (any,). Received: ()"),
    ("many", "", {"inputs": {"a": [[1, 2, 3]], "b": [1]}}, "a must have the shape (any, 2)"),
    # Named inputs
    ("affine", "", {"instances": [{"x": 1}, 2]}, "instances[1] must be an object of the inputs x"),
    ("affine", "", {"inputs": {"z": 1}}, "takes the inputs x. Received: z"),
    (
        "many",
        "",
        {"instances": [1, 2]},
        '"instances" must name the inputs, as the signature takes a',
    ),
    (
        "many",
        "",
        {"instances": [{"a": [1, 2]}]},
        "must be an object of the inputs a, b. Received: a",
    ),
    ("many", "", {"inputs": {"a": [[1, 2]]}}, "takes the inputs a, b. Received: a"),
    ("many", "apart", {"instances": [{"a": [1, 2], "b": 1}]}, "of different lengths have no rows"),
    # Types
    ("affine", "", {"instances": ["1.5"]}, "x[0] must be a number. Received: '1.5'"),
    ("affine", "", {"instances": [1, True]}, "x[1] must be a number. Received: True"),
    ("affine", "", {"instances": [None]}, "x[0] must be a number. Received: None"),
    ("types", "float32", {"inputs": [1e39]}, "x holds numbers too large for float32"),
    ("types", "int32", {"inputs": [1, 1.5]}, "x[1] must be a whole number. Received: 1.5"),
    ("types", "int32", {"inputs": [2**31]}, "x holds numbers too large for int32"),
    ("types", "bool", {"inputs": [1]}, "must be true or false"),
    ("types", "string", {"inputs": [1]}, "must be text, or"),
    ("types", "string", {"inputs": {"x": [{"b64": "%%%"}]}}, "x[0] must be text, or"),
    ("types", "string", {"inputs": ["\ud800"]}, "x[0] must be text"),
    (
        "strings",
        "image_size",
        {"inputs": {"b64": "aGk="}},
        "image_bytes must have the shape (any,)",
    ),
    ("many", "", {"inputs": {"a": [[1, 2]] * 3, "b": [1, 2]}}, "Incompatible shapes"),
    ("affine", "fails_above_100", {"inputs": [200]}, "above 100"),
]


@pytest.mark.parametrize("model, signature, body, text", REFUSED)
def test_refused(client, model, signature, body, text):
    status, answer = client.post(f"/v1/models/{model}:predict", body_of(signature, body))
    assert (status, set(answer)) == (400, {"error"}) and text in answer["error"], answer


def test_type_without_json(client):
    body = {"signature_name": "float16", "inputs": [1]}
    status, answer = client.post("/v1/models/types:predict", body)
    assert (status, answer["error"]) == (501, "x: JSON has no form for the type float16")


@pytest.mark.parametrize(
    "path",
    [
        "/v1/models/affine:predict",
        "/v1/models/affine/versions/0001:predict",
        "/V1/Models/affine/Versions/1:PREDICT",
        "/v1/models/%61ffine:predict?query=ignored",
        "http://any.host/v1/models/affine:predict",
    ],
)
def test_paths(client, path):
    assert client.post(path, {"instances": [2.0]}) == (200, {"predictions": [3.0]})


# Method, path, status, text of the error.
NOT_THERE = [
    ("GET", "/v1/foo", 400, "Malformed request: GET /v1/foo"),
    ("GET", "/v1/models/affine/", 400, "Malformed request"),
    ("GET", "/v1/models/affine:predict", 400, "Malformed request"),
    ("POST", "/v1/models/affine:classify", 400, "Malformed request"),
    ("POST", "/v1/models/affine/versions/-1:predict", 400, "Malformed request"),
    ("POST", "/v1/models/affine", 400, "Malformed request"),
    ("OPTIONS", "/v1/models/affine:predict", 400, "Malformed request"),
    ("GET", "/v1/models", 400, "Missing model name in request."),
    ("GET", "/v1/models/nope", 404, "Could not find any versions of model nope"),
    ("GET", "/v1/models/affine/versions/7", 404, "Could not find version 7 of model affine"),
    ("GET", "/v1/models/affine/labels/x", 400, "Unrecognized servable version label: x"),
    ("GET", "/v1/models/nope/metadata", 404, "Servable not found for request: Latest(nope)"),
    ("POST", "/v1/models/Affine:predict", 404, "Servable not found for request: Latest(Affine)"),
    ("POST", "/v1/models/affine/versions/7:predict", 404, "Specific(affine, 7)"),
    ("POST", "/v1/models/affine/labels/x:predict", 400, "Unrecognized servable version label: x"),
    ("POST", f"/v1/models/affine/versions/{2**64}:predict", 400, "Failed to convert version"),
    ("POST", "/v1/models/%ff:predict", 400, "is not UTF-8"),
    ("GET", "/nope", 404, "Not found: GET /nope"),
    ("POST", "/", 404, "Not found: POST /"),
]


@pytest.mark.parametrize("method, path, expected, text", NOT_THERE)
def test_missing_models_and_paths(client, method, path, expected, text):
    body = '{"instances": [1]}' if method == "POST" else None
    status, headers, answer = client.ask(method, path, body)
    assert (status, headers["Content-Type"]) == (expected, "application/json")
    assert text in json.loads(answer)["error"]


def test_status(client):
    assert client.get("/v1/models/affine") == (200, STATUS)
    assert client.get("/V1/MODELS/affine/VERSIONS/1") == (200, STATUS)
    assert client.get("/ready") == (200, {"ready": True})


def test_metadata(client):
    """Equal to the metadata over gRPC, apart from the form."""
    status, answer = client.get("/v1/models/many/metadata")
    assert status == 200
    assert answer["model_spec"] == {"name": "many", "signature_name": "", "version": "1"}
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    request.model_spec.name = "many"
    response = client.predictions.GetModelMetadata(request)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    response.metadata["signature_def"].Unpack(signatures)
    by_rest = answer["metadata"]["signature_def"]["signature_def"]
    assert by_rest.keys() == signatures.signature_def.keys() == {"serving_default", "apart"}
    for name, signature in signatures.signature_def.items():
        assert by_rest[name]["method_name"] == signature.method_name
        for side in ("inputs", "outputs"):
            assert {a: t["name"] for a, t in by_rest[name][side].items()} == {
                alias: info.name for alias, info in getattr(signature, side).items()
            }
    a = by_rest["serving_default"]["inputs"]["a"]
    assert a["dtype"] == "DT_FLOAT"
    assert [dim["size"] for dim in a["tensor_shape"]["dim"]] == ["-1", "2"]


def test_page(client):
    status, headers, body = client.ask("GET", "/")
    assert status == 200 and headers["Content-Type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert b"<title>" in body
    models = [{"name": name, "versions": [1]} for name in ("affine", "many", "strings", "types")]
    assert client.get("/models.json") == (200, {"models": models})


def test_page_allows_scripts_by_hash(tmp_path, monkeypatch):
    """Expected values: hashes computed as the Content Security Policy standard defines them."""
    monkeypatch.setattr(page, "FILE", tmp_path / "page.html")
    page.FILE.write_text("<p>é</p><script>\nlet a = 'é';\n</script><script>b()</script>", "utf-8")
    text, headers = page._page.__wrapped__()
    for script in ("\nlet a = 'é';\n", "b()"):
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in headers["Content-Security-Policy"]
    assert text.startswith("<p>")


BODY = b'{"instances": [1]}'
PREDICT = "/v1/models/affine:predict"


@pytest.mark.parametrize("compress, name", [(gzip.compress, "gzip"), (zlib.compress, "deflate")])
def test_compressed_bodies(client, compress, name):
    headers = {"Content-Encoding": name}
    assert client.ask("POST", PREDICT, compress(BODY), headers)[0] == 200
    for body, text in (
        (compress(BODY)[:-4], f"the body must be one complete piece of {name} data"),
        (compress(BODY) + compress(BODY), f"the body must be one complete piece of {name} data"),
        (BODY, f"the body is no {name} data"),
    ):
        status, _, answer = client.ask("POST", PREDICT, body, headers)
        assert status == 400 and text in json.loads(answer)["error"]


def test_other_encodings(client):
    for name in ("br", "zstd", "gzip, gzip"):
        status, headers, answer = client.ask("POST", PREDICT, BODY, {"Content-Encoding": name})
        assert (status, headers["Accept-Encoding"]) == (415, "gzip, deflate, identity")
        assert json.loads(answer)["error"].endswith(f"gzip, deflate, identity. Received: {name}")


def connect(client):
    host, port = client.rest_address.split(":")
    return socket.create_connection((host, int(port)), timeout=20)


REQUEST = b"POST /v1/models/affine:predict HTTP/1.1\r\nHost: a\r\nContent-Length: 18\r\n\r\n" + BODY


def test_half_closed_connection(client):
    """As `nc -N` sends: the answer comes, and then the server closes."""
    with connect(client) as connection:
        connection.sendall(REQUEST)
        connection.shutdown(socket.SHUT_WR)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
    assert received.startswith(b"HTTP/1.1 200 OK\r\n") and received.endswith(b"[2.5]}")


def test_broken_off_uploads(client, caplog, capfd):
    """No traceback, and no thread kept."""
    for cut in (10, 40, 80, len(REQUEST) - 5):
        with connect(client) as connection:
            connection.sendall(REQUEST[:cut])
    with connect(client) as connection:
        connection.sendall(REQUEST[:-5])
        connection.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionError):
            assert connection.recv(1000) == b""
    assert client.post(PREDICT, {"instances": [1]})[0] == 200
    assert caplog.records == [] and capfd.readouterr().err == ""


def test_other_origins(client, toys):
    origin = {"Origin": "https://a.org"}
    assert "Access-Control-Allow-Origin" not in client.ask("GET", "/models.json", None, origin)[1]
    with started({"affine": toys / "affine"}, cors_origins=("https://a.org",)) as allowing:
        status, headers, _ = allowing.ask("OPTIONS", PREDICT, None, origin)
        assert (status, headers["Access-Control-Allow-Origin"]) == (204, "https://a.org")
        assert headers["Access-Control-Allow-Methods"] == "GET, POST"
        status, headers, _ = allowing.ask("POST", PREDICT, BODY, origin)
        assert (status, headers["Access-Control-Allow-Origin"]) == (200, "https://a.org")
        other = {"Origin": "https://b.org"}
        status, headers, _ = allowing.ask("POST", PREDICT, BODY, other)
        assert status == 200 and "Access-Control-Allow-Origin" not in headers
        assert allowing.ask("OPTIONS", PREDICT, None, other)[0] == 400


def test_metrics(toys, tmp_path):
    config = tmp_path / "monitoring.config"
    config.write_text('prometheus_config { enable: true path: "/metrics" }')
    with started({"affine": toys / "affine"}, monitoring_config_file=str(config)) as counted:
        for body in ({"instances": [1]}, {"instances": [2]}, {"instances": ["x"]}):
            counted.post(PREDICT, body)
        counted.get("/v1/models/made-up")
        status, headers, text = counted.ask("GET", "/metrics")
    assert status == 200 and headers["Content-Type"].startswith("text/plain")
    lines = text.decode().splitlines()
    count, latency = ":tensorflow:serving:request_count", ":tensorflow:serving:request_latency"
    assert f'{count}{{model_name="affine",status="OK"}} 2.0' in lines
    assert f'{count}{{model_name="affine",status="INVALID_ARGUMENT"}} 1.0' in lines
    assert f'{count}{{model_name="",status="NOT_FOUND"}} 1.0' in lines
    labels = 'API="predict",entrypoint="REST",model_name="affine"'
    assert f"{latency}_count{{{labels}}} 2.0" in lines
