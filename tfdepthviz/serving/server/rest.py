"""HTTP API: TensorFlow Serving's REST API and metrics, and the page at /.

The page gets its list of available models and versions from `GET /models.json`:
{"models": [{"name": "...", "versions": [1]}]}. TensorFlow Serving has no such list and answers
GET /v1/models with an error.
"""

import asyncio
import logging
import re
from urllib.parse import unquote

from aiohttp import web
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_pb2,
    regression_pb2,
)

from tfdepthviz.serving.server import (
    json_answers,
    json_examples,
    json_tensors,
    json_text,
    page,
)
from tfdepthviz.serving.server.http_connection import json_response
from tfdepthviz.serving.server.inference import find_signature, signature_or_default
from tfdepthviz.serving.server.limits import Bodies
from tfdepthviz.serving.server.status import StatusError, invalid, not_found, of

_VERSION = r"(?:/versions/(?P<version>\d+)|/labels/(?P<label>[^/:]+))?"
_METHOD = re.compile(
    rf"/v1/models/(?P<name>[^/:]+){_VERSION}:(?P<method>classify|regress|predict)",
    re.IGNORECASE | re.ASCII,
)
_STATUS = re.compile(
    rf"/v1/models(?:/(?P<name>[^/:]+))?{_VERSION}(?:/(?P<metadata>metadata))?",
    re.IGNORECASE | re.ASCII,
)


class Rest:
    """Answers HTTP requests.

    Args:
      service: `service.Service`.
      workers: `limits.Workers`.
      metrics_path: path of the metrics; None: there are none.
    """

    def __init__(self, service, workers, metrics_path):
        self._service, self._workers, self._metrics_path = service, workers, metrics_path
        self._bodies = Bodies(service.limits)

    async def handle(self, request):
        """Answers one aiohttp request; returns the response once it has been sent."""
        response = await self._answer(request)
        seconds = self._service.limits.max_body_seconds
        try:
            await asyncio.wait_for(_send(request, response), seconds)
        except asyncio.TimeoutError:
            # A client that never reads would keep its answer in memory for ever.
            if request.transport is not None:
                request.transport.abort()
        return response

    async def _answer(self, request):
        path = request.raw_path.partition("?")[0]
        try:
            if path.lower().startswith("/v1/"):
                return await self._handle_v1(request, path)
            return self._handle_other(request, path)
        except StatusError as error:
            return _refusal(error)
        except ConnectionError:
            raise  # the client has left
        except Exception as error:
            logging.exception("Internal error")
            return _refusal(of(error))

    async def _handle_v1(self, request, path):
        if request.method == "POST" and (match := _METHOD.fullmatch(path)):
            return await self._infer(request, match)
        if request.method == "GET" and (match := _STATUS.fullmatch(path)):
            return self._describe(match)
        raise invalid(f"Malformed request: {request.method} {path}")

    async def _infer(self, request, match):
        spec = _model_spec(match)
        method = match["method"].lower()
        run = {"predict": self._predict, "classify": self._classify, "regress": self._regress}

        def answer(body):
            with self._service.recorded(spec.name, method, "REST"):
                json_text.check_depth(body, self._service.limits.max_json_depth)
                with self._service.memory.hold(json_text.memory(body)):
                    return run[method](spec, body)

        async def use(body):
            return await self._workers.run(answer, body)

        self._bodies.check_stated(request.content_length)
        if request.headers.get("Expect", "").lower() == "100-continue":
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            request.writer.output_size = 0
        return json_response(await self._bodies.read(request, use))

    def _predict(self, spec, body):
        document = self._parsed(spec, body)
        with self._service.manager.use(spec) as version:
            signature = find_signature(version.model, spec.signature_name, error=_no_signature)
            if not signature.inputs:
                name = signature_or_default(spec.signature_name)
                raise invalid(f"Failed to get input map for signature: {name}")
            inputs, encode = _arrays(document, signature)
            outputs = self._service.run_predict(version, signature, inputs, api="predict")
            return encode(outputs)

    def _classify(self, spec, body):
        request = classification_pb2.ClassificationRequest(model_spec=spec)
        document = self._parsed(request.model_spec, body)
        request.input.CopyFrom(json_examples.to_input(document))
        return json_answers.classes(self._service.classify(request, "classify").result)

    def _regress(self, spec, body):
        request = regression_pb2.RegressionRequest(model_spec=spec)
        document = self._parsed(request.model_spec, body)
        request.input.CopyFrom(json_examples.to_input(document))
        return json_answers.values(self._service.regress(request, "regress").result)

    def _parsed(self, spec, body):
        document = json_text.parse(body)
        name = document.get("signature_name", "")
        if not isinstance(name, str):
            raise invalid(
                f"JSON Value: {json_text.shown(document)} not formatted correctly. "
                "'signature_name' key must be a string value."
            )
        spec.signature_name = name.encode("utf-8", "replace").decode()
        return document

    def _describe(self, match):
        """Response with a model's status or metadata."""
        if not match["name"]:
            raise invalid("Missing model name in request.")
        spec = _model_spec(match)
        with self._service.recorded(spec.name, "", "REST"):
            if not match["metadata"]:
                request = get_model_status_pb2.GetModelStatusRequest(model_spec=spec)
                answer = json_answers.message(self._service.model_status(request))
            else:
                answer = self._metadata(spec)
        return json_response(json_text.encode_leniently(answer))

    def _metadata(self, spec):
        request = get_model_metadata_pb2.GetModelMetadataRequest(model_spec=spec)
        request.metadata_field.append("signature_def")
        response = self._service.metadata(request)
        signatures = get_model_metadata_pb2.SignatureDefMap()
        response.metadata["signature_def"].Unpack(signatures)
        return {
            "model_spec": json_answers.message(response.model_spec),
            "metadata": {"signature_def": json_answers.message(signatures)},
        }

    def _handle_other(self, request, path):
        reads = request.method in ("GET", "HEAD")
        if reads and path == self._metrics_path:
            return web.Response(text=self._service.metrics.page())
        if reads and path == "/":
            return page.response()
        if reads and path == "/models.json":
            available = self._service.manager.available().items()
            models = [{"name": name, "versions": versions} for name, versions in available]
            return json_response(json_text.encode({"models": models}))
        raise not_found(f"Not found: {request.method} {path}")


