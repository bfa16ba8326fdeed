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


X = np.float32([1.0])


@pytest.fixture
def version(toys, tmp_path):
    """Folder of a version without warm-up requests."""
    return shutil.copytree(toys / "affine" / "1", tmp_path / "toy" / "1")


def loaded(version):
    """(state, error) after a server has tried to load the version."""
    options = {"load_retries": 0, "allow_start_without_model": True, "poll_seconds": 0}
    with started({"toy": version.parent}, **options) as client:
        return client.states("toy")[1]


def test_good_records(version):
    write_warmup(version, predict_log(x=X), predict_log("scalar", x=X))
    assert loaded(version) == ("AVAILABLE", "")


BAD = {
    "a signature that is not there": (predict_log("nope", x=X), '"nope" not found'),
    "a wrong type": (predict_log(x=np.int32([1])), "of type float32. Received: int32"),
    "an error of the graph": (predict_log("fails_above_100", x=X * 200), "above 100"),
    "nothing": (prediction_log_pb2.PredictionLog(), "it is no predict request"),
    "something else": (b"\xff\xff", "warm-up record 1"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_record_fails_the_load(version, name):
    log, text = BAD[name]
    write_warmup(version, predict_log(x=X), log)
    state, error = loaded(version)
    assert state == "END" and "warm-up record 1 of" in error and text in error


def test_a_broken_file(version):
    write_warmup(version, predict_log(x=X))
    path = version / warmup.WARMUP_FILE
    path.write_bytes(path.read_bytes()[:-3])
    state, error = loaded(version)
    assert state == "END" and "truncated record" in error
