"""Connections of HTTP: aiohttp's, with a time limit for headers, and half-closed ones answered."""

import asyncio
import logging

from aiohttp import web

from tfdepthviz.serving.server import rest_json

_CONNECTIONS = 512  # at a time: each costs a file descriptor, even an idle one
_KEEP_ALIVE_SECONDS = 75  # until an idle connection is closed
_PROBE_SECONDS = 0.1


class HttpServer(web.Server):
    """web.Server of such connections; its handler calls their `begin` and `end`."""

    def __init__(self, handler, max_header_seconds):
        super().__init__(handler, handler_cancellation=True)
        self.max_header_seconds = max_header_seconds

    def __call__(self):
        return Connection(
            self,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=_KEEP_ALIVE_SECONDS,
            # Seconds to read the rest of a refused body, so that its sender sees the answer.
            lingering_time=1,
            access_log=None,
            logger=logging.getLogger("tfdepthviz.serving"),
            auto_decompress=False,
        )


class Connection(web.RequestHandler):
    """One client's connection."""

    def __init__(self, server, **options):
        super().__init__(server, **options)
        self._server, self._deadline = server, None
        self._request = self._body = None
        self._partial = self._waiting = self._half_closed = False

    def begin(self, request):
        """The headers of a request have arrived."""
        self._request, self._body, self._partial = request, request.content, False
        self._stop_deadline()
        if self._half_closed and not self._body.is_eof():
            raise ConnectionResetError("the body never ends")

    def end(self):
        """The request has been answered."""
        self._request = None
        if self._half_closed:
            self.close()

    def waiting(self, waits):
        """Work of the request waits for its turn, or no longer does."""
        self._waiting = waits
        if waits and self._half_closed:
            self._probe()

    def connection_made(self, transport):
        super().connection_made(transport)
        if len(self._server.connections) > _CONNECTIONS:
            self._refuse("503 Service Unavailable", f"{_CONNECTIONS} connections are open")
        else:
            self._start_deadline()

    def data_received(self, data):
        super().data_received(data)
        # Other data is a request's body, or the rest of a refused one.
        if self._request is None and (self._body is None or self._body.is_eof()):
            self._partial = True
            if self._deadline is None:
                self._start_deadline()

    def eof_received(self):
        """The client sends no more; it may still wait for its answer, or be gone."""
        self._half_closed = True
        if self._request is None:
            # A request that has just arrived begins within this time; else nothing is to be done.
            asyncio.get_running_loop().call_later(_PROBE_SECONDS, self._close_if_idle)
        elif not self._body.is_eof():
            return False  # an upload that was broken off
        elif self._waiting:
            self._probe()
        return True

    def connection_lost(self, exc):
        self._stop_deadline()
        super().connection_lost(exc)

    def handle_error(self, request, status=500, exc=None, message=None):
        """Response to errors that aiohttp detects, such as a malformed request."""
        if request.writer.output_size:
            raise ConnectionError("an answer has begun already")
        text = message or (str(exc) if exc and status < 500 else "Internal error")
        if status >= 500:
            self.log_exception("Error handling request", exc_info=exc)
        response = json_response(rest_json.encode({"error": text}), status)
        response.force_close()
        return response

    def _probe(self, pause=_PROBE_SECONDS):
        """Finds out whether a half-closed client is gone, for whom no work should begin.

        A client that has gone answers an interim response by a reset; others skip it.
        """
        if self._waiting and self.transport is not None:
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            asyncio.get_running_loop().call_later(pause, self._probe, 2 * pause)

    def _close_if_idle(self):
        if self._request is None:
            self.force_close()

    def _start_deadline(self):
        seconds = self._server.max_header_seconds
        self._deadline = asyncio.get_running_loop().call_later(seconds, self._too_slow)

    def _stop_deadline(self):
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self):
        self._deadline = None
        if self._partial and self._request is None:
            seconds = self._server.max_header_seconds
            self._refuse(
                "408 Request Timeout",
                f"headers took longer than {seconds:g} s to arrive (max_header_seconds)",
            )
        self._close_if_idle()

    def _refuse(self, status, text):
        """Answers and closes a connection that has no request yet."""
        body = rest_json.encode({"error": text})
        head = (
            f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n"
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
