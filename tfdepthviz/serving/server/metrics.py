"""Metrics for Prometheus, under the names that TensorFlow Serving gives them."""

from prometheus_client import CollectorRegistry, Gauge, Histogram, generate_latest

# TensorFlow Serving's buckets: 10, 18, 32.4, ... microseconds, up to about 20 minutes.
_LATENCY = tuple(10 * 1.8**i for i in range(33))


class Metrics:
    """All metrics of one server; any thread may record."""

    def __init__(self):
        self._registry = CollectorRegistry()
        # A gauge that only grows: prometheus_client would add _total to a counter's name.
        self._requests = Gauge(
            ":tensorflow:serving:request_count",
            "Requests by status.",
            ["model_name", "status"],
            registry=self._registry,
        )
        self._latency = Histogram(
            ":tensorflow:serving:request_latency",
            "Microseconds of answered requests.",
            ["model_name", "API", "entrypoint"],
            registry=self._registry,
            buckets=_LATENCY,
        )

    def count(self, model_name, status):
        self._requests.labels(model_name, status).inc()

    def time(self, model_name, api, entrypoint, seconds):
        self._latency.labels(model_name, api, entrypoint).observe(1e6 * seconds)

    def page(self):
        """Bytes that Prometheus reads."""
        return generate_latest(self._registry)
