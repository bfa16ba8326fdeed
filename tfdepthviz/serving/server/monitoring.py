"""Metrics: counters and histograms under TensorFlow Serving's names, and a page for Prometheus.

prometheus_client refuses names that start with a colon, so this module writes the text format.
"""

import bisect
import collections
import threading

# TensorFlow Serving's buckets: 10, 18, 32.4, ... microseconds, up to about 20 minutes.
_LATENCY = tuple(10 * 1.8**i for i in range(33))
_QUEUING = tuple(100 * 1.2**i for i in range(52))
_SIZES = tuple(2**i for i in range(15))
# Name -> (labels, limits of the buckets; None: a counter).
METRICS = {
    ":tensorflow:cc:saved_model:load_attempt_count": (("model_path", "status"), None),
    ":tensorflow:cc:saved_model:load_latency": (("model_path",), None),
    ":tensorflow:serving:batching_session:processed_batch_size": (("thread_pool_name",), _SIZES),
    ":tensorflow:serving:batching_session:queuing_latency": (("thread_pool_name",), _QUEUING),
    ":tensorflow:serving:model_warmup_latency": (("model_path", "status"), _LATENCY),
    ":tensorflow:serving:request_count": (("model_name", "status"), None),
    ":tensorflow:serving:request_example_count_total": (("model",), None),
    ":tensorflow:serving:request_example_counts": (("model",), _SIZES),
    ":tensorflow:serving:request_latency": (("model_name", "API", "entrypoint"), _LATENCY),
    ":tensorflow:serving:runtime_latency": (("model_name", "API", "runtime"), _LATENCY),
}


class Metrics:
    """All metrics of one server; any thread may record."""

    def __init__(self):
        self._lock = threading.Lock()
        self._cells = collections.defaultdict(dict)

    def record(self, name, amount, *labels):
        """Adds to a counter, or puts an observation into a histogram.

        Args:
          name: one of `METRICS`, without its leading ":tensorflow:".
          amount: amount to add, or observed value.
          labels: values of the labels that METRICS names, in its order.
        """
        name = f":tensorflow:{name}"
        _, limits = METRICS[name]
        with self._lock:
            cells = self._cells[name]
            if limits is None:
                cells[labels] = cells.get(labels, 0) + amount
                return
            counts, total = cells.get(labels) or ([0] * (len(limits) + 1), 0)
            counts[bisect.bisect_right(limits, amount)] += 1
            cells[labels] = (counts, total + amount)

    def page(self):
        """The text that Prometheus reads."""
        lines = []
        with self._lock:
            for name, (label_names, limits) in METRICS.items():
                lines.append(f"# TYPE {name} {'counter' if limits is None else 'histogram'}")
                for values, cell in self._cells[name].items():
                    labels = [
                        f'{label}="{_escaped(value)}"'
                        for label, value in zip(label_names, values, strict=True)
                    ]
                    lines += _lines(name, ",".join(labels), cell, limits)
        return "\n".join(lines) + "\n"


def _lines(name, labels, cell, limits):
    if limits is None:
        return [f"{name}{{{labels}}} {round(cell)}"]
    counts, total = cell
    lines, below = [], 0
    for limit, count in zip([*map(_number, limits), "+Inf"], counts, strict=True):
        below += count
        lines.append(f'{name}_bucket{{{labels},le="{limit}"}} {below}')
    lines.append(f"{name}_sum{{{labels}}} {float(total)!r}")
    lines.append(f"{name}_count{{{labels}}} {below}")
    return lines


def _number(value):
    return f"{value:.6g}"


def _escaped(value):
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
