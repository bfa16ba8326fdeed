"""aiohttp's HTTP server with two additions: a time limit for headers, and errors as JSON."""

import asyncio

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from tfdepthviz.serving.server import json_answers

# Connections at a time. Each costs a file descriptor, even an idle one, and those are few.
_CONNECTIONS = 512


class HttpServer(web.Server):
    """web.Server whose connections must send their headers in time.

    Args:
      handler: coroutine function, request -> response.
      max_header_seconds: seconds from a request's first byte, or from connecting, to its last
        header.
    """

    def __init__(self, handler, max_header_seconds, **options):
        super().__init__(handler, **options)
        self.max_header_seconds = max_header_seconds
        self._options = options

    def __call__(self):
        return _Connection(self, loop=asyncio.get_running_loop(), **self._options)


class _Connection(RequestHandler):
    __slots__ = ("_deadline", "_server", "_partial", "_body")

    def __init__(self, server, **options):
        super().__init__(server, **options)
        self._server, self._deadline, self._partial = server, None, False
        self._body = None  # of the latest request

    def connection_made(self, transport):
        super().connection_made(transport)
        if len(self._server.connections) > _CONNECTIONS:
            self._refuse(503, f"{_CONNECTIONS} connections are open, which is the limit")
            return
        self._expect_headers()

    def data_received(self, data):
        super().data_received(data)
        if self._messages:
            self._body = self._messages[-1][1]
        if self._messages or self._current_request is not None:
            self._stop_waiting()
        elif data and (self._body is None or self._body.is_eof()):
            # Other data is the rest of a refused body: no headers are due.
            self._partial = True
            self._expect_headers()

    def connection_lost(self, exc):
        self._stop_waiting()
        super().connection_lost(exc)

    def handle_error(self, request, status=500, exc=None, message=None):
        """Response to errors that aiohttp detects, such as a malformed request."""
        if request.writer.output_size:
            raise ConnectionError("an answer has begun already")
        text = message or (str(exc) if exc and status < 500 else "Internal error")
        if status >= 500:
            self.log_exception("Error handling request", exc_info=exc)
        response = json_response(json_answers.error(text), status)
        response.force_close()
        return response

    def _expect_headers(self):
        if self._deadline is None:
            seconds = self._server.max_header_seconds
            loop = asyncio.get_running_loop()
            self._deadline = loop.call_later(seconds, self._too_slow)

    def _stop_waiting(self):
        self._partial = False
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self):
        self._deadline = None
        if self._partial:
            seconds = self._server.max_header_seconds
            self._refuse(
                408, f"headers took longer than {seconds:g} s to arrive (max_header_seconds)"
            )
        else:
            self.force_close()

    def _refuse(self, status, text):
        """Answers and closes a connection that has no request yet."""
        reason = {408: "Request Timeout", 503: "Service Unavailable"}[status]
        body = json_answers.error(text)
        head = (
            f"HTTP/1.1 {status} {reason}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        if self.transport is not None:
            self.transport.write(head.encode() + body)
        self.force_close()


def json_response(body, status=200):
    """aiohttp response of encoded JSON."""
    return web.Response(
        body=body,
        status=status,
        content_type="application/json",
        headers={"X-Content-Type-Options": "nosniff"},
    )
