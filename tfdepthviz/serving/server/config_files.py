"""TensorFlow Serving's configuration files: models, batching and monitoring, in text format."""

import os

from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from tfdepthviz.serving.server.config_protos import BatchingParameters, MonitoringConfig
from tfdepthviz.serving.server.options import Batching
from tfdepthviz.serving.server.status import StatusError, invalid
from tfdepthviz.utils.errors import InputError

PROMETHEUS_PATH = "/monitoring/prometheus/metrics"
# The container of TensorFlow Serving mounts the folder of models here.
CONTAINER_ROOT = "/models"


def single_model(name, base_path):
    """ModelServerConfig of one model: its name, and the folder that holds its versions.

    Raises:
      InputError: the name is empty.
    """
    if not name:
        raise InputError("name: a model needs a name. Received: ''")
    config = model_server_config_pb2.ModelServerConfig()
    config.model_config_list.config.add(
        name=name, base_path=os.path.abspath(base_path), model_platform="tensorflow"
    )
    return config


def read_models(path):
    """A file of models -> ModelServerConfig with absolute base paths.

    A relative base path is relative to the file. On machines without a folder /models, a base path
    in /models means the file's folder, which the container mounts as /models.

    Raises:
      InputError: the file cannot be read, is no ModelServerConfig, or asks for something that this
        server does not support.
    """
    config = _parse(path, model_server_config_pb2.ModelServerConfig())
    folder = os.path.dirname(os.path.abspath(path))
    for model in config.model_config_list.config:
        model.base_path = _located(model.base_path, folder)
    try:
        check_models(config)
    except StatusError as error:
        raise InputError(f"{path}: {error.message}") from error
    return config


def check_models(config):
    """Checks a ModelServerConfig.

    Raises:
      StatusError: it asks for something that this server or TensorFlow Serving cannot do.
    """
    if config.WhichOneof("config") != "model_config_list":
        raise invalid("expected a model_config_list; nothing else is supported")
    seen = set()
    for model in config.model_config_list.config:
        if not model.name:
            raise invalid("every model in model_config_list must have a name")
        if model.name in seen:
            raise invalid(f"Illegal to list model {model.name} multiple times in config list")
        seen.add(model.name)
        _check_model(model)


def _check_model(model):
    if not os.path.isabs(model.base_path):
        raise invalid(
            f"Expected model {model.name} to have an absolute path; got base_path()="
            f"{model.base_path}"
        )
    if not model.model_platform and not model.model_type:
        raise invalid(
            f"Illegal setting neither model_type(deprecated) nor model_platform of {model.name}: "
            'model_platform must be "tensorflow"'
        )
    if model.model_platform not in ("", "tensorflow") or model.model_type not in (0, 1):
        raise invalid(f"Model {model.name} requests unsupported platform {model.model_platform}")
    if model.HasField("logging_config"):
        raise invalid(f"Model {model.name}: logging_config is not supported, nothing is logged")
    specific = model.model_version_policy
    if specific.WhichOneof("policy_choice") == "specific" and not specific.specific.versions:
        raise invalid(f"Model {model.name}: the policy `specific` must list versions")


def read_batching(path):
    """A file of batching parameters -> `Batching`.

    Raises:
      InputError: the file cannot be read, has unknown fields, or impossible values.
    """
    message = _parse(path, BatchingParameters())
    values = {
        field.name: tuple(value) if field.name == "allowed_batch_sizes" else value.value
        for field, value in message.ListFields()
    }
    batching = Batching(**values)
    for name in ("max_batch_size", "max_enqueued_batches", "num_batch_threads"):
        if getattr(batching, name) < 1:
            _refuse(path, f"{name} must be at least 1. Received: {getattr(batching, name)}")
    if batching.batch_timeout_micros < 0:
        _refuse(
            path,
            f"batch_timeout_micros must be at least 0. Received: {batching.batch_timeout_micros}",
        )
    sizes = batching.allowed_batch_sizes
    if sizes and (list(sizes) != sorted(set(sizes)) or sizes[0] < 1):
        _refuse(path, f"allowed_batch_sizes must be increasing. Received: {list(sizes)}")
    if sizes and sizes[-1] != batching.max_batch_size:
        _refuse(
            path,
            f"the last of allowed_batch_sizes must equal max_batch_size, {batching.max_batch_size}."
            f" Received: {sizes[-1]}",
        )
    return batching


def read_monitoring(path):
    """A file of monitoring settings -> path of the metrics, or None if they are not enabled.

    Raises:
      InputError: the file cannot be read, has unknown fields, or an impossible path.
    """
    config = _parse(path, MonitoringConfig()).prometheus_config
    if config.path and not config.path.startswith("/"):
        raise InputError(f"{path}: path must start with /. Received: {config.path!r}")
    return (config.path or PROMETHEUS_PATH) if config.enable else None


def _refuse(path, text):
    raise InputError(f"{path}: {text}")


def _parse(path, message):
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise InputError(f"{path}: cannot be read ({reason})") from error
    try:
        return text_format.Parse(text, message)
    except text_format.ParseError as error:
        what = message.DESCRIPTOR.name
        raise InputError(f"{path}: is no {what} ({error})") from error


def _located(base_path, folder):
    if base_path.startswith(CONTAINER_ROOT + "/") and not os.path.isdir(CONTAINER_ROOT):
        return os.path.join(folder, base_path.removeprefix(CONTAINER_ROOT + "/"))
    return os.path.normpath(os.path.join(folder, base_path)) if base_path else base_path
