"""Bodies of HTTP requests: read within limits of size and time, and decompressed."""

import asyncio
import zlib

from aiohttp import web

from tfdepthviz.serving.server.status import StatusError, invalid, too_large

ENCODINGS = "gzip, deflate, identity"
# Bodies under way may together be as large as this many of the largest.
_BODIES = 4


class Bodies:
    """Reads bodies within `options.Limits`. Used from one event loop only."""

    def __init__(self, limits):
        self._limits, self._held = limits, 0

    async def use(self, request, function):
        """Reads the body as sent, and awaits function(body); the body counts until that returns."""
        self.check_head(request)
        counted = [0]
        try:
            collecting = self._collect(request.content, counted)
            body = await asyncio.wait_for(collecting, self._limits.max_body_seconds)
            return await function(body)
        except asyncio.TimeoutError as error:
            seconds = f"{self._limits.max_body_seconds:g} s"
            message = f"the body took longer than {seconds} to arrive (max_body_seconds)"
            raise StatusError("DEADLINE_EXCEEDED", message, http_status=408) from error
        except web.RequestPayloadError as error:
            raise invalid(f"the body is broken: {error}") from error
        finally:
            self._held -= counted[0]

    def decompressed(self, request, body):
        """The body without its Content-Encoding; this may take long."""
        encoding = _encoding(request)
        if encoding == "identity":
            return body
        unpack = zlib.decompressobj(wbits=47)  # gzip or zlib, by the header
        try:
            plain = unpack.decompress(body, self._limits.max_body_bytes + 1)
        except zlib.error as error:
            raise invalid(f"the body is no {encoding} data ({error})") from error
        if len(plain) > self._limits.max_body_bytes:
            raise self._too_large("more after decompression")
        if not unpack.eof or unpack.unused_data:
            raise invalid(f"the body must be one complete piece of {encoding} data")
        return plain

    def check_head(self, request):
        """Refuses what the headers already say, before any of the body is read."""
        if _encoding(request) not in ENCODINGS.split(", "):
            message = f"Content-Encoding must be one of {ENCODINGS}. Received: {_encoding(request)}"
            raise StatusError("INVALID_ARGUMENT", message, http_status=415)
        length = request.content_length
        if length is not None and length > self._limits.max_body_bytes:
            raise self._too_large(f"{length} bytes")

    async def _collect(self, content, counted):
        chunks = []
        async for chunk in content.iter_any():
            counted[0] += len(chunk)
            self._held += len(chunk)
            if counted[0] > self._limits.max_body_bytes:
                raise self._too_large("more")
            if self._held > _BODIES * self._limits.max_body_bytes:
                raise StatusError("RESOURCE_EXHAUSTED", "too many bytes of requests are under way")
            chunks.append(chunk)
        return b"".join(chunks)

    def _too_large(self, received):
        most = f"{self._limits.max_body_bytes} bytes (max_body_bytes)"
        return too_large(f"the body must have at most {most}. Received: {received}")


def _encoding(request):
    return request.headers.get("Content-Encoding", "identity").strip().lower() or "identity"
