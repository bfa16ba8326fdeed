"""Serves SavedModels on a laptop, in tests, and where there are no containers.

    python -m trainers.serve --model_name=my_masks --model_base_path=savedmodels/my_masks

prints one line with both addresses once a model serves. Its REST and gRPC APIs are the Predict part
of TensorFlow Serving's, with a page for the browser; in production, use TensorFlow Serving with the
files in savedmodels/ (docs/serving.md). It listens on loopback unless --host says otherwise, and
checks no passwords. SIGTERM and Ctrl-C let requests under way finish. Needs the extra:
pip install "tfdepthviz[serving]".
"""

import dataclasses
import os
import sys

from tfdepthviz.serving import server
from tfdepthviz.utils.errors import InputError
from trainers.cli import flag_types
from trainers.cli.flags import flag, main

Limits, Defaults = server.Limits, server.Options


@dataclasses.dataclass(frozen=True)
class LimitFlags:
    """Limits on requests."""

    max_body_bytes: int = flag(
        Limits.max_body_bytes,
        "Bytes of a request's body or message, after decompression.",
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
    max_image_pixels: int = flag(
        Limits.max_image_pixels,
        "Pixels of all images of a request, by their headers, before any image is decoded.",
        flag_types.positive_integer,
    )
    max_images: int = flag(
        Limits.max_images,
        "Images of a request; each takes the memory of a pass through the networks.",
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
    host: str = flag(Defaults.host, "Address to listen on; 0.0.0.0 lets other machines in.")
    port: int = flag(Defaults.port, "Port of gRPC; 0 takes a free one.", flag_types.port)
    rest_api_port: int = flag(
        Defaults.rest_api_port,
        "Port of REST and of the page; 0 takes a free one.",
        flag_types.port,
    )
    allow_start_without_model: bool = flag(
        False, "Start although no version can be served yet.", flag_types.switch
    )
    monitoring_config_file: str | None = flag(None, "Prometheus metrics: text MonitoringConfig.")
    cors_origins: tuple = flag(
        (), "Origins of web pages that may ask, such as https://a.org; * for all.", flag_types.names
    )
    file_system_poll_wait_seconds: int = flag(
        Defaults.poll_seconds,
        "Seconds between looks for new versions; 0 looks once.",
        flag_types.whole_number,
    )
    max_num_load_retries: int = flag(
        Defaults.load_retries,
        "Attempts to load a version after a failed one.",
        flag_types.whole_number,
    )
    load_retry_interval_micros: int = flag(
        int(Defaults.retry_seconds * 1_000_000),
        "Microseconds between attempts to load a version.",
        flag_types.whole_number,
    )
    drain_seconds: float = flag(
        Defaults.drain_seconds,
        "Seconds for requests under way to finish after SIGTERM or Ctrl-C.",
        flag_types.seconds,
    )
    limits: LimitFlags = LimitFlags()


def run(options):
    """Serves until a signal ends it."""
    if bool(options.model_config_file) == bool(options.model_base_path):
        raise InputError("give either --model_base_path or --model_config_file")
    try:
        all_finished = server.serve(_server_options(options), _announce)
    except ImportError as error:
        raise InputError(
            f"serve needs {error.name}, which the extra `serving` installs "
            '(pip install "tfdepthviz[serving]")'
        ) from error
    except InputError as error:  # it begins with the name of an option, which is a flag here
        raise InputError(f"--{error}") from error
    if not all_finished:
        # A run of a graph cannot be interrupted, and would keep the process from ending.
        print("stopped with work under way", file=sys.stderr, flush=True)
        os._exit(0)


def _server_options(options):
    """The options that `server.serve` takes."""
    return server.Options(
        model_name=options.model_name,
        model_base_path=options.model_base_path,
        model_config_file=options.model_config_file,
        host=options.host,
        port=options.port,
        rest_api_port=options.rest_api_port,
        allow_start_without_model=options.allow_start_without_model,
        poll_seconds=options.file_system_poll_wait_seconds,
        load_retries=options.max_num_load_retries,
        retry_seconds=options.load_retry_interval_micros / 1e6,
        monitoring_config_file=options.monitoring_config_file,
        cors_origins=tuple(options.cors_origins),
        limits=Limits(**dataclasses.asdict(options.limits)),
        drain_seconds=options.drain_seconds,
    )


def _announce(started):
    rest, grpc = started.rest_address, started.grpc_address
    print(f"ready: http://{rest}/ (REST and a page), {grpc} (gRPC)", flush=True)


if __name__ == "__main__":
    main(run, Options)
