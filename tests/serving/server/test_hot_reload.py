"""Hot reload: versions come and go while requests run. Each version adds its own number."""

import contextlib
import os
import shutil
import threading

import grpc
import numpy as np
import pytest
import toy_savedmodels
from google.protobuf import text_format
from serving_clients import config_of, predict_request, started, wait_until
from tensorflow_serving.apis import model_management_pb2
from tensorflow_serving.apis.model_pb2 import ModelSpec
from tensorflow_serving.config import model_server_config_pb2

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
        state, error = wait_until(lambda: client.states("toy").get(2))
        wait_until(lambda: client.states("toy")[2][0] == "END")
        state, error = client.states("toy")[2]
        assert "Cannot parse" in error or "saved_model.pb" in error
        assert available(client) == {1} and answering(client) == 1.0
        # A version without a model, and then a good one.
        (base / "3").mkdir()
        wait_until(lambda: client.states("toy").get(3, ("",))[0] == "END")
        assert "Could not find SavedModel .pb or .pbtxt" in client.states("toy")[3][1]
        os.rmdir(base / "3")
        publish(3)
        wait_until(lambda: answering(client) == 3.0)
        wait_until(lambda: available(client) == {3})


def test_failed_load_is_retried(publish, tmp_path):
    """A version that loads before all of its files are copied."""
    base = tmp_path / "toy"
    (base / "1").mkdir(parents=True)
    retries = {"load_retries": 1000, "retry_seconds": 0.1, "poll_seconds": 0.05}
    with started({"toy": base}, **retries) as client:
        state, error = client.states("toy")[1]
        assert state == "LOADING" and "Could not find SavedModel" in error
        assert answering(client) is None
        shutil.copytree(publish(1, name="elsewhere") / "1", base / "1", dirs_exist_ok=True)
        wait_until(lambda: answering(client) == 1.0)
        assert client.states("toy") == {1: ("AVAILABLE", "")}


def test_base_path_comes_and_goes(publish, tmp_path):
    with started({"toy": tmp_path / "toy"}, **POLLING) as client:
        status, answer = client.get("/v1/models/toy")
        assert (status, answer["error"]) == (404, "Could not find any versions of model toy")
        base = publish(1)
        wait_until(lambda: answering(client) == 1.0)
        os.rename(base, tmp_path / "away")
        polls = client.server.manager._poll_at
        wait_until(lambda: client.server.manager._poll_at > polls + 0.2)
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


def test_no_polling(publish):
    with started({"toy": publish(1)}, poll_seconds=0) as client:
        publish(2)
        reload(client, config_of({"toy": publish()}))
        wait_until(lambda: answering(client) == 2.0)


def test_old_version_finishes_its_request(publish):
    """A request under way keeps its version, which new requests no longer get."""
    with started({"toy": publish(1)}, **POLLING) as client:
        with client.server.manager.use(ModelSpec(name="toy")) as version:
            publish(2)
            wait_until(lambda: client.states("toy").get(1) == ("UNLOADING", ""))
            assert answering(client) == 2.0 and answering(client, "toy/versions/1") is None
            signature = version.model.signatures["serving_default"]
            y = version.model.run(
                {signature.inputs["x"].name: np.float32([0.0])}, [signature.outputs["y"].name]
            )
            assert y[0].tolist() == [1.0]
        wait_until(lambda: client.states("toy")[1] == ("END", ""))


LABELLED = """
model_config_list {{ config {{
  name: "toy" base_path: "{base}" model_platform: "tensorflow"
  model_version_policy {{ {policy} }}
  {labels}
}} }}
"""


def labelled(base, policy, **labels):
    labels = " ".join(f'version_labels {{ key: "{k}" value: {v} }}' for k, v in labels.items())
    text = LABELLED.format(base=base, policy=policy, labels=labels)
    return text_format.Parse(text, model_server_config_pb2.ModelServerConfig())


def reload(client, config):
    request = model_management_pb2.ReloadConfigRequest(config=config)
    return client.models.HandleReloadConfigRequest(request, timeout=60)


def refused(client, config):
    with pytest.raises(grpc.RpcError) as caught:
        reload(client, config)
    return caught.value.code().name, caught.value.details()


