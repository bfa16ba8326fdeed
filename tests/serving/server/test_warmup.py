"""Warm-up: requests in a version's folder run before it serves, and a bad one fails the load."""

import shutil

import numpy as np
import pytest
import tensorflow as tf
from serving_clients import predict_request, started
from tensorflow_serving.apis import prediction_log_pb2

from tfdepthviz.serving.server import warmup


def write_warmup(version, *logs):
    path = version / warmup.WARMUP_FILE
    path.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for log in logs:
            writer.write(log if isinstance(log, bytes) else log.SerializeToString())


def predict_log(signature="", **inputs):
    log = prediction_log_pb2.PredictionLog()
    log.predict_log.request.CopyFrom(predict_request("any name", signature, **inputs))
    return log


def examples_logs():
    """One log for each kind of request with tf.Examples."""
    logs = [prediction_log_pb2.PredictionLog() for _ in range(3)]
    requests = [logs[0].classify_log.request, logs[1].regress_log.request]
    requests.append(logs[2].multi_inference_log.request)
    for request in requests:
        example = request.input.example_list.examples.add()
        example.features.feature["x"].float_list.value.append(1.0)
    for request, name in zip(requests, ("classify", "regress"), strict=False):
        request.model_spec.signature_name = name
    task = requests[2].tasks.add(method_name="tensorflow/serving/regress")
    task.model_spec.name, task.model_spec.signature_name = "any name", "regress"
    return logs


X = np.float32([1.0])


@pytest.fixture
def version(toys, tmp_path):
    """Folder of a version without warm-up requests."""
    return shutil.copytree(toys / "affine" / "1", tmp_path / "toy" / "1")


def loaded(version):
    """(state, error, metrics) after a server has tried to load the version."""
    with started({"toy": version.parent}, load_retries=0, metrics_path="/metrics") as client:
        _, _, metrics = client.ask("GET", "/metrics")
        return *client.states("toy")[1], metrics.decode()


def test_good_records(version):
    write_warmup(version, predict_log(x=X), predict_log("scalar", x=X))
    state, error, metrics = loaded(version)
    assert (state, error) == ("AVAILABLE", "")
    assert f'model_warmup_latency_count{{model_path="{version}",status="OK"}} 1' in metrics


def test_every_kind_of_request(toys, tmp_path):
    shutil.copytree(toys / "examples" / "1", tmp_path / "1")
    write_warmup(tmp_path / "1", *examples_logs())
    with started({"toy": tmp_path}, load_retries=0) as client:
        assert client.states("toy") == {1: ("AVAILABLE", "")}


BAD = {
    "a signature that is not there": (predict_log("nope", x=X), '"nope" not found'),
    "a wrong type": (predict_log(x=np.int32([1])), "to be float but int32"),
    "an error of the graph": (predict_log("fails_above_100", x=X * 200), "above 100"),
    "nothing": (prediction_log_pb2.PredictionLog(), "holds no request"),
    "something else": (b"\xff\xff", "warm-up record 1"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_record_fails_the_load(version, name):
    log, text = BAD[name]
    write_warmup(version, predict_log(x=X), log)
    state, error, metrics = loaded(version)
    assert state == "END" and "warm-up record 1 of" in error and text in error
    assert 'status="INVALID_ARGUMENT"} 1' in metrics


def test_a_broken_file(version):
    write_warmup(version, predict_log(x=X))
    path = version / warmup.WARMUP_FILE
    path.write_bytes(path.read_bytes()[:-3])
    state, error, _ = loaded(version)
    assert state == "END" and "truncated record" in error


def test_too_many_records(version):
    write_warmup(version, *[predict_log(x=X)] * (warmup.MAX_RECORDS + 1))
    state, error, _ = loaded(version)
    assert state == "END" and "Number of warmup records exceeds the maximum (1000)" in error
