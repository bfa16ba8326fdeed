"""What one client may ask of the server: bytes, time, depth, pixels, requests at a time."""

import asyncio
import concurrent.futures
import contextlib
import dataclasses
import threading

from aiohttp import web

from tfdepthviz.serving.server.status import StatusError, invalid

# What requests become in memory, together, is at most this many times the largest body.
_MEMORY = 24
# Bodies that are being received or worked on may together be as large as this many of the largest.
_BODIES = 4


@dataclasses.dataclass(frozen=True)
class Limits:
    """The limits; each is a flag of the same name."""

    max_body_bytes: int = 64 * 2**20
    max_header_seconds: float = 10.0
    max_body_seconds: float = 60.0
    max_json_depth: int = 64
    max_image_pixels: int = 50_000_000
    max_concurrent_requests: int = 128


class Memory:
    """Bytes that requests under way take once they are read; threads may share it.

    A body of JSON grows to thirty times its size, and a message of a few bytes may stand for a huge
    tensor: bodies alone say little about memory.

    Args:
      limits: `Limits`.
    """

    def __init__(self, limits):
        self._total = _MEMORY * limits.max_body_bytes
        self._held, self._lock = 0, threading.Lock()

    @contextlib.contextmanager
    def hold(self, count):
        """Counts bytes for as long as the context lasts.

        Raises:
          StatusError: RESOURCE_EXHAUSTED, it is too much with what others hold, or alone (413).
        """
        if count > self._total:
            raise StatusError(
                "RESOURCE_EXHAUSTED",
                f"request would take about {count} bytes of memory, more than {self._total} "
                f"({_MEMORY} times --max_body_bytes)",
                http_status=413,
            )
        with self._lock:
            if self._held + count > self._total:
                raise StatusError(
                    "RESOURCE_EXHAUSTED",
                    "requests under way take too much memory; try again later",
                )
            self._held += count
        try:
            yield
        finally:
            with self._lock:
                self._held -= count


class Workers:
    """Threads that do what would hold up the event loop; no more requests than threads.

    Used from one event loop only.
    """

    def __init__(self, limit):
        self._limit, self._busy = limit, 0
        self._pool = concurrent.futures.ThreadPoolExecutor(limit, "request")

    async def run(self, function, *args):
        """function(*args) in a thread.

        Raises:
          StatusError: RESOURCE_EXHAUSTED, if all threads are busy; or what the function raises.
        """
        if self._busy >= self._limit:
            raise StatusError(
                "RESOURCE_EXHAUSTED",
                f"{self._limit} requests are under way, which is the limit "
                "(--max_concurrent_requests)",
            )
        self._busy += 1
        work = asyncio.get_running_loop().run_in_executor(self._pool, function, *args)
        work.add_done_callback(self._finish)
        # A client that goes away ends the waiting, not the thread: it counts until it is done.
        return await asyncio.shield(work)

    @property
    def busy(self):
        return self._busy

    def close(self):
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _finish(self, work):
        self._busy -= 1
        if not work.cancelled():
            work.exception()  # looked at, so that asyncio does not report it where nobody waits


class _Count:
    bytes = 0


class Bodies:
    """Reads bodies of HTTP requests within the limits. Used from one event loop only."""

    def __init__(self, limits):
        self._limits = limits
        self._held = 0

    async def read(self, request, use):
        """Reads the body and gives it to a coroutine function; it counts until that returns.

        Raises:
          StatusError: too large (413), too slow (408), or too many bodies at once (429).
        """
        counted = _Count()
        try:
            reading = self._collect(request.content, counted)
            body = await asyncio.wait_for(reading, self._limits.max_body_seconds)
            return await use(body)
        except asyncio.TimeoutError as error:
            raise StatusError(
                "DEADLINE_EXCEEDED",
                f"body took longer than {self._limits.max_body_seconds:g} s to arrive "
                "(--max_body_seconds)",
                http_status=408,
            ) from error
        except web.RequestPayloadError as error:
            raise invalid(f"body is broken: {error}") from error
        finally:
            self._held -= counted.bytes

    async def _collect(self, content, counted):
        chunks = []
        async for chunk in content.iter_any():
            counted.bytes += len(chunk)
            self._held += len(chunk)
            self._check(counted.bytes)
            chunks.append(chunk)
        return b"".join(chunks)

    def check_stated(self, length):
        """Refuses a Content-Length before anything of the body is read."""
        if length is not None and length > self._limits.max_body_bytes:
            raise self._too_large(f"{length} bytes")

    def _check(self, held):
        if held > self._limits.max_body_bytes:
            raise self._too_large("more")
        if self._held > _BODIES * self._limits.max_body_bytes:
            raise StatusError(
                "RESOURCE_EXHAUSTED",
                "too many bytes of requests are under way; try again later",
            )

    def _too_large(self, received):
        return StatusError(
            "INVALID_ARGUMENT",
            f"body must have at most {self._limits.max_body_bytes} bytes (--max_body_bytes). "
            f"Received: {received}",
            http_status=413,
        )