def test_labels_and_a_canary(publish):
    base = publish(1, 2, 3)
    both = "specific { versions: 1 versions: 2 }"
    with started(labelled(base, "specific { versions: 1 }", stable=1), **POLLING) as client:
        assert answering(client, "toy/labels/stable") == 1.0
        assert answering(client, "toy/labels/canary") is None
        # A label cannot move to an unavailable version, and the old configuration stays.
        assert refused(client, labelled(base, both, stable=1, canary=2)) == (
            "FAILED_PRECONDITION",
            "Request to assign label to version 2 of model toy, which is not currently available "
            "for inference",
        )
        assert available(client) == {1}
        reload(client, labelled(base, both, stable=1))
        wait_until(lambda: available(client) == {1, 2})
        reload(client, labelled(base, both, stable=1, canary=2))
        assert answering(client, "toy/labels/canary") == 2.0 and answering(client) == 2.0
        assert (
            client.get("/v1/models/toy/labels/canary")[1]
            == client.get("/v1/models/toy/versions/2")[1]
        )
        reload(client, labelled(base, both, stable=2))
        assert answering(client, "toy/labels/stable") == 2.0
        assert answering(client, "toy/labels/canary") is None
        reload(client, labelled(base, "specific { versions: 2 }", stable=2))
        wait_until(lambda: client.states("toy") == {2: ("AVAILABLE", ""), 1: ("END", "")})


def test_policies(publish):
    base = publish(1, 2, 3)
    with started(labelled(base, "all {}"), **POLLING) as client:
        assert available(client) == {1, 2, 3}
        assert [answering(client, f"toy/versions/{n}") for n in (1, 2, 3)] == [1.0, 2.0, 3.0]
        assert [v["version"] for v in client.get("/v1/models/toy")[1]["model_version_status"]] == [
            "3",
            "2",
            "1",
        ]
        reload(client, labelled(base, "latest { num_versions: 2 }"))
        wait_until(lambda: client.states("toy")[1][0] == "END")
        assert available(client) == {2, 3}
        reload(client, labelled(base, "specific { versions: 1 }"))
        wait_until(lambda: available(client) == {1})


def test_models_come_and_go(publish, tmp_path):
    first, second = publish(1), publish(2, name="other")
    with started({"toy": first}, **POLLING) as client:
        reload(client, config_of({"toy": first, "other": second}))
        assert answering(client, "other") == 2.0
        assert client.get("/models.json")[1]["models"] == [
            {"name": "other", "versions": [2]},
            {"name": "toy", "versions": [1]},
        ]
        reload(client, config_of({"other": second}))
        wait_until(lambda: client.states("toy")[1][0] == "END")
        assert answering(client) is None and answering(client, "other") == 2.0
        code, text = refused(client, config_of({"new": tmp_path / "nowhere"}))
        assert code == "INVALID_ARGUMENT" and "Could not find base path" in text
        assert answering(client, "other") == 2.0
        publish_broken(tmp_path / "bad", 1)
        code, text = refused(client, config_of({"other": second, "bad": tmp_path / "bad"}))
        assert code == "UNKNOWN" and "1 model(s) did not become available: {{{name: bad" in text


@pytest.mark.parametrize(
    "change, text",
    [
        ({"base_path": "relative"}, "Expected model toy to have an absolute path; got base_path()"),
        ({"model_platform": ""}, "neither model_type(deprecated) nor model_platform"),
        ({"model_platform": "caffe"}, "requests unsupported platform caffe"),
        ({"name": ""}, "must have a name"),
    ],
)
def test_wrong_configurations(client, toys, change, text):
    config = config_of({"toy": toys / "affine"})
    for field, value in change.items():
        setattr(config.model_config_list.config[0], field, value)
    code, details = refused(client, config)
    assert code == "INVALID_ARGUMENT" and text in details


def test_model_listed_twice(client, toys):
    config = config_of({"toy": toys / "affine"})
    config.model_config_list.config.add().CopyFrom(config.model_config_list.config[0])
    code, details = refused(client, config)
    assert details == "Illegal to list model toy multiple times in config list"


def test_warnings_about_base_paths(tmp_path, toys, caplog):
    models = {"gone": tmp_path / "gone", "empty": toys / "affine" / "1", "there": toys / "affine"}
    with started(models, **POLLING):
        pass
    assert [record.getMessage() for record in caplog.records] == [
        f"Could not find base path {tmp_path / 'gone'} for servable gone",
        f"No versions found under base path {toys / 'affine' / '1'} for servable empty",
    ]
