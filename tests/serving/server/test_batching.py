"""Batching: which requests are joined. The signature batch_size answers with a run's rows."""

import concurrent.futures
import threading
import time

import grpc
import numpy as np
import pytest
from serving_clients import predict_request, started, wait_until

from tfdepthviz.serving.server import Batching
from tfdepthviz.serving.server.batching import BatchedModel, Scheduler, padded_size
from tfdepthviz.serving.server.monitoring import Metrics
from tfdepthviz.serving.server.status import StatusError


def batched(toys, **options):
    options = {"num_batch_threads": 2, "batch_timeout_micros": 300_000, **options}
    models = {name: toys / name for name in ("affine", "strings", "many")}
    return started(models, batching=Batching(**options), metrics_path="/metrics")


def at_once(functions):
    with concurrent.futures.ThreadPoolExecutor(len(functions)) as pool:
        return [future.result() for future in [pool.submit(f) for f in functions]]


def rows(client, count, width=None):
    """(status, answer) of a request of `count` rows."""
    row = 0.0 if width is None else [0.0] * width
    body = {"signature_name": "batch_size", "instances": [row] * count}
    return client.post("/v1/models/affine:predict", body)


def test_joined_requests_get_their_own_rows(toys):
    with batched(toys, max_batch_size=6) as client:
        answers = at_once([lambda n=n: rows(client, n) for n in (1, 2, 3)])
        assert answers == [(200, {"predictions": [6] * n}) for n in (1, 2, 3)]
        values = [float(n) for n in range(6)]
        ask = [
            lambda v=v: client.post("/v1/models/affine:predict", {"instances": [v]}) for v in values
        ]
        assert at_once(ask) == [(200, {"predictions": [v / 2 + 2]}) for v in values]
        _, _, metrics = client.ask("GET", "/metrics")
        name = ":tensorflow:serving:batching_session:processed_batch_size_{}"
        label = '{thread_pool_name="batch_threads"}'
        assert (
            f"{name.format('sum')}{label} 12.0\n{name.format('count')}{label} 2" in metrics.decode()
        )


def test_rest_and_grpc_are_joined(toys):
    request = predict_request("affine", "batch_size", x=np.zeros((2, 4), np.float32))
    with batched(toys, max_batch_size=3) as client:
        by_grpc, by_rest = at_once(
            [lambda: client.predictions.Predict(request), lambda: rows(client, 1, width=4)]
        )
        assert list(by_grpc.outputs["rows"].int_val) == [3, 3]
        assert by_rest == (200, {"predictions": [3]})


def test_different_requests_are_not_joined(toys):
    """Other shapes, signatures, output filters and models make separate batches."""
    x = np.zeros((1, 3), np.float32)
    two = {"a": np.float32([[1, 2]]), "b": np.int32([3])}
    requests = [
        predict_request("affine", "batch_size", x=x),
        predict_request("affine", "batch_size", x=x[:, :2]),
        predict_request("affine", "", x=x),
        predict_request("many", "", ["a"], **two),
        predict_request("many", "", ["b"], **two),
    ]
    with batched(toys, max_batch_size=4, batch_timeout_micros=50_000) as client:
        answers = at_once([lambda r=r: client.predictions.Predict(r) for r in requests])
    assert [list(answers[i].outputs["rows"].int_val) for i in (0, 1)] == [[1], [1]]
    assert list(answers[2].outputs["y"].float_val) == [2.0] * 3
    assert (set(answers[3].outputs), set(answers[4].outputs)) == ({"a"}, {"b"})


def test_bad_request_fails_alone(toys):
    def ask(value):
        body = {"signature_name": "fails_above_100", "instances": [value]}
        return client.post("/v1/models/affine:predict", body)

    with batched(toys, max_batch_size=4) as client:
        answers = at_once([lambda v=v: ask(v) for v in (1.0, 101.0, 2.0, 3.0)])
    assert [status for status, _ in answers] == [200, 400, 200, 200]
    assert "above 100" in answers[1][1]["error"]
    assert [answers[i][1]["predictions"] for i in (0, 2, 3)] == [[1.0], [2.0], [3.0]]


