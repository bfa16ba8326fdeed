"""Serves SavedModels as TensorFlow Serving does, where there are no containers.

    python -m trainers.serve --model_name=my_masks --model_base_path=savedmodels/my_masks

prints one line with both addresses when it is ready. It takes the flags of tensorflow_model_server
and a few limits of its own. Its REST and gRPC APIs are TensorFlow Serving's, errors included. It
listens on loopback unless --host says otherwise, and checks no passwords. SIGTERM and Ctrl-C let
requests under way finish. Needs the extra: pip install -e ".[serving]". --help lists the flags.
"""

import asyncio
import logging
import os
import sys

from tfdepthviz.serving import server
from tfdepthviz.serving.server import Batching, Limits, Options
from tfdepthviz.utils.errors import InputError
from trainers.cli import flags


def run(
    *,
    model_name="default",
    model_base_path=None,
    model_config_file=None,
    host=Options.host,
    port=Options.port,
    rest_api_port=Options.rest_api_port,
    file_system_poll_wait_seconds=Options.poll_seconds,
    max_num_load_retries=Options.load_retries,
    load_retry_interval_micros=int(Options.retry_seconds * 1_000_000),
    enable_batching=False,
    batching_parameters_file=None,
    monitoring_config_file=None,
    limits=Limits(),
    drain_seconds=Options.drain_seconds,
):
    """Serves until a signal ends it."""
    _check_extra()
    if bool(model_config_file) == bool(model_base_path):
        raise InputError("give either --model_base_path or --model_config_file")
    if batching_parameters_file and not enable_batching:
        raise InputError("--batching_parameters_file: needs --enable_batching")
    if model_base_path and not model_name:
        raise InputError("--model_name: needs a name")
    models = _read("model_config_file", server.read_models, model_config_file)
    batching = _read("batching_parameters_file", server.read_batching, batching_parameters_file)
    options = Options(
        models=models or server.single_model(model_name, model_base_path),
        host=host,
        port=port,
        rest_api_port=rest_api_port,
        poll_seconds=file_system_poll_wait_seconds,
        load_retries=max_num_load_retries,
        retry_seconds=load_retry_interval_micros / 1e6,
        batching=batching or (Batching() if enable_batching else None),
        metrics_path=_read(
            "monitoring_config_file", server.read_monitoring, monitoring_config_file
        ),
        limits=limits,
        drain_seconds=drain_seconds,
    )
    # The loader that sessions need is called deprecated at each use.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    try:
        all_finished = asyncio.run(server.serve(options, _announce))
    except InputError as error:  # it begins with port or rest_api_port, which are flags here
        raise InputError(f"--{error}") from error
    if not all_finished:
        # A run of a graph cannot be interrupted, and would keep the process from ending.
        print("stopped with work under way", file=sys.stderr, flush=True)
        os._exit(0)


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
    flags.main(run)
