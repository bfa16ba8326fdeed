"""Options of the embedded server: models, addresses, batching and limits, with every default.

The standard library is enough here: the command `trainers.serve` reads its defaults from these
classes, whether or not the extra `serving` is installed.
"""

import dataclasses
import os

# Runs of graphs at a time, without batching. More than the cores gain nothing but take memory.
RUNS_AT_ONCE = max(2, os.cpu_count() or 2)


@dataclasses.dataclass(frozen=True)
class Limits:
    """Limits on what clients may send and how long they may take.

    Args:
      max_body_bytes: bytes of a request's body or message.
      max_header_seconds: seconds in which the headers of a request must arrive.
      max_body_seconds: seconds in which a body must arrive, and in which a client must take its
        answer.
      max_json_depth: lists and objects of JSON that may be nested.
      max_image_pixels: pixels of all images of a request, by their headers, before decoding.
      max_concurrent_requests: requests under way at a time.
    """

    max_body_bytes: int = 64 * 2**20
    max_header_seconds: float = 10.0
    max_body_seconds: float = 60.0
    max_json_depth: int = 64
    max_image_pixels: int = 50_000_000
    max_concurrent_requests: int = 128


@dataclasses.dataclass(frozen=True)
class Batching:
    """How requests are joined into batches: TensorFlow Serving's parameters and defaults."""

    max_batch_size: int = 1000
    batch_timeout_micros: int = 0
    max_enqueued_batches: int = 10
    num_batch_threads: int = os.cpu_count() or 1
    thread_pool_name: str = "batch_threads"
    allowed_batch_sizes: tuple = ()


@dataclasses.dataclass(frozen=True)
class Options:
    """What to serve, and where.

    Args:
      models: ModelServerConfig with absolute base paths, as `single_model` and `read_models` give.
      host: address to listen on.
      port: port of gRPC; 0 takes a free one.
      rest_api_port: port of REST and of the page; 0 takes a free one.
      poll_seconds: seconds between two looks for new versions; 0 looks once.
      load_retries: attempts to load a version after a failed one.
      retry_seconds: seconds between two attempts.
      batching: `Batching`; None: requests are not joined.
      metrics_path: path of the metrics; None: there are none.
      limits: `Limits`.
      drain_seconds: how long the server, when it stops, waits for requests that are under way.
    """

    models: object
    host: str = "127.0.0.1"
    port: int = 8500
    rest_api_port: int = 8501
    poll_seconds: float = 1
    load_retries: int = 5
    retry_seconds: float = 60.0
    batching: Batching | None = None
    metrics_path: str | None = None
    limits: Limits = Limits()
    drain_seconds: float = 30.0
