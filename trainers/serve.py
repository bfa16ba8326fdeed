"""Serves SavedModels as TensorFlow Serving does, where there are no containers.

    python -m trainers.serve --model_name=my_masks --model_base_path=savedmodels/my_masks

prints one line with both addresses when it is ready. The flags are those of tensorflow_model_server
and a limit or two more; REST and gRPC, their errors included, are TensorFlow Serving's. It listens
on loopback unless --host says otherwise, and knows no passwords. SIGTERM and Ctrl-C let requests
that are under way finish. Needs the extra: pip install -e ".[serving]". --help lists the flags.
"""

import asyncio
import logging
import os
import sys

from tfdepthviz.utils.errors import InputError
from trainers.cli import flags


def run(
    *,
    model_name="default",
    model_base_path=None,
    model_config_file=None,
    host="127.0.0.1",
    port=8500,
    rest_api_port=8501,
    file_system_poll_wait_seconds=1,
    max_num_load_retries=5,
    load_retry_interval_micros=60_000_000,
    enable_batching=False,
    batching_parameters_file=None,
    monitoring_config_file=None,
    max_body_bytes=64 * 2**20,
    max_header_seconds=10.0,
    max_body_seconds=60.0,
    max_json_depth=64,
    max_image_pixels=50_000_000,
    max_concurrent_requests=128,
    drain_seconds=30.0,
):
    """Serves until a signal ends it."""
    try:
        from tfdepthviz.serving.server import config_files, server
        from tfdepthviz.serving.server.limits import Limits
    except ImportError as error:
        raise InputError(
            f"serve needs {error.name}, which the extra `serving` installs "
            '(pip install -e ".[serving]")'
        ) from error
    if bool(model_config_file) == bool(model_base_path):
        raise InputError("give either --model_base_path or --model_config_file")
    if batching_parameters_file and not enable_batching:
        raise InputError("--batching_parameters_file: needs --enable_batching")
    if model_config_file:
        models = config_files.read_models(model_config_file)
    else:
        models = config_files.single_model(model_name, model_base_path)
    batching = None
    if enable_batching:
        given = batching_parameters_file
        batching = config_files.read_batching(given) if given else config_files.Batching()
    options = server.Options(
        models=models,
        host=host,
        port=port,
        rest_api_port=rest_api_port,
        poll_seconds=file_system_poll_wait_seconds,
        load_retries=max_num_load_retries,
        retry_seconds=load_retry_interval_micros / 1e6,
        batching=batching,
        metrics_path=monitoring_config_file
        and config_files.read_monitoring(monitoring_config_file),
        limits=Limits(
            max_body_bytes=max_body_bytes,
            max_header_seconds=max_header_seconds,
            max_body_seconds=max_body_seconds,
            max_json_depth=max_json_depth,
            max_image_pixels=max_image_pixels,
            max_concurrent_requests=max_concurrent_requests,
        ),
        drain_seconds=drain_seconds,
    )
    # The loader that sessions need is called deprecated at each use.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    if not asyncio.run(server.serve(options, _announce)):
        # A run of a graph cannot be interrupted, and would keep the process from ending.
        print("stopped with work under way", file=sys.stderr, flush=True)
        os._exit(0)


def _announce(server):
    rest, grpc = server.rest_address, server.grpc_address
    print(f"ready: http://{rest}/ (REST and a page), {grpc} (gRPC)", flush=True)


if __name__ == "__main__":
    flags.main(run)