def test_padding_to_allowed_sizes(toys):
    assert [padded_size(n, (2, 4, 8)) for n in (1, 2, 3, 5, 8)] == [2, 2, 4, 8, 8]
    assert padded_size(5, ()) == 5
    options = {"max_batch_size": 8, "allowed_batch_sizes": (4, 8), "batch_timeout_micros": 1000}
    with batched(toys, **options) as client:
        assert rows(client, 3) == (200, {"predictions": [4, 4, 4]})
        status, answer = client.post("/v1/models/strings:predict", {"instances": ["a", "b", "c"]})
        assert [row["text"] for row in answer["predictions"]] == ["a", "b", "c"]


@pytest.fixture(scope="module")
def single(toys):
    """Client of a server that joins requests but does not wait for others."""
    with batched(toys, max_batch_size=8, batch_timeout_micros=0) as client:
        yield client


@pytest.mark.parametrize(
    "model, signature, inputs, text",
    [
        ("affine", "", {"x": np.float32(1)}, "must have at least one dimension"),
        (
            "many",
            "",
            {"a": np.zeros((1, 2), np.float32), "b": np.int32([1, 2])},
            "must have equal 0th-dimension size",
        ),
        ("affine", "", {"x": np.zeros(9, np.float32)}, "Task size 9 is larger than maximum"),
        ("affine", "scalar", {"x": np.zeros(2, np.float32)}, "output tensor has 0 dimensions"),
        (
            "many",
            "apart",
            {"a": np.zeros((1, 2), np.float32), "b": np.int32([1])},
            "does not equal the sum of the 0th dimension sizes",
        ),
    ],
)
def test_requests_that_cannot_be_batched(single, model, signature, inputs, text):
    """Errors that TensorFlow Serving gives with batching only."""
    with pytest.raises(grpc.RpcError, match=text) as caught:
        single.predictions.Predict(predict_request(model, signature, **inputs))
    assert caught.value.code().name in ("INVALID_ARGUMENT", "FAILED_PRECONDITION")


class Held:
    """A model whose runs wait for an event."""

    signatures = {}

    def __init__(self):
        self.let_go, self.runs = threading.Event(), []

    def run(self, feeds, fetches):
        self.let_go.wait()
        self.runs.append(len(feeds["x"]))
        return [feeds["x"]]


def test_full_queue():
    options = Batching(
        max_batch_size=2, batch_timeout_micros=0, max_enqueued_batches=2, num_batch_threads=1
    )
    scheduler, held = Scheduler(options, Metrics()), Held()
    model = BatchedModel(held, scheduler)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        ask = lambda n: pool.submit(model.run, {"x": np.full(n, n)}, ["y"])  # noqa: E731
        running = ask(2)
        wait_until(lambda: not scheduler._batches)
        waiting = [ask(2), ask(2)]
        wait_until(lambda: len(scheduler._batches) == 2)
        with pytest.raises(
            StatusError, match="queue to which this task was submitted is full"
        ) as e:
            ask(1).result()
        assert e.value.code == "UNAVAILABLE"
        held.let_go.set()
        for future in [running, *waiting]:
            assert future.result()[0].tolist() == [2, 2]
    scheduler.stop()
    assert held.runs == [2, 2, 2]


def test_batch_timeout():
    options = Batching(max_batch_size=100, batch_timeout_micros=100_000, num_batch_threads=1)
    scheduler, held = Scheduler(options, Metrics()), Held()
    held.let_go.set()
    begun = time.monotonic()
    assert BatchedModel(held, scheduler).run({"x": np.zeros(3)}, ["y"])[0].tolist() == [0.0] * 3
    assert time.monotonic() - begun >= 0.1
    scheduler.stop()


def test_results_under_load(toys):
    """Many clients and sizes: each answer belongs to its request."""

    def ask(seed):
        rng = np.random.default_rng(seed)
        for _ in range(15):
            x = rng.normal(size=(rng.integers(1, 5), rng.integers(1, 3))).astype(np.float32)
            response = client.predictions.Predict(predict_request("affine", x=x))
            y = np.array(response.outputs["y"].float_val, np.float32).reshape(x.shape)
            np.testing.assert_array_equal(y, x * np.float32(0.5) + 2)

    with batched(toys, max_batch_size=8, batch_timeout_micros=2000) as client:
        at_once([lambda s=s: ask(s) for s in range(12)])
