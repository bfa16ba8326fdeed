"""Life of the embedded server: starting, listening, serving until a signal, draining, stopping.

One event loop talks to the clients. Threads parse JSON, run the graph and load models.
"""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
import threading
import time

import grpc
from aiohttp import web

from tfdepthviz.serving.server import warmup
from tfdepthviz.serving.server.batching import BatchedModel, Scheduler
from tfdepthviz.serving.server.grpc_services import Unparsed, add_services
from tfdepthviz.serving.server.http_connection import HttpServer
from tfdepthviz.serving.server.limits import Workers
from tfdepthviz.serving.server.manager import Manager
from tfdepthviz.serving.server.monitoring import Metrics
from tfdepthviz.serving.server.options import RUNS_AT_ONCE
from tfdepthviz.serving.server.rest import Rest
from tfdepthviz.serving.server.saved_model import SavedModel
from tfdepthviz.serving.server.service import Service
from tfdepthviz.serving.server.status import of
from tfdepthviz.utils.errors import InputError

# An idle connection is closed after this time.
_KEEP_ALIVE_SECONDS = 75


class Server:
    """Serves models from `start` to `stop`, both in the same event loop.

    Args:
      options: `options.Options`.
    Attributes:
      grpc_address, rest_address: "host:port", once started.
      manager: `manager.Manager`.
    """

    def __init__(self, options):
        self._options = options
        self.metrics = Metrics()
        self._at_once = threading.BoundedSemaphore(RUNS_AT_ONCE)
        self._scheduler = options.batching and Scheduler(options.batching, self.metrics)
        self.manager = Manager(
            options.models,
            self._load,
            poll_seconds=options.poll_seconds,
            retries=options.load_retries,
            retry_seconds=options.retry_seconds,
        )
        self._service = Service(self.manager, self.metrics, options.limits)
        self._grpc = self._http = self._workers = None

    async def start(self):
        """Loads the versions on the disk, then listens.

        Raises:
          InputError: an address cannot be listened on.
        """
        try:
            await asyncio.to_thread(self.manager.start)
            self._workers = Workers(self._options.limits.max_concurrent_requests)
            self.grpc_address = await self._start_grpc()
            self.rest_address = await self._start_http()
        except BaseException:
            await self.stop()
            raise

    async def stop(self):
        """Stops accepting, gives requests under way `drain_seconds` to finish, and unloads.

        Returns:
          bool, whether all requests finished.
        """
        stopping = []
        if self._grpc:
            stopping.append(self._grpc.stop(self._options.drain_seconds))
        if self._http:
            stopping.append(self._http.cleanup())
        await asyncio.gather(*stopping)
        if self._workers:
            self._workers.close()
            if self._workers.busy:
                return False
        await asyncio.to_thread(self.manager.stop)
        if self._scheduler:
            await asyncio.to_thread(self._scheduler.stop)
        return True

    async def _start_grpc(self):
        limit = self._options.limits.max_body_bytes
        self._grpc = grpc.aio.server(
            interceptors=[Unparsed()],
            options=[
                ("grpc.max_receive_message_length", limit),
                ("grpc.max_send_message_length", -1),
                # Otherwise a second server would quietly share the port.
                ("grpc.so_reuseport", 0),
            ],
        )
        add_services(self._grpc, self._service, self._workers)
        host, port = self._options.host, self._options.port
        with _refusals("port", host, port):
            # gRPC writes the reason to standard error only; a socket raises it.
            with socket.create_server((host, port), family=_family(host)):
                pass
            bound = self._grpc.add_insecure_port(_address(host, port))
        await self._grpc.start()
        return _address(host, bound)

    async def _start_http(self):
        limits = self._options.limits
        rest = Rest(self._service, self._workers, self._options.metrics_path)
        server = HttpServer(
            rest.handle,
            limits.max_header_seconds,
            keepalive_timeout=_KEEP_ALIVE_SECONDS,
            # Seconds to read the rest of a refused body, so that its sender sees the answer.
            lingering_time=1,
            access_log=None,
            logger=logging.getLogger("tfdepthviz.serving"),
        )
        self._http = web.ServerRunner(server, shutdown_timeout=self._options.drain_seconds)
        await self._http.setup()
        host, port = self._options.host, self._options.rest_api_port
        with _refusals("rest_api_port", host, port):
            await web.TCPSite(self._http, host, port).start()
        return _address(host, self._http.addresses[0][1])

    def _load(self, path):
        """The model in a version's folder, warmed up; the `load` of `manager.Manager`."""
        begun, status = time.perf_counter(), "fail"
        try:
            model = SavedModel(path, None if self._scheduler else self._at_once)
            status = "success"
        finally:
            elapsed = (time.perf_counter() - begun) * 1e6
            self.metrics.record("cc:saved_model:load_attempt_count", 1, path, status)
            self.metrics.record("cc:saved_model:load_latency", elapsed, path)
        begun, status = time.perf_counter(), "OK"
        try:
            count = warmup.warm_up(model, path)
        except BaseException as error:
            model.close()
            count, status = 1, of(error).code
            raise
        finally:
            elapsed = (time.perf_counter() - begun) * 1e6
            if count:
                self.metrics.record("serving:model_warmup_latency", elapsed, path, status)
        return BatchedModel(model, self._scheduler) if self._scheduler else model


async def serve(options, announce):
    """Serves until SIGTERM or SIGINT, then drains.

    Args:
      options: `Options`.
      announce: function that is called with the `Server` once it is ready.
    Returns:
      bool, whether all requests under way finished.
    """
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    server = Server(options)
    starting = asyncio.create_task(server.start())
    waiting = asyncio.create_task(stopped.wait())
    await asyncio.wait({starting, waiting}, return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():  # a load cannot be interrupted
        return False
    try:
        starting.result()
        # TensorFlow's own objects live as long as the process. While JSON makes lists by the
        # thousand, collecting garbage among them took three quarters of the time of parsing.
        gc.freeze()
        announce(server)
        await waiting
        return await server.stop()
    finally:
        waiting.cancel()


@contextlib.contextmanager
def running(options):
    """A server in a thread of this process, for as long as the context lasts.

    Args:
      options: `options.Options`.
    Returns:
      context manager of the started `Server`.
    """
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="server", daemon=True)
    thread.start()

    def wait_for(coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result()

    try:
        server = Server(options)
        wait_for(server.start())
        try:
            yield server
        finally:
            wait_for(server.stop())
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _address(host, port):
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _family(host):
    return socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][0]


@contextlib.contextmanager
def _refusals(name, host, port):
    try:
        yield
    except (OSError, RuntimeError) as error:
        # asyncio and gRPC wrap the system's words in their own.
        known = isinstance(error, OSError) and not isinstance(error, socket.gaierror)
        reason = os.strerror(error.errno) if known and error.errno else error
        raise InputError(f"{name}={port}: cannot listen on {host} ({reason})") from error
