"""Life of the embedded server: starting, listening, serving until a signal, draining, stopping.

One event loop talks to the clients. Threads parse requests, run the graph and load models.
"""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import threading

import grpc
import tensorflow as tf
from aiohttp import web
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from tfdepthviz.serving.server import config
from tfdepthviz.serving.server.connections import HttpServer
from tfdepthviz.serving.server.grpc_api import MODEL, PREDICTION, add_services
from tfdepthviz.serving.server.metrics import Metrics
from tfdepthviz.serving.server.models import Models
from tfdepthviz.serving.server.rest import Rest
from tfdepthviz.serving.server.saved_model import SavedModel
from tfdepthviz.serving.server.service import Service
from tfdepthviz.serving.server.turns import Turns
from tfdepthviz.serving.server.warmup import warm_up
from tfdepthviz.utils.errors import InputError


class Server:
    """Serves models from `start` to `stop`, both in the same event loop."""

    def __init__(self, options):
        self._options = options
        self._metrics_path = config.read_monitoring(options.monitoring_config_file)
        self.metrics = Metrics()
        self.models = Models(
            config.read_models(options),
            self._load,
            poll_seconds=options.poll_seconds,
            retries=options.load_retries,
            retry_seconds=options.retry_seconds,
        )
        self._grpc = self._http = self._watching = self.service = None

    async def start(self):
        """Loads the versions on the disk, then listens."""
        options = self._options
        try:
            await asyncio.to_thread(self.models.start)
            failures = self.models.failures()
            none_serves = len(failures) == len(self.models.names())
            if none_serves and not options.allow_start_without_model:
                name = "model_config_file" if options.model_config_file else "model_base_path"
                raise InputError(
                    f"{name}={getattr(options, name)}: nothing can be served: "
                    f"{'; '.join(failures)} (allow_start_without_model waits for versions)"
                )
            for failure in failures:
                logging.warning("%s", failure)
            self.service = Service(self.models, Turns(), self.metrics, options.limits)
            self.grpc_address = await self._start_grpc()
            self.rest_address = await self._start_http()
        except BaseException:
            await self.stop()
            raise

    async def stop(self):
        """Stops accepting, drains, and unloads; returns whether all work finished in time."""
        if self._watching:
            self._watching.cancel()
        stopping = []
        seconds = self._options.drain_seconds
        if self._grpc:
            stopping.append(self._grpc.stop(seconds))
        if self._http:
            stopping.append(self._http.cleanup())
        await asyncio.gather(*stopping)
        idle = True
        if self.service:
            idle = not self.service.turns.busy
            self.service.close()
        return await asyncio.to_thread(self.models.stop, seconds) and idle

    async def _start_grpc(self):
        settings = [
            ("grpc.max_receive_message_length", self._options.limits.max_body_bytes),
            ("grpc.max_send_message_length", -1),
            ("grpc.so_reuseport", 0),  # otherwise a second server would quietly share the port
        ]
        self._grpc = grpc.aio.server(options=settings)
        add_services(self._grpc, self.service)
        servicer = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(servicer, self._grpc)
        self._watching = asyncio.create_task(self._watch_health(servicer))
        host, port = self._options.host, self._options.port
        with _refusals("port", host, port):
            # gRPC writes the reason to standard error only; a socket raises it.
            with socket.create_server((host, port), family=_family(host)):
                pass
            bound = self._grpc.add_insecure_port(_address(host, port))
        await self._grpc.start()
        return _address(host, bound)

    async def _watch_health(self, servicer):
        states = health_pb2.HealthCheckResponse
        while True:
            ready = any(self.models.available().values())
            for name in ("", PREDICTION, MODEL):
                await servicer.set(name, states.SERVING if ready else states.NOT_SERVING)
            await asyncio.sleep(max(0.1, self._options.poll_seconds))

    async def _start_http(self):
        options = self._options
        rest = Rest(self.service, self._metrics_path, options.cors_origins)
        server = HttpServer(rest.handle, options.limits.max_header_seconds)
        self._http = web.ServerRunner(server, shutdown_timeout=options.drain_seconds)
        await self._http.setup()
        host, port = options.host, options.rest_api_port
        with _refusals("rest_api_port", host, port):
            await web.TCPSite(self._http, host, port).start()
        return _address(host, self._http.addresses[0][1])

    def _load(self, path):
        """The model in a version's folder, warmed up; the `load` of `models.Models`."""
        model = SavedModel(path)
        warm_up(model, path, self._options.limits)
        return model


def serve(options, announce):
    """As `server.serve`."""
    for gpu in tf.config.list_physical_devices("GPU"):
        # Take memory as needed, not all of it for the first model.
        tf.config.experimental.set_memory_growth(gpu, True)
    return asyncio.run(_serve(options, announce))


async def _serve(options, announce):
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
        if announce:
            announce(server)
        await waiting
        return await server.stop()
    finally:
        waiting.cancel()


@contextlib.contextmanager
def running(options):
    """As `server.running`."""
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
