"""Clients that each ask again as soon as they are answered, and what is measured of them.

The same loop measures a server and the bare model, so that their ratio owes nothing to the way of
measuring.
"""

import threading
import time


def measure(calls, seconds, cpu_seconds):
    """Calls each function again and again in a thread of its own.

    The clock starts once each of them has returned once, so that what the first calls prepare, and
    the filling of queues, are left out. It stops when the last call returns: none begins after
    `seconds`, and all that were under way count.

    Args:
      calls: functions without arguments, one for each client.
      seconds: time after which none asks again.
      cpu_seconds: function that gives a list of readings of clocks of CPU time.
    Returns:
      dict: `latencies` in seconds of the calls that count, `seconds` from start to stop, `calls`:
      all of them with those before the start, `cpu_seconds`: differences of the readings.
    Raises:
      Exception: the first that a call raised; the others have then ended too.
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
