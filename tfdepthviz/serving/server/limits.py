"""Enforcement of the limits: memory, threads and bodies of the requests under way."""

import asyncio
import concurrent.futures
import contextlib
import threading

from aiohttp import web

from tfdepthviz.serving.server.status import StatusError, invalid

# Parsed requests may together take this many times the largest body in memory.
_MEMORY = 24
# Bodies being received or worked on may together be as large as this many of the largest.
_BODIES = 4


class Memory:
    """Bytes that requests under way take once they are parsed; threads may share it.

    A body of JSON grows to thirty times its size, and a message of a few bytes may stand for a huge
    tensor. The size of bodies alone says little about memory.

    Args:
      limits: `options.Limits`.
    """

    def __init__(self, limits):
        self._total = _MEMORY * limits.max_body_bytes
        self._held, self._lock = 0, threading.Lock()

    @contextlib.contextmanager
    def hold(self, count):
        """Counts bytes for as long as the context lasts.

        Raises:
          StatusError: RESOURCE_EXHAUSTED: too much together with others, or alone (413).
        """
        if count > self._total:
            raise StatusError(
                "RESOURCE_EXHAUSTED",
                f"request would take about {count} bytes of memory, more than {self._total} "
                f"({_MEMORY} times max_body_bytes)",
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
    """Threads for work that would block the event loop, one for each request under way.

    Used from one event loop only.

    Args:
      limit: number of threads.
    """

    def __init__(self, limit):
        self._limit, self._busy = limit, 0
        self._pool = concurrent.futures.ThreadPoolExecutor(limit, "request")

    async def run(self, function, *args):
        """function(*args) in a thread.

        Raises:
          StatusError: RESOURCE_EXHAUSTED: all threads are busy.
          Exception: whatever the function raises.
        """
        if self._busy >= self._limit:
            raise StatusError(
                "RESOURCE_EXHAUSTED",
                f"{self._limit} requests are under way, which is the limit "
                "(max_concurrent_requests)",
            )
        self._busy += 1
        work = asyncio.get_running_loop().run_in_executor(self._pool, function, *args)
        work.add_done_callback(self._finish)
        # A client that leaves ends the waiting, not the thread, which counts until it is done.
        return await asyncio.shield(work)

    @property
    def busy(self):
        return self._busy

    def close(self):
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _finish(self, work):
        self._busy -= 1
        if not work.cancelled():
            work.exception()  # read it: asyncio reports exceptions that are never read


class _Count:
    bytes = 0


class Bodies:
    """Reads bodies of HTTP requests within the limits. Used from one event loop only.

    Args:
      limits: `options.Limits`.
    """

    def __init__(self, limits):
        self._limits = limits
        self._held = 0

    async def read(self, request, use):
        """Reads the body and passes it to a coroutine function; the body counts until that returns.

        Args:
          request: aiohttp request.
          use: coroutine function of the body, bytes.
        Returns:
          whatever `use` returns.
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
                "(max_body_seconds)",
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
        """Refuses a Content-Length that is too large before any of the body is read."""
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
            f"body must have at most {self._limits.max_body_bytes} bytes (max_body_bytes). "
            f"Received: {received}",
            http_status=413,
        )
