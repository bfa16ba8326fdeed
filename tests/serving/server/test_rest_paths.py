"""Paths of the REST API: the right methods, and the errors of all others."""

import base64
import hashlib
import json

import pytest
from tensorflow_serving.apis import get_model_metadata_pb2

from tfdepthviz.serving.server import page

OK = {"error_code": "OK", "error_message": ""}
STATUS = {"model_version_status": [{"version": "1", "state": "AVAILABLE", "status": OK}]}
HUGE = 2**64 - 1

PREDICTS = [
    "/v1/models/affine:predict",
    "/v1/models/affine/versions/1:predict",
    "/v1/models/affine/versions/0001:predict",
    "/V1/Models/affine/Versions/1:PREDICT",
    "/v1/models/%61ffine:predict",
    "/v1/models/affine:predict?query=ignored",
]


@pytest.mark.parametrize("path", PREDICTS)
def test_predict(client, path):
    assert client.post(path, {"instances": [2.0]}) == (200, {"predictions": [3.0]})


@pytest.mark.parametrize(
    "path", ["/v1/models/affine", "/v1/models/affine/versions/1", "/V1/MODELS/affine/VERSIONS/1"]
)
def test_status(client, path):
    assert client.get(path) == (200, STATUS)


MALFORMED = [
    ("GET", "/v1/foo"),
    ("POST", "/v1/foo"),
    ("GET", "/v1/"),
    ("GET", "/V1/foo"),
    ("POST", "/v1/models"),
    ("GET", "/v1/models/"),
    ("GET", "/v1/models/affine/"),
    ("GET", "/v1/models/foo:predict"),
    ("GET", "/v1/models/debug/model_name"),
    ("GET", "/v1/models/foo/version/50:predict"),
    ("POST", "/v1/models/foo/version/50:regress"),
    ("POST", "/v1/models/foo/versions/HELLO:regress"),
    ("POST", "/v1/models/foo/versions/-1:predict"),
    ("POST", "/v1/models/foo/versions/%31:predict"),
    ("POST", "/v1/models/foo/metadata"),
    ("POST", "/v1/models/foo/label/some_label:regress"),
    ("POST", "/v1/models/foo/versions/50/labels/some_label:regress"),
    ("POST", "/v1/models/affine:explain"),
    ("POST", "/v1/models/affine"),
    ("POST", "/v1/models/affine:predict/"),
    ("PUT", "/v1/models/affine:predict"),
    ("DELETE", "/v1/models/affine"),
    ("OPTIONS", "/v1/models/affine:predict"),
]


@pytest.mark.parametrize("method, path", MALFORMED)
def test_malformed(client, method, path):
    status, headers, body = client.ask(method, path, b"{}" if method == "POST" else None)
    assert (status, headers["Content-Type"]) == (400, "application/json")
    assert json.loads(body) == {"error": f"Malformed request: {method} {path}"}


NOT_THERE = [
    ("GET", "/v1/models", 400, "Missing model name in request."),
    ("GET", "/v1/models/nope", 404, "Could not find any versions of model nope"),
    ("GET", "/v1/models/affine/versions/7", 404, "Could not find version 7 of model affine"),
    ("GET", "/v1/models/affine/labels/x", 400, "Unrecognized servable version label: x"),
    ("GET", "/v1/models/nope/metadata", 404, "Servable not found for request: Latest(nope)"),
    ("POST", "/v1/models/nope:predict", 404, "Servable not found for request: Latest(nope)"),
    ("POST", "/v1/models/Affine:predict", 404, "Servable not found for request: Latest(Affine)"),
    (
        "POST",
        "/v1/models/affine/versions/7:predict",
        404,
        "Servable not found for request: Specific(affine, 7)",
    ),
    (
        "POST",
        "/v1/models/affine/labels/x:predict",
        400,
        "Unrecognized servable version label: x",
    ),
    (
        "POST",
        f"/v1/models/affine/versions/{HUGE}:regress",
        400,
        f"Failed to convert version: {HUGE} to numeric.",
    ),
    ("POST", "/v1/models/%ff:predict", 400, "Failed to decode model name:%ff"),
    ("GET", "/", 200, None),
    ("GET", "/models.json", 200, None),
    ("GET", "/nope", 404, "Not found: GET /nope"),
    ("POST", "/", 404, "Not found: POST /"),
    ("GET", "/v2/models/affine", 404, "Not found: GET /v2/models/affine"),
]


@pytest.mark.parametrize("method, path, expected, text", NOT_THERE)
def test_missing_models_and_paths(client, method, path, expected, text):
    body = '{"instances": [1]}' if method == "POST" else None
    status, _, answer = client.ask(method, path, body)
    assert status == expected
    assert text is None or json.loads(answer) == {"error": text}


def test_body_is_read_before_the_model_is_sought(client):
    """TensorFlow Serving reads the JSON first."""
    status, answer = client.post("/v1/models/nope:predict", "[")
    assert status == 400 and answer["error"].startswith("JSON Parse error")


def test_metadata(client):
    """Equal to the metadata over gRPC, apart from the form."""
    status, answer = client.get("/v1/models/examples/metadata")
    assert status == 200
    assert answer["model_spec"] == {"name": "examples", "signature_name": "", "version": "1"}
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    request.model_spec.name = "examples"
    response = client.predictions.GetModelMetadata(request)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    response.metadata["signature_def"].Unpack(signatures)
    by_rest = answer["metadata"]["signature_def"]["signature_def"]
    assert by_rest.keys() == signatures.signature_def.keys()
    for name, signature in signatures.signature_def.items():
        assert by_rest[name]["method_name"] == signature.method_name
        for side in ("inputs", "outputs"):
            tensors = getattr(signature, side)
            assert {a: t["name"] for a, t in by_rest[name][side].items()} == {
                alias: info.name for alias, info in tensors.items()
            }
    x = by_rest["serving_default"]["inputs"]["x"]
    assert x["dtype"] == "DT_FLOAT"
    assert x["tensor_shape"] == {
        "dim": [{"size": "-1", "name": ""}, {"size": "1", "name": ""}],
        "unknown_rank": False,
    }


def test_page(client):
    status, headers, body = client.ask("GET", "/")
    assert status == 200 and headers["Content-Type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "Access-Control-Allow-Origin" not in headers
    assert b"<title>" in body
    names = sorted(["affine", "strings", "many", "types", "examples"])
    models = [{"name": name, "versions": [1]} for name in names]
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
