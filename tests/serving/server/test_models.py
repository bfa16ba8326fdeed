"""Models: versions come and go while requests run. Each version adds its own number."""

import contextlib
import os
import pathlib
import re
import shutil
import threading
import time

import numpy as np
import pytest
import toy_savedmodels
from grpc_health.v1 import health_pb2, health_pb2_grpc
from serving_clients import config_of, predict_request, started, wait_until

from tfdepthviz.serving.server import Options, config, running
from tfdepthviz.utils.errors import InputError

POLLING = {"poll_seconds": 0.05, "load_retries": 0, "retry_seconds": 0.05}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Folder of versions 1 to 3, to copy from."""
    folder = tmp_path_factory.mktemp("made")
    for number in (1, 2, 3):
        toy_savedmodels.save_affine(folder / str(number), addend=float(number))
    return folder


@pytest.fixture
def publish(made, tmp_path):
    """Function that publishes versions the right way: copied under another name, then renamed."""

    def do(*numbers, name="toy"):
        base = tmp_path / name
        base.mkdir(exist_ok=True)
        for number in numbers:
            shutil.copytree(made / str(number), base / ".part")
            os.rename(base / ".part", base / str(number))
        return base

    return do


def publish_broken(base, number):
    folder = base / str(number)
    folder.mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"no such thing")


def answering(client, where="toy", default=None):
    """The number of the version that answers."""
    status, answer = client.post(f"/v1/models/{where}:predict", {"instances": [0.0]})
    return answer["predictions"][0] if status == 200 else default


def available(client, name="toy"):
    return {n for n, (state, _) in client.states(name).items() if state == "AVAILABLE"}


@contextlib.contextmanager
def load_on(client, threads=4):
    """Clients that send requests all the time, by REST and gRPC; yields the list of answers."""
    answers, stop = [], threading.Event()

    def by_rest():
        while not stop.is_set():
            answers.append(client.post("/v1/models/toy:predict", {"instances": [0.0] * 50}))

    def by_grpc():
        while not stop.is_set():
            response = client.predictions.Predict(predict_request("toy", x=np.zeros(5, "float32")))
            answers.append((200, {"predictions": list(response.outputs["y"].float_val)}))

    pool = [threading.Thread(target=by_rest) for _ in range(threads - 1)]
    pool.append(threading.Thread(target=by_grpc))
    for thread in pool:
        thread.start()
    try:
        yield answers
    finally:
        stop.set()
        for thread in pool:
            thread.join()


def test_new_version_drops_no_request(publish):
    with started({"toy": publish(1)}, **POLLING) as client, load_on(client) as answers:
        wait_until(lambda: len(answers) > 20)
        publish(2)
        wait_until(lambda: client.states("toy") == {2: ("AVAILABLE", ""), 1: ("END", "")})
        publish(3)
        wait_until(lambda: available(client) == {3} and client.states("toy")[2][0] == "END")
        count = len(answers)
        wait_until(lambda: len(answers) > count + 20)
    assert {status for status, _ in answers} == {200}
    for _, answer in answers:
        # No answer mixes two versions.
        assert set(answer["predictions"]) in ({1.0}, {2.0}, {3.0})
    assert {answer["predictions"][0] for _, answer in answers} == {1.0, 2.0, 3.0}


def test_broken_version_leaves_the_old_one(publish):
    base = publish(1)
    with started({"toy": base}, **POLLING) as client:
        publish_broken(base, 2)
        wait_until(lambda: client.states("toy").get(2, ("",))[0] == "END")
        assert client.states("toy")[2][1].endswith("saved_model.pb: is damaged")
        assert available(client) == {1} and answering(client) == 1.0
        # A version without a model, whose files come later.
        (base / "3").mkdir()
        wait_until(lambda: client.states("toy").get(3, ("",))[0] == "END")
        assert "has no saved_model.pb" in client.states("toy")[3][1]
        shutil.copytree(publish(3, name="elsewhere") / "3", base / "3", dirs_exist_ok=True)
        wait_until(lambda: answering(client) == 3.0)
        wait_until(lambda: available(client) == {3})


def test_failed_load_is_retried(publish, made, tmp_path):
    """A version whose variables arrive after its graph, inside a folder that stays the same."""
    base = publish(1)
    retries = {"load_retries": 0, "poll_seconds": 0.05, "allow_start_without_model": True}
    variables = base / "1" / "saved_model.pb"
    whole = variables.read_bytes()
    variables.write_bytes(whole[: len(whole) // 2])
    with started({"toy": base}, **retries) as client:
        assert client.states("toy")[1][0] == "END" and answering(client) is None
        assert client.get("/ready") == (503, {"ready": False})
        health = health_pb2_grpc.HealthStub(client.channel)
        states = health_pb2.HealthCheckResponse
        check = health_pb2.HealthCheckRequest()
        assert health.Check(check).status == states.NOT_SERVING
        variables.write_bytes(whole)
        wait_until(lambda: answering(client) == 1.0)
        assert client.states("toy") == {1: ("AVAILABLE", "")}
        assert client.get("/ready") == (200, {"ready": True})
        wait_until(lambda: health.Check(check).status == states.SERVING)


def test_base_path_comes_and_goes(publish, tmp_path):
    with started({"toy": tmp_path / "toy"}, **POLLING, allow_start_without_model=True) as client:
        status, answer = client.get("/v1/models/toy")
        assert (status, answer["error"]) == (404, "Could not find any versions of model toy")
        base = publish(1)
        wait_until(lambda: answering(client) == 1.0)
        os.rename(base, tmp_path / "away")
        time.sleep(0.3)  # some polls
        assert answering(client) == 1.0
        os.rename(tmp_path / "away", base)
        publish(2)
        wait_until(lambda: answering(client) == 2.0)


def test_rollback_by_removing_a_version(publish):
    base = publish(1, 2)
    with started({"toy": base}, **POLLING) as client:
        assert answering(client) == 2.0 and set(client.states("toy")) == {2}
        shutil.rmtree(base / "2")
        wait_until(lambda: answering(client) == 1.0)
        wait_until(lambda: client.states("toy")[2][0] == "END")
        shutil.rmtree(base / "1")
        wait_until(lambda: client.states("toy")[1][0] == "END")
        assert answering(client) is None
        publish(2)
        wait_until(lambda: answering(client) == 2.0)


def test_old_version_finishes_its_request(publish):
    """A request under way keeps its version, which new requests no longer get."""
    with started({"toy": publish(1)}, **POLLING) as client:
        with client.server.models.use("toy") as version:
            publish(2)
            wait_until(lambda: client.states("toy").get(1) == ("UNLOADING", ""))
            assert answering(client) == 2.0 and answering(client, "toy/versions/1") is None
            y = version.model.run("serving_default", {"x": np.float32([0.0])})
            assert y["y"].tolist() == [1.0]
        wait_until(lambda: client.states("toy")[1] == ("END", ""))


def test_labels(publish):
    base = publish(1, 2, 3)
    fields = (
        "model_version_policy { specific { versions: 1 versions: 2 } } "
        'version_labels { key: "stable" value: 1 } version_labels { key: "canary" value: 3 }'
    )
    with started(config_of({"toy": base}, fields), poll_seconds=0) as client:
        assert answering(client, "toy/labels/stable") == 1.0 and answering(client) == 2.0
        assert answering(client, "toy/labels/canary") is None
        request = predict_request("toy", label="stable", x=np.float32([0]))
        assert client.predictions.Predict(request).outputs["y"].float_val == [1.0]


@pytest.mark.parametrize(
    "policy, versions",
    [
        ("", {3}),
        ("all {}", {1, 2, 3}),
        ("latest { num_versions: 2 }", {2, 3}),
        ("specific { versions: 1 versions: 9 }", {1}),
    ],
)
def test_policies(publish, policy, versions):
    fields = f"model_version_policy {{ {policy} }}"
    with started(config_of({"toy": publish(1, 2, 3)}, fields), poll_seconds=0) as client:
        assert available(client) == versions
        assert answering(client) == max(versions)


def test_names_that_are_no_versions(publish):
    base = publish(1)
    for name in ("-1", "1.5", "x", str(2**63), ".part"):
        (base / name).mkdir()
    (base / "7").write_text("a file")
    with started({"toy": base}, poll_seconds=0) as client:
        assert set(client.states("toy")) == {1}


def starting_error(**options):
    ports = {"port": 0, "rest_api_port": 0}
    with pytest.raises(InputError) as caught, running(Options(**ports, **options)):
        pass
    return str(caught.value)


def test_start_without_a_version(publish, tmp_path):
    (tmp_path / "empty").mkdir()
    publish_broken(tmp_path / "damaged", 1)
    for name, reason in (
        ("empty", "its folder holds no version such as 1/"),
        ("gone", "its folder does not exist"),
        ("damaged", "is damaged"),
    ):
        text = starting_error(model_base_path=str(tmp_path / name))
        assert text.startswith(f"model_base_path={tmp_path / name}: nothing can be served")
        assert reason in text and "allow_start_without_model" in text


def test_start_with_one_of_two_models(publish, tmp_path, caplog):
    models = {"toy": publish(1), "gone": tmp_path / "gone"}
    with started(models, poll_seconds=0) as client:
        assert client.get("/models.json")[1]["models"] == [
            {"name": "gone", "versions": []},
            {"name": "toy", "versions": [1]},
        ]
    (record,) = caplog.records
    assert record.getMessage() == "model gone: its folder does not exist"


def test_base_paths_that_are_none(made, publish, tmp_path):
    shutil.copytree(made / "1", tmp_path / "saved")
    (tmp_path / "net.keras").write_text("")
    base = publish(1)
    for path, text in (
        (base / "1", f"is the folder of one version; give the one above, {base}"),
        (tmp_path / "saved", f"put it into a version folder such as {tmp_path / 'saved' / '1'}"),
        (tmp_path / "net.keras", "is a file; give the folder that holds version folders"),
        ("~/masks", "~ is not expanded here; give the whole path, such as $HOME/masks"),
        ("gs://bucket/masks", "is an address; copy the model here and give its folder"),
    ):
        for more in ({}, {"allow_start_without_model": True}):
            error = starting_error(model_base_path=str(path), **more)
            assert error.startswith(f"model_base_path={path}: ") and text in error
        file = tmp_path / "models.config"
        file.write_text(config_of({"toy": path}))
        with pytest.raises(InputError, match="models.config: model toy: "):
            config.read_models(Options(model_config_file=str(file)))


@pytest.mark.parametrize(
    "text, error",
    [
        ("nonsense", "is no ModelServerConfig"),
        ("", "lists no model in a model_config_list"),
        (config_of({"": "/a"}), "each model needs a name of its own, and a base_path"),
        (config_of({"a": ""}), "each model needs a name of its own, and a base_path"),
        (config_of({"a": "/a", "b": "/b"}).replace('"b"', '"a"'), "a name of its own"),
        (config_of({"a": "/a"}).replace('"tensorflow"', '"caffe"'), "a: model_platform must be"),
    ],
)
def test_wrong_files_of_models(tmp_path, text, error):
    file = tmp_path / "models.config"
    file.write_text(text)
    with pytest.raises(InputError, match=re.escape(error)):
        config.read_models(Options(model_config_file=str(file)))


def test_located_base_paths(tmp_path, monkeypatch):
    """Relative to the file, which /models means where there is no such folder."""
    monkeypatch.setattr(config, "CONTAINER_ROOT", "/no-such-models")
    file = tmp_path / "models.config"
    for base_path, place in (
        ("/no-such-models/a", tmp_path / "a"),
        ("b/c", tmp_path / "b" / "c"),
        ("/d", pathlib.Path("/d")),
    ):
        file.write_text(config_of({"m": base_path}))
        models = config.read_models(Options(model_config_file=str(file)))
        assert models["m"].base_path == str(place)


@pytest.mark.parametrize(
    "text, path",
    [
        ("prometheus_config { enable: true }", config.PROMETHEUS_PATH),
        ('prometheus_config: {\n enable: true # comment\n path: "/m" }', "/m"),
        ('prometheus_config { enable: false path: "/m" }', None),
    ],
)
def test_monitoring_files(tmp_path, text, path):
    file = tmp_path / "monitoring.config"
    file.write_text(text)
    assert config.read_monitoring(str(file)) == path


@pytest.mark.parametrize(
    "text, error",
    [
        ("", "must hold prometheus_config"),
        ("prometheus_config { enabled: true }", "must hold prometheus_config"),
        ('prometheus_config { enable: true path: "m" }', "must hold prometheus_config"),
    ],
)
def test_wrong_monitoring_files(tmp_path, text, error):
    file = tmp_path / "monitoring.config"
    file.write_text(text)
    with pytest.raises(InputError, match=error):
        config.read_monitoring(str(file))
