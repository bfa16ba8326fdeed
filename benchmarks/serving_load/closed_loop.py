"""Closed loop: clients that call again as soon as they have an answer, and their measurement.

The same loop measures a server and the bare model, so that their ratio does not depend on the way
of measuring.
"""

import threading
import time


def measure(calls, seconds, cpu_seconds):
    """Calls each function repeatedly in a separate thread.

    The clock starts once each function has returned once, which leaves out the preparations of
    first calls and the filling of queues. No call begins after `seconds`; the clock stops when the
    last call returns, and all calls until then count.

    Args:
      calls: functions without arguments, one for each client.
      seconds: time after which no call begins.
      cpu_seconds: function that gives a list of readings of CPU clocks.
    Returns:
      dict: `latencies` in seconds of the calls that count, `seconds` from start to stop, `calls`,
      the number of all calls including those before the start, `cpu_seconds`, the differences of
      the readings.
    Raises:
      Exception: the first that a call raised; all threads have then ended.
    """
    loop = _Loop(len(calls), seconds, cpu_seconds)
    threads = [threading.Thread(target=loop.repeat, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if loop.failure:
        raise loop.failure
    after = cpu_seconds()
    counted = [(begun, ended) for begun, ended in loop.spans if ended > loop.started]
    return {
        "latencies": [ended - begun for begun, ended in counted],
        "seconds": max(ended for _, ended in loop.spans) - loop.started,
        "calls": len(loop.spans),
        "cpu_seconds": [b - a for a, b in zip(loop.cpu_before, after, strict=True)],
    }


class _Loop:
    def __init__(self, clients, seconds, cpu_seconds):
        self._missing, self._seconds, self._cpu_seconds = clients, seconds, cpu_seconds
        self._lock = threading.Lock()
        self.spans, self.failure = [], None
        self.started = self.cpu_before = None

    def repeat(self, call):
        first = True
        while self.failure is None:
            begun = time.perf_counter()
            try:
                call()
            except Exception as error:
                self.failure = self.failure or error
                return
            ended = time.perf_counter()
            with self._lock:
                self.spans.append((begun, ended))
                if first:
                    self._count_first(ended)
            first = False
            if self.started is not None and ended >= self.started + self._seconds:
                return

    def _count_first(self, ended):
        self._missing -= 1
        if not self._missing:
            self.cpu_before = self._cpu_seconds()
            self.started = ended
