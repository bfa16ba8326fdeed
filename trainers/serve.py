"""Serves SavedModels as TensorFlow Serving does, where there are no containers.

    python -m trainers.serve --model_name=my_masks --model_base_path=savedmodels/my_masks

prints one line with both addresses when it is ready. It takes the flags of tensorflow_model_server
and a few limits of its own. Its REST and gRPC APIs are TensorFlow Serving's, errors included. It
listens on loopback unless --host says otherwise, and checks no passwords. SIGTERM and Ctrl-C let
requests under way finish. Needs the extra: pip install -e ".[serving]".
"""

import asyncio
import dataclasses
import logging
import os
import sys

from tfdepthviz.serving import server
from tfdepthviz.serving.server import Batching, Limits
from tfdepthviz.serving.server import Options as ServerOptions
from tfdepthviz.utils.errors import InputError
from trainers.cli import flag_types
from trainers.cli.flags import flag, main


@dataclasses.dataclass(frozen=True)
class LimitFlags:
    """Limits, which tensorflow_model_server does not have."""

    max_body_bytes: int = flag(
        Limits.max_body_bytes,
        "Bytes of a request's body or message.",
        flag_types.positive_integer,
    )
    max_header_seconds: float = flag(
        Limits.max_header_seconds,
        "Seconds in which the headers of a request must arrive.",
        flag_types.seconds,
    )
    max_body_seconds: float = flag(
        Limits.max_body_seconds,
        "Seconds in which a body must arrive, and in which a client must take its answer.",
        flag_types.seconds,
    )
    max_json_depth: int = flag(
        Limits.max_json_depth,
        "Lists and objects of JSON that may be nested.",
        flag_types.positive_integer,
    )
    max_image_pixels: int = flag(
        Limits.max_image_pixels,
        "Pixels of all images of a request, by their headers, before any image is decoded.",
        flag_types.positive_integer,
    )
    max_concurrent_requests: int = flag(
        Limits.max_concurrent_requests,
        "Requests under way at a time; more are refused (429, RESOURCE_EXHAUSTED).",
        flag_types.positive_integer,
    )


@dataclasses.dataclass(frozen=True)
class Options:
    """Server."""

    model_name: str = flag("default", "Name of the model under --model_base_path.")
    model_base_path: str | None = flag(None, "Folder of a model's versions, such as FOLDER/1.")
    model_config_file: str | None = flag(
        None,
        "Several models: text ModelServerConfig. Relative base paths are relative to the file. On "
        "machines without a folder /models, /models means the file's folder, as in the container.",
    )
    host: str = flag(ServerOptions.host, "Address to listen on; 0.0.0.0 lets other machines in.")
    port: int = flag(ServerOptions.port, "Port of gRPC; 0 takes a free one.", flag_types.port)
    rest_api_port: int = flag(
        ServerOptions.rest_api_port,
        "Port of REST and of the page; 0 takes a free one.",
        flag_types.port,
    )
    enable_batching: bool = flag(False, "Join compatible requests into batches.", flag_types.switch)
    batching_parameters_file: str | None = flag(None, "Batch settings: text BatchingParameters.")
    monitoring_config_file: str | None = flag(None, "Prometheus metrics: text MonitoringConfig.")
    file_system_poll_wait_seconds: int = flag(
        ServerOptions.poll_seconds,
        "Seconds between looks for new versions; 0 looks once.",
        flag_types.whole_number,
    )
    max_num_load_retries: int = flag(
        ServerOptions.load_retries,
        "Attempts to load a version after a failed one.",
        flag_types.whole_number,
    )
    load_retry_interval_micros: int = flag(
        int(ServerOptions.retry_seconds * 1_000_000),
        "Microseconds between attempts to load a version.",
        flag_types.whole_number,
    )
    drain_seconds: float = flag(
        ServerOptions.drain_seconds,
        "Seconds for requests under way to finish after SIGTERM or Ctrl-C.",
        flag_types.seconds,
    )
    limits: LimitFlags = LimitFlags()


def run(options):
    """Serves until a signal ends it."""
    _check_extra()
    _check(options)
    server_options = _server_options(options)
    # The loader that sessions need is called deprecated at each use.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    try:
        all_finished = asyncio.run(server.serve(server_options, _announce))
    except InputError as error:  # it begins with port or rest_api_port, which are flags here
        raise InputError(f"--{error}") from error
    if not all_finished:
        # A run of a graph cannot be interrupted, and would keep the process from ending.
        print("stopped with work under way", file=sys.stderr, flush=True)
        os._exit(0)


def _check(options):
    """Raises InputError where flags contradict each other."""
    if bool(options.model_config_file) == bool(options.model_base_path):
        raise InputError("give either --model_base_path or --model_config_file")
    if options.batching_parameters_file and not options.enable_batching:
        raise InputError("--batching_parameters_file: needs --enable_batching")
    if options.model_base_path and not options.model_name:
        raise InputError("--model_name: needs a name")


def _server_options(options):
    """The options that `server.serve` takes."""
    models = _read("model_config_file", server.read_models, options.model_config_file)
    batching = _read(
        "batching_parameters_file", server.read_batching, options.batching_parameters_file
    )
    return ServerOptions(
        models=models or server.single_model(options.model_name, options.model_base_path),
        host=options.host,
        port=options.port,
        rest_api_port=options.rest_api_port,
        poll_seconds=options.file_system_poll_wait_seconds,
        load_retries=options.max_num_load_retries,
        retry_seconds=options.load_retry_interval_micros / 1e6,
        batching=batching or (Batching() if options.enable_batching else None),
        metrics_path=_read(
            "monitoring_config_file", server.read_monitoring, options.monitoring_config_file
        ),
        limits=Limits(**dataclasses.asdict(options.limits)),
        drain_seconds=options.drain_seconds,
    )


def _check_extra():
    try:
        server.serve  # noqa: B018 - asking for it imports what the extra installs
    except ImportError as error:
        raise InputError(
            f"serve needs {error.name}, which the extra `serving` installs "
            '(pip install -e ".[serving]")'
        ) from error


def _read(flag, read, path):
    """The contents of a flag's file, None without one. Errors begin with the path."""
    if not path:
        return None
    try:
        return read(path)
    except InputError as error:
        raise InputError(f"--{flag}={error}") from error


def _announce(started):
    rest, grpc = started.rest_address, started.grpc_address
    print(f"ready: http://{rest}/ (REST and a page), {grpc} (gRPC)", flush=True)


if __name__ == "__main__":
    main(run, Options)
