"""A SavedModel behind the part of TensorFlow Serving's REST API that the client and page use.

For trials:  PYTHONPATH=tests python -m rest_server NAME SAVEDMODEL_DIR PORT
"""

import base64
import contextlib
import http.server
import json
import pathlib
import sys
import threading

import tensorflow as tf
from google.protobuf import json_format
from tensorflow.core.protobuf import saved_model_pb2

from tfdepthviz.serving import client

PAGE = pathlib.Path(client.__file__).parent / "page.html"


@contextlib.contextmanager
def serving(name, savedmodel_dir, port=0):
    """Address of a server that has one model, while the context lasts."""
    model = Model(name, savedmodel_dir)
    with answering(model.answer, port) as address:
        yield address


@contextlib.contextmanager
def answering(answer, port=0):
    """Address of an HTTP server on loopback.

    Args:
      answer: function of (path, body as bytes, or None for GET) -> (status, body as bytes or as
        what JSON can hold), or (status, body, dict of headers).
    """

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            self.reply(None)

        def do_POST(self):
            self.reply(self.rfile.read(int(self.headers["Content-Length"])))

        def reply(self, body):
            status, content, *headers = answer(self.path, body)
            content = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            for key, value in {"Content-Length": len(content), **(headers or [{}])[0]}.items():
                self.send_header(key, str(value))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()


class Model:
    def __init__(self, name, savedmodel_dir):
        self.name, self.path = name, f"/v1/models/{name}"
        self.folder = pathlib.Path(savedmodel_dir)
        self.loaded = tf.saved_model.load(str(savedmodel_dir))

    def answer(self, path, body):
        for prefix in (self.path, f"{self.path}/versions/1", f"{self.path}/labels/stable"):
            if body is not None and path == f"{prefix}:predict":
                return self.predict(json.loads(body))
            if path == prefix:
                status = {"error_code": "OK", "error_message": ""}
                version = {"version": "1", "state": "AVAILABLE", "status": status}
                return 200, {"model_version_status": [version]}
            if path == f"{prefix}/metadata":
                return 200, {"metadata": {"signature_def": {"signature_def": self.signatures()}}}
        if path == "/models.json":
            return 200, {"models": [{"name": self.name, "versions": [1]}]}
        if path == "/":
            return 200, PAGE.read_bytes(), {"Content-Type": "text/html; charset=utf-8"}
        return 404, {"error": f"Servable not found for request: {path}"}

    def signatures(self):
        saved = saved_model_pb2.SavedModel.FromString((self.folder / "saved_model.pb").read_bytes())
        signatures = saved.meta_graphs[0].signature_def
        return {name: json_format.MessageToDict(signatures[name]) for name in signatures}

    def predict(self, question):
        name = question.get("signature_name", "serving_default")
        if name not in self.loaded.signatures:
            return 400, {"error": f'Serving signature name: "{name}" not found in signature def'}
        signature = self.loaded.signatures[name]
        specs = signature.structured_input_signature[1]
        try:
            inputs = {
                key: tf.constant(_plain(question["inputs"][key]), spec.dtype)
                for key, spec in specs.items()
            }
            got = {key: _json(key, value.numpy()) for key, value in signature(**inputs).items()}
        except tf.errors.InvalidArgumentError as error:
            return 400, {"error": error.message}
        return 200, {"outputs": next(iter(got.values())) if len(got) == 1 else got}


def _plain(value):
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return base64.b64decode(value["b64"]) if isinstance(value, dict) else value


def _json(name, value):
    if value.dtype != object:
        return value.tolist()
    if name.endswith("_bytes"):
        return [{"b64": base64.b64encode(item).decode()} for item in value]
    return [item.decode() for item in value]


if __name__ == "__main__":
    with serving(sys.argv[1], sys.argv[2], int(sys.argv[3])) as found:
        print(found, flush=True)
        threading.Event().wait()
