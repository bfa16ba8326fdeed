"""Configuration files: the project's own, and every mistake that a file can hold."""

import pathlib

import pytest
from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from tfdepthviz.serving.server import config_files, config_protos
from tfdepthviz.utils.errors import InputError

SAVEDMODELS = pathlib.Path(__file__).resolve().parents[3] / "savedmodels"


def test_models_of_the_project(tmp_path):
    """As TensorFlow Serving reads it, and as the embedded server does."""
    path = SAVEDMODELS / "models.config"
    there = text_format.Parse(path.read_text("utf-8"), model_server_config_pb2.ModelServerConfig())
    (model,) = there.model_config_list.config
    assert model.base_path == f"/models/{model.name}"
    assert not model.version_labels  # TensorFlow Serving would not start
    config_files.check_models(there)
    (here,) = config_files.read_models(path).model_config_list.config
    expected = SAVEDMODELS / model.name
    assert here.base_path == str(expected) or pathlib.Path("/models").is_dir()


def test_batching_of_the_project():
    path = SAVEDMODELS / "batching.config"
    message = text_format.Parse(path.read_text("utf-8"), config_protos.BatchingParameters())
    batching = config_files.read_batching(path)
    for name in ("max_batch_size", "batch_timeout_micros", "num_batch_threads"):
        assert getattr(batching, name) == getattr(message, name).value > 0
    assert batching.allowed_batch_sizes == tuple(message.allowed_batch_sizes)
    assert batching.allowed_batch_sizes[-1] == batching.max_batch_size


def test_monitoring_of_the_project():
    path = SAVEDMODELS / "monitoring.config"
    assert config_files.read_monitoring(path) == "/monitoring/prometheus/metrics"


def test_base_paths(tmp_path, monkeypatch):
    """Absolute, relative to the file, and in the container's /models."""
    monkeypatch.setattr(config_files, "CONTAINER_ROOT", str(tmp_path / "nowhere"))
    paths = {"/elsewhere/a": "/elsewhere/a", "b/c": f"{tmp_path}/b/c", "./d": f"{tmp_path}/d"}
    paths[f"{tmp_path}/nowhere/e"] = f"{tmp_path}/e"
    lines = [
        f'config {{ name: "{i}" base_path: "{path}" model_platform: "tensorflow" }}'
        for i, path in enumerate(paths)
    ]
    file = tmp_path / "models.config"
    file.write_text(f"model_config_list {{ {' '.join(lines)} }}")
    models = config_files.read_models(file).model_config_list.config
    assert [model.base_path for model in models] == list(paths.values())
    (tmp_path / "nowhere").mkdir()
    models = config_files.read_models(file).model_config_list.config
    assert models[3].base_path == f"{tmp_path}/nowhere/e"


def test_defaults_of_batching(tmp_path):
    (tmp_path / "empty").write_text("")
    assert config_files.read_batching(tmp_path / "empty") == config_files.Batching()
    (tmp_path / "name").write_text('thread_pool_name { value: "mine" }')
    assert config_files.read_batching(tmp_path / "name").thread_pool_name == "mine"


MODEL = 'model_config_list {{ config {{ name: "a" base_path: "/b" {} }} }}'
MISTAKES = [
    ("models", "", "expected a model_config_list"),
    ("models", "custom_model_config {}", "expected a model_config_list"),
    ("models", "nonsense", "is no ModelServerConfig (1:"),
    ("models", MODEL.format(""), "neither model_type(deprecated) nor model_platform"),
    ("models", MODEL.format('model_platform: "tensorflow" basepath: "c"'), '"basepath"'),
    (
        "models",
        MODEL.format('model_platform: "tensorflow" logging_config {}'),
        "logging_config is not supported",
    ),
    (
        "models",
        MODEL.format('model_platform: "tensorflow" model_version_policy { specific {} }'),
        "the policy `specific` must list versions",
    ),
    ("batching", "max_batch_size: 3", "is no BatchingParameters (1:"),
    ("batching", "max_batchsize { value: 3 }", '"max_batchsize"'),
    ("batching", "max_batch_size { value: 0 }", "max_batch_size must be at least 1. Received: 0"),
    ("batching", "num_batch_threads { value: -1 }", "num_batch_threads must be at least 1"),
    ("batching", "batch_timeout_micros { value: -1 }", "batch_timeout_micros must be at least 0"),
    ("batching", "allowed_batch_sizes: [4, 2]", "allowed_batch_sizes must be increasing"),
    (
        "batching",
        "max_batch_size { value: 8 } allowed_batch_sizes: [2, 4]",
        "the last of allowed_batch_sizes must equal max_batch_size, 8. Received: 4",
    ),
    ("monitoring", "prometheus { enable: true }", '"prometheus"'),
    ("monitoring", 'prometheus_config { path: "x" }', "path must start with /. Received: 'x'"),
]


@pytest.mark.parametrize("kind, text, message", MISTAKES)
def test_mistakes(tmp_path, kind, text, message):
    file = tmp_path / "file"
    file.write_text(text)
    with pytest.raises(InputError) as caught:
        getattr(config_files, f"read_{kind}")(file)
    assert message in str(caught.value) and str(caught.value).startswith(f"{file}: ")


@pytest.mark.parametrize("kind", ["models", "batching", "monitoring"])
def test_unreadable_files(tmp_path, kind):
    read = getattr(config_files, f"read_{kind}")
    with pytest.raises(InputError, match="cannot be read .No such file"):
        read(tmp_path / "nowhere")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="cannot be read .it is not text"):
        read(tmp_path / "binary")


def test_metrics_not_enabled(tmp_path):
    (tmp_path / "off").write_text('prometheus_config { path: "/x" }')
    assert config_files.read_monitoring(tmp_path / "off") is None
    (tmp_path / "on").write_text("prometheus_config { enable: true }")
    assert config_files.read_monitoring(tmp_path / "on") == config_files.PROMETHEUS_PATH
