"""Memory of requests: it is bounded, and freed as soon as a request fails."""

import gc
import json
import weakref

import numpy as np
import pytest
import tensorflow as tf
from serving_clients import config_of, predict_request, started
from tensorflow.core.framework import tensor_pb2, types_pb2

from tfdepthviz.serving.server import Batching, Limits, json_text
from tfdepthviz.serving.server.batching import BatchedModel, Scheduler
from tfdepthviz.serving.server.limits import Memory
from tfdepthviz.serving.server.manager import Manager
from tfdepthviz.serving.server.monitoring import Metrics
from tfdepthviz.serving.server.service import Service
from tfdepthviz.serving.server.status import StatusError, invalid


@pytest.fixture
def without_collector():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


class Request(list):
    """A large object that a weak reference can watch."""


def watched():
    request = Request([0.0])
    return request, weakref.ref(request)


@pytest.mark.parametrize(
    "error", [invalid, lambda text: tf.errors.OutOfRangeError(None, None, text)]
)
def test_error_does_not_hold_its_request(without_collector, tmp_path, error):
    polling = {"poll_seconds": 0, "retries": 0, "retry_seconds": 0}
    manager = Manager(config_of({"m": tmp_path}), load=None, **polling)
    service = Service(manager, Metrics(), Limits())

    def fails(request):
        with service.recorded("m", "predict", "REST"):
            raise error("no")

    request, held = watched()
    with pytest.raises(StatusError):
        fails(request)
    del request
    assert held() is None


def test_error_does_not_hold_its_batch(without_collector):
    class Fails:
        signatures = {}

        def run(self, feeds, fetches):
            raise ValueError("no")

    scheduler = Scheduler(Batching(max_batch_size=4, num_batch_threads=1), Metrics())
    try:
        array = np.zeros((1, 3))
        held = weakref.ref(array)
        with pytest.raises(ValueError, match="no"):
            BatchedModel(Fails(), scheduler).run({"x": array}, ["y"])
        del array
    finally:
        scheduler.stop()
    assert held() is None


def test_memory_estimate_against_python():
    from tracemalloc import get_traced_memory, start, stop

    for item in ("[]", "[1.5]", "{}", '{"x":1.5}', '"ab"', "1.5", "[[0.25,0.5,0.75]]"):
        body = f'{{"instances":[{",".join([item] * 20000)}]}}'.encode()
        start()
        document = json.loads(body)
        taken, _ = get_traced_memory()
        stop()
        assert document and taken / 2 < json_text.memory(body) < 5 * taken, item


def test_memory():
    memory = Memory(Limits(max_body_bytes=10))
    with memory.hold(200):
        with memory.hold(40), pytest.raises(StatusError, match="try again later"):
            memory.hold(1).__enter__()
        with memory.hold(1):
            pass
    with pytest.raises(StatusError, match=r"about 241 bytes of memory, more than 240 \(24 ti") as e:
        memory.hold(241).__enter__()
    assert (e.value.code, e.value.http_status) == ("RESOURCE_EXHAUSTED", 413)
    with memory.hold(240):  # everything has been released
        pass


def test_requests_that_grow_in_memory(toys):
    """Small requests that become large, by REST and gRPC; the server still works afterwards."""
    with started({"affine": toys / "affine"}, limits=Limits(max_body_bytes=30000)) as client:
        body = '{"instances":[' + ",".join(["{}"] * 9000) + "]}"
        status, answer = client.post("/v1/models/affine:predict", body)
        assert status == 413 and "bytes of memory" in answer["error"]
        huge = tensor_pb2.TensorProto(dtype=types_pb2.DT_FLOAT, float_val=[1.0])
        huge.tensor_shape.dim.add(size=10**9)
        with pytest.raises(Exception, match="bytes of memory"):
            client.predictions.Predict(predict_request("affine", x=huge))
        assert client.post("/v1/models/affine:predict", {"instances": [2]})[0] == 200
