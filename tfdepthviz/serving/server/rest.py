"""HTTP API: TensorFlow Serving's predict, status, metadata and metrics; readiness, and the page.

The page gets its list of models from `GET /models.json`, which TensorFlow Serving lacks:
{"models": [{"name": "...", "versions": [1]}]}.
"""

import asyncio
import logging
import re
from urllib.parse import unquote

from aiohttp import web

from tfdepthviz.serving.server import bodies, page, rest_json
from tfdepthviz.serving.server.connections import json_response
from tfdepthviz.serving.server.status import invalid, not_found, of

_WHICH = r"(?P<name>[^/:]+)(?:/versions/(?P<number>\d+)|/labels/(?P<label>[^/:]+))?"
_PREDICT = re.compile(rf"/v1/models/{_WHICH}:predict", re.IGNORECASE | re.ASCII)
_STATUS = re.compile(rf"/v1/models/{_WHICH}(?P<metadata>/metadata)?", re.IGNORECASE | re.ASCII)


class Rest:
    """Answers HTTP requests; without a `metrics_path` there are no metrics."""

    def __init__(self, service, metrics_path, cors_origins):
        self._service, self._metrics_path, self._origins = service, metrics_path, cors_origins
        self._bodies = bodies.Bodies(service.limits)

    async def handle(self, request):
        """Answers one aiohttp request; returns the response once it has been sent."""
        connection = request.protocol
        try:
            connection.begin(request)
            response = await self._answer(request)
            self._allow_origin(request, response)
            await asyncio.wait_for(_send(request, response), self._service.limits.max_body_seconds)
        except ConnectionError:  # the client has left, and nobody reads this
            connection.force_close()
            response = web.Response(status=499)
        except asyncio.TimeoutError:
            # A client that never reads would keep its answer in memory for ever.
            if request.transport is not None:
                request.transport.abort()
        finally:
            connection.end()
        return response

    async def _answer(self, request):
        path = request.rel_url.raw_path
        try:
            if request.method == "OPTIONS" and self._origin(request):
                return _preflight()
            if path.lower().startswith("/v1/"):
                return await self._handle_v1(request, path)
            return self._handle_other(request, path)
        except ConnectionError:
            raise  # the client has left
        except Exception as error:
            known = of(error)
            if known.code == "INTERNAL" and known is not error:
                logging.exception("Internal error")
            return _refusal(known)

    async def _handle_v1(self, request, path):
        if request.method == "POST" and (match := _PREDICT.fullmatch(path)):
            return await self._predict(request, _which(match))
        if request.method == "GET" and (match := _STATUS.fullmatch(path)):
            return self._describe(_which(match), bool(match["metadata"]))
        if request.method == "GET" and path.lower() == "/v1/models":
            raise invalid("Missing model name in request.")
        raise invalid(f"Malformed request: {request.method} {path}")

    async def _predict(self, request, which):
        async def use(body):
            def read(version):
                plain = self._bodies.decompressed(request, body)
                return self._service.read_json(version, plain)

            waiting = request.protocol.waiting
            return await self._service.predict(which, request.remote, read, waiting)

        with self._service.recorded(which["name"], "predict", "REST"):
            if request.headers.get("Expect", "").lower() == "100-continue":
                self._bodies.check_head(request)
                await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                request.writer.output_size = 0
            return json_response(await self._bodies.use(request, use))

    def _describe(self, which, metadata):
        """Response with a model's status or metadata."""
        with self._service.recorded(which["name"], "", "REST"):
            if metadata:
                spec, signatures = map(rest_json.message, self._service.signatures(which))
                answer = {"model_spec": spec, "metadata": {"signature_def": signatures}}
            else:
                answer = rest_json.message(self._service.models.status(**which))
            return json_response(rest_json.encode(answer))

    def _handle_other(self, request, path):
        if request.method not in ("GET", "HEAD"):
            raise not_found(f"Not found: {request.method} {path}")
        if path == self._metrics_path:
            return web.Response(body=self._service.metrics.page(), content_type="text/plain")
        if path in ("/", "/sample.jpg"):
            return page.response() if path == "/" else page.sample()
        available = self._service.models.available()
        if path == "/ready":
            ready = any(available.values())
            return json_response(rest_json.encode({"ready": ready}), 200 if ready else 503)
        if path == "/models.json":
            models = [{"name": name, "versions": v} for name, v in available.items()]
            return json_response(rest_json.encode({"models": models}))
        raise not_found(f"Not found: {request.method} {path}")

    def _origin(self, request):
        origin = request.headers.get("Origin")
        return origin if origin in self._origins or (origin and "*" in self._origins) else None

    def _allow_origin(self, request, response):
        if origin := self._origin(request):
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Vary"] = "Origin"


def _which(match):
    """Arguments of `models.Models.use` for a path."""
    number = match["number"] and int(match["number"])
    if number and number >= 2**63:
        raise invalid(f"Failed to convert version: {number} to numeric.")
    return {"name": _decoded(match["name"]), "number": number, "label": _decoded(match["label"])}


def _decoded(text):
    try:
        return text and unquote(text, errors="strict")
    except UnicodeDecodeError as error:
        raise invalid(f"{text} in the path is not UTF-8") from error


def _preflight():
    allowed = {"Methods": "GET, POST", "Headers": "Content-Type, Content-Encoding"}
    headers = {f"Access-Control-Allow-{name}": value for name, value in allowed.items()}
    return web.Response(status=204, headers=headers)


async def _send(request, response):
    await response.prepare(request)
    await response.write_eof()


def _refusal(error):
    text = error.message.encode("utf-8", "replace").decode()
    response = json_response(rest_json.encode({"error": text}), error.http_status)
    if error.http_status in (408, 413, 415):
        response.force_close()  # do not wait for the rest of the body
    if error.http_status == 415:
        response.headers["Accept-Encoding"] = bodies.ENCODINGS
    if error.http_status in (429, 503):
        response.headers["Retry-After"] = "1"
    return response