def _model_spec(match):
    spec = model_pb2.ModelSpec(name=_decoded(match["name"], "model name"))
    if match["version"]:
        if int(match["version"]) >= 2**63:
            raise invalid(f"Failed to convert version: {match['version']} to numeric.")
        spec.version.value = int(match["version"])
    elif match["label"]:
        spec.version_label = _decoded(match["label"], "model version label")
    return spec


def _decoded(text, what):
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError as error:
        raise invalid(f"Failed to decode {what}:{text}") from error


def _no_signature(name):
    return invalid(f'Serving signature name: "{name}" not found in signature def')


def _arrays(document, signature):
    """(dict of alias -> array, function that encodes the outputs in the request's format)."""
    if "instances" in document:
        if "inputs" in document:
            raise _badly(
                document,
                "Not formatted correctly expecting only one of 'inputs' or 'instances' keys to "
                "exist ",
            )
        instances = document["instances"]
        if not isinstance(instances, list):
            raise _badly(document, "Excepting 'instances' to be an list/array")
        if not instances:
            raise _badly(document, "No values in 'instances' array")
        inputs = _expected_inputs(signature, instances[0])
        return json_tensors.from_instances(instances, inputs), json_answers.predictions
    if "inputs" not in document:
        raise invalid("Missing 'inputs' or 'instances' key")
    inputs = _expected_inputs(signature, document["inputs"])
    return json_tensors.from_inputs(document["inputs"], inputs), json_answers.columns


def _expected_inputs(signature, values):
    """The signature's inputs, except missing ones that have a default."""
    sent = values if isinstance(values, dict) else ()
    defaults = signature.defaults
    return {a: info for a, info in signature.inputs.items() if a not in defaults or a in sent}


def _badly(document, text):
    return invalid(f"JSON Value: {json_text.shown(document)} {text}")


async def _send(request, response):
    await response.prepare(request)
    await response.write_eof()


def _refusal(error):
    response = json_response(json_answers.error(error.message), error.http_status)
    if error.http_status in (408, 413):
        response.force_close()  # do not wait for the rest of the body
    return response
