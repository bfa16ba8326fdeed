"""Flags of trainers.serve: tensorflow_model_server's flags under their names, and limits."""

import functools
import math

from absl import flags

_port = functools.partial(flags.DEFINE_integer, lower_bound=0, upper_bound=65535)
_count = functools.partial(flags.DEFINE_integer, lower_bound=0)
_positive = functools.partial(flags.DEFINE_integer, lower_bound=1)


def _seconds(name, default, text):
    flags.DEFINE_float(name, default, text, lower_bound=0.1, upper_bound=86400.0)
    # NaN passes every bound.
    flags.register_validator(name, lambda v: v is None or not math.isnan(v), "expected a number")


SERVING = {
    "model_name": (flags.DEFINE_string, "Name of the model under --model_base_path."),
    "model_base_path": (flags.DEFINE_string, "Folder of a model's versions, such as FOLDER/1."),
    "model_config_file": (
        flags.DEFINE_string,
        "Several models: text ModelServerConfig. Relative base paths are relative to the file. On "
        "machines without a folder /models, /models means the file's folder, as in the container.",
    ),
    "host": (flags.DEFINE_string, "Address to listen on; 0.0.0.0 lets other machines in."),
    "port": (_port, "Port of gRPC; 0 takes a free one."),
    "rest_api_port": (_port, "Port of REST and of the page; 0 takes a free one."),
    "file_system_poll_wait_seconds": (
        _count,
        "Seconds between looks for new versions; 0 looks once.",
    ),
    "max_num_load_retries": (_count, "Attempts to load a version after a failed one."),
    "load_retry_interval_micros": (_count, "Microseconds between attempts to load a version."),
    "enable_batching": (flags.DEFINE_bool, "Join compatible requests into batches."),
    "batching_parameters_file": (
        flags.DEFINE_string,
        "Batch settings: text BatchingParameters.",
    ),
    "monitoring_config_file": (flags.DEFINE_string, "Prometheus metrics: text MonitoringConfig."),
    # Limits, which tensorflow_model_server does not have
    "max_body_bytes": (_positive, "Bytes of a request's body or message."),
    "max_header_seconds": (_seconds, "Seconds in which the headers of a request must arrive."),
    "max_body_seconds": (
        _seconds,
        "Seconds in which a body must arrive, and in which a client must take its answer.",
    ),
    "max_json_depth": (_positive, "Lists and objects of JSON that may be nested."),
    "max_image_pixels": (
        _positive,
        "Pixels of all images of a request, by their headers, before any image is decoded.",
    ),
    "max_concurrent_requests": (
        _positive,
        "Requests under way at a time; more are refused (429, RESOURCE_EXHAUSTED).",
    ),
    "drain_seconds": (
        _seconds,
        "Seconds for requests under way to finish after SIGTERM or Ctrl-C.",
    ),
}
