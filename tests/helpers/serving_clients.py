"""Helpers of serving tests: start a server in this process, and talk to it."""

import contextlib
import http.client
import json
import tempfile
import time

import grpc
import tensorflow as tf
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow_serving.apis import (
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from tfdepthviz.serving.server import Options, running


class Client:
    """Talks to one server, by REST and by gRPC.

    Args:
      server: `tfdepthviz.serving.server.Server`, or anything with its two addresses.
    """

    def __init__(self, server):
        self.rest_address, self.grpc_address = server.rest_address, server.grpc_address
        options = [(f"grpc.max_{way}_message_length", -1) for way in ("receive", "send")]
        self.channel = grpc.insecure_channel(server.grpc_address, options)
        self.predictions = prediction_service_pb2_grpc.PredictionServiceStub(self.channel)
        self.models = model_service_pb2_grpc.ModelServiceStub(self.channel)

    def ask(self, method, path, body=None, headers=()):
        """(status, headers, body) of one HTTP request."""
        connection = http.client.HTTPConnection(self.rest_address, timeout=60)
        with contextlib.closing(connection):
            connection.request(method, path, body, dict(headers))
            response = connection.getresponse()
            return response.status, response.headers, response.read()

    def get(self, path):
        """(status, JSON)."""
        status, _, body = self.ask("GET", path)
        return status, json.loads(body)

    def post(self, path, body):
        """(status, JSON); body: bytes, str, or a value to encode as JSON."""
        body = body if isinstance(body, bytes | str) else json.dumps(body)
        status, _, answer = self.ask("POST", path, body)
        return status, json.loads(answer)

    def states(self, name):
        """dict of version -> (state, error) of a model."""
        status, answer = self.get(f"/v1/models/{name}")
        return {
            int(v["version"]): (v["state"], v["status"]["error_message"])
            for v in answer.get("model_version_status", [])
        }


@contextlib.contextmanager
def started(models, **options):
    """A server on free ports, in this process, and its `Client`.

    Args:
      models: dict of name -> base path, or the text of a ModelServerConfig.
      options: of `tfdepthviz.serving.server.Options`.
    Returns:
      context manager of the `Client`; its `server` is the server.
    """
    text = config_of(models) if isinstance(models, dict) else models
    with tempfile.NamedTemporaryFile("w", suffix=".config") as file:
        file.write(text)
        file.flush()
        options = {"port": 0, "rest_api_port": 0, "model_config_file": file.name} | options
        with running(Options(**options)) as server:
            client = Client(server)
            client.server = server
            with contextlib.closing(client.channel):
                yield client


def config_of(models, fields=""):
    """Text of a ModelServerConfig of models by their base paths, each with more fields."""
    entries = [
        f'config {{ name: "{name}" base_path: "{path}" model_platform: "tensorflow" {fields} }}'
        for name, path in models.items()
    ]
    return f"model_config_list {{ {' '.join(entries)} }}"


def wait_until(condition, seconds=60):
    """Waits until a function gives a true value, and returns that value."""
    until = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < until, "did not happen"
        time.sleep(0.02)
    return result


def predict_request(model, signature="", output_filter=(), version=None, label=None, **inputs):
    """PredictRequest; inputs: alias -> TensorProto or array."""
    request = predict_pb2.PredictRequest(output_filter=output_filter)
    request.model_spec.name = model
    request.model_spec.signature_name = signature
    if version is not None:
        request.model_spec.version.value = version
    if label is not None:
        request.model_spec.version_label = label
    for alias, value in inputs.items():
        proto = value if isinstance(value, TensorProto) else tf.make_tensor_proto(value)
        request.inputs[alias].CopyFrom(proto)
    return request
