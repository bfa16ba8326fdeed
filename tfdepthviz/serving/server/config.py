"""Configuration: which models to serve, from options or from TensorFlow Serving's text files."""

import dataclasses
import os
import re

from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from tfdepthviz.utils.errors import InputError

PROMETHEUS_PATH = "/monitoring/prometheus/metrics"
# The container of TensorFlow Serving mounts the folder of models here.
CONTAINER_ROOT = "/models"
# The only form of a MonitoringConfig, whose message no Python package has.
_MONITORING = re.compile(
    r"prometheus_config\s*:?\s*\{\s*enable\s*:\s*(true|false)"
    r'(?:\s*path\s*:\s*"(/[^"\n]*)")?\s*\}'
)


@dataclasses.dataclass(frozen=True)
class Model:
    """One model: the absolute path of its versions, ServableVersionPolicy, label -> version."""

    name: str
    base_path: str
    policy: object
    labels: dict


def read_models(options):
    """dict of name -> `Model`; InputError if the options name no folder of versions."""
    if options.model_config_file:
        return _from_file(options.model_config_file)
    if not options.model_base_path:
        raise InputError("model_base_path: needs the folder of a model's versions")
    if not options.model_name:
        raise InputError("model_name: needs a name")
    check_base_path(options.model_base_path, f"model_base_path={options.model_base_path}")
    config = model_server_config_pb2.ModelConfig(
        name=options.model_name, base_path=os.path.abspath(options.model_base_path)
    )
    return {config.name: _model(config)}


def check_base_path(path, where):
    """Refuses what cannot become a folder of versions, and says what to give."""
    if path.startswith("~"):
        home = path.replace("~/", "$HOME/", 1)
        raise InputError(f"{where}: ~ is not expanded here; give the whole path, such as {home}")
    if "://" in path:
        raise InputError(f"{where}: is an address; copy the model here and give its folder")
    if os.path.isfile(path):
        raise InputError(
            f"{where}: is a file; give the folder that holds version folders such as 1/, as "
            "export_savedmodel writes it"
        )
    if os.path.isfile(os.path.join(path, "saved_model.pb")):
        folder, name = os.path.split(os.path.normpath(path))
        if name.isdecimal():
            raise InputError(
                f"{where}: is the folder of one version; give the one above, {folder or '.'}"
            )
        raise InputError(
            f"{where}: is a SavedModel itself; put it into a version folder such as "
            f"{os.path.join(path, '1')}"
        )


def read_monitoring(path):
    """A file of monitoring settings -> path of the metrics, or None if they are off."""
    if not path:
        return None
    where = f"monitoring_config_file={path}"
    match = _MONITORING.fullmatch(re.sub(r"#.*", "", _read(path, where)).strip())
    if not match:
        raise InputError(
            f'{where}: must hold prometheus_config {{ enable: true path: "/metrics" }}'
        )
    return (match[2] or PROMETHEUS_PATH) if match[1] == "true" else None


def _from_file(path):
    where = f"model_config_file={path}"
    config = model_server_config_pb2.ModelServerConfig()
    try:
        text_format.Parse(_read(path, where), config)
    except text_format.ParseError as error:
        raise InputError(f"{where}: is no ModelServerConfig ({error})") from error
    folder, models = os.path.dirname(os.path.abspath(path)), {}
    for entry in config.model_config_list.config:
        if not entry.name or not entry.base_path or entry.name in models:
            raise InputError(f"{where}: each model needs a name of its own, and a base_path")
        if entry.model_platform not in ("", "tensorflow"):
            raise InputError(f"{where}: model {entry.name}: model_platform must be tensorflow")
        check_base_path(entry.base_path, f"{where}: model {entry.name}: {entry.base_path}")
        entry.base_path = _located(entry.base_path, folder)
        check_base_path(entry.base_path, f"{where}: model {entry.name}: {entry.base_path}")
        models[entry.name] = _model(entry)
    if not models:
        raise InputError(f"{where}: lists no model in a model_config_list")
    return models


def _model(config):
    return Model(
        config.name, config.base_path, config.model_version_policy, dict(config.version_labels)
    )


def _read(path, where):
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise InputError(f"{where}: cannot be read ({reason})") from error


def _located(base_path, folder):
    """Absolute path; relative to the file, which /models means where there is no such folder."""
    if base_path.startswith(CONTAINER_ROOT + "/") and not os.path.isdir(CONTAINER_ROOT):
        base_path = base_path.removeprefix(CONTAINER_ROOT + "/")
    return os.path.normpath(os.path.join(folder, base_path))
