"""Metrics: the page has Prometheus's format and counts the requests."""

import numpy as np
from serving_clients import predict_request, started

from tfdepthviz.serving.server.monitoring import METRICS, Metrics


def read(page):
    """dict of series -> value; checks every line's form and that buckets add up."""
    series, kind = {}, {}
    for line in page.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind[name] = line.split()
            continue
        name, _, value = line.rpartition(" ")
        series[name] = float(value)
        assert any(name.startswith(known) for known in kind)
    assert kind == {
        n: "counter" if limits is None else "histogram" for n, (_, limits) in METRICS.items()
    }
    for name, value in series.items():
        if "_bucket{" in name and 'le="+Inf"' in name:
            count = name.replace("_bucket{", "_count{").replace(',le="+Inf"', "")
            assert series[count] == value
    return series


def test_requests_are_counted(toys):
    with started({"affine": toys / "affine"}, metrics_path="/metrics") as client:
        assert client.ask("GET", "/monitoring/prometheus/metrics")[0] == 404
        for body in ({"instances": [1]}, {"instances": [2]}, {"instances": ["x"]}):
            client.post("/v1/models/affine:predict", body)
        client.predictions.Predict(predict_request("affine", x=np.float32([1])))
        client.get("/v1/models/affine")
        client.get("/v1/models/made-up-1")
        client.get("/v1/models/made-up-2")
        status, headers, page = client.ask("GET", "/metrics")
        assert status == 200 and headers["Content-Type"] == "text/plain; charset=utf-8"
    series = read(page.decode())
    count = ":tensorflow:serving:request_count"
    assert series[f'{count}{{model_name="affine",status="OK"}}'] == 4
    assert series[f'{count}{{model_name="affine",status="INVALID_ARGUMENT"}}'] == 1
    assert series[f'{count}{{model_name="",status="NOT_FOUND"}}'] == 2
    latency = ":tensorflow:serving:request_latency"
    for api, entrypoint, number in (
        ("predict", "REST", 2),
        ("Predict", "GRPC", 1),
        ("", "REST", 1),
    ):
        labels = f'model_name="affine",API="{api}",entrypoint="{entrypoint}"'
        assert series[f"{latency}_count{{{labels}}}"] == number
        assert series[f"{latency}_sum{{{labels}}}"] > 0
    path = f'model_path="{toys / "affine" / "1"}"'
    assert series[f':tensorflow:cc:saved_model:load_attempt_count{{{path},status="success"}}'] == 1


def test_histogram_by_hand():
    metrics = Metrics()
    for amount in (5, 10, 11, 1e12):
        metrics.record("serving:request_latency", amount, 'a"\\', "predict", "REST")
    series = read(metrics.page())
    labels = 'model_name="a\\"\\\\",API="predict",entrypoint="REST"'
    name = ":tensorflow:serving:request_latency"
    # Below 10, below 18, and all.
    counts = [series[f'{name}_bucket{{{labels},le="{le}"}}'] for le in ("10", "18", "+Inf")]
    assert counts == [1, 3, 4]
    assert series[f"{name}_sum{{{labels}}}"] == 1e12 + 26
