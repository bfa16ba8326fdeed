"""Options of the embedded server: models, addresses and limits, with every default."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Limits:
    """Limits on what clients may send and how long they may take.

    Args:
      max_body_bytes: bytes of a request's body or message, after decompression.
      max_header_seconds: seconds in which the headers of a request must arrive.
      max_body_seconds: seconds in which a body must arrive, and in which a client must take its
        answer.
      max_image_pixels: pixels of all images of a request, by their headers, before decoding.
      max_images: images of a request. Each takes the memory of one pass through the network,
        however small its file is.
      max_concurrent_requests: requests under way at a time; more are refused.
    """

    max_body_bytes: int = 64 * 2**20
    max_header_seconds: float = 10.0
    max_body_seconds: float = 60.0
    max_image_pixels: int = 50_000_000
    max_images: int = 32
    max_concurrent_requests: int = 128


@dataclasses.dataclass(frozen=True)
class Options:
    """What to serve, and where.

    Args:
      model_name: name of the model in `model_base_path`.
      model_base_path: folder of a model's versions, such as FOLDER/1. Either this or:
      model_config_file: file of several models, a ModelServerConfig as text.
      host: address to listen on.
      port: port of gRPC; 0 takes a free one.
      rest_api_port: port of REST and of the page; 0 takes a free one.
      allow_start_without_model: whether to start although no version can be served yet.
      poll_seconds: seconds between two looks for new versions; 0 looks once.
      load_retries: attempts to load a version after a failed one.
      retry_seconds: seconds between two attempts.
      monitoring_config_file: file that switches metrics on, a MonitoringConfig as text.
      cors_origins: origins of web pages that may ask this server, such as "https://example.org";
        "*" stands for all.
      limits: `Limits`.
      drain_seconds: how long the server, when it stops, waits for requests that are under way.
    """

    model_name: str = "default"
    model_base_path: str | None = None
    model_config_file: str | None = None
    host: str = "127.0.0.1"
    port: int = 8500
    rest_api_port: int = 8501
    allow_start_without_model: bool = False
    poll_seconds: float = 1
    load_retries: int = 5
    retry_seconds: float = 60.0
    monitoring_config_file: str | None = None
    cors_origins: tuple = ()
    limits: Limits = Limits()
    drain_seconds: float = 30.0
