"""Turns: the order in which requests run the graph, fair to small ones and to every client.

A run takes a slot. Work that waits for one lives in the event loop: a client that leaves, or whose
deadline passes, takes its work out of the queue. Only work that has begun cannot be stopped.
"""

import asyncio
import concurrent.futures
import os

# Larger work counts as large: a photograph of a phone has 12 million pixels.
LARGE_PIXELS = 4_000_000


class _Work:
    def __init__(self, client, large):
        self.client, self.large = client, large
        self.turn = asyncio.get_running_loop().create_future()


class Turns:
    """Slots for runs, one more than cores. Used from one event loop only.

    A client may hold all slots but one, and large work half as many as there are cores, so neither
    keeps others waiting. Among those that wait, the client with the fewest runs is next.
    """

    def __init__(self, cores=None):
        cores = cores or os.cpu_count() or 1
        self._slots, self._per_client, self._large = cores + 1, cores, max(1, cores // 2)
        self._pool = concurrent.futures.ThreadPoolExecutor(self._slots, "run")
        self._waiting, self._running = [], []

    @property
    def busy(self):
        """Number of runs under way."""
        return len(self._running)

    async def run(self, client, pixels, function, waiting=None):
        """function() in a thread, when it is the turn of this work of a client.

        `waiting`, if given, is called with True if the work has to wait, and with False when it no
        longer does. A cancelled run that has begun keeps its slot to the end.
        """
        work = _Work(client, pixels > LARGE_PIXELS)
        self._waiting.append(work)
        self._start_next()
        if waiting and not work.turn.done():
            waiting(True)
        try:
            await work.turn
        except asyncio.CancelledError:
            if work in self._waiting:
                self._waiting.remove(work)
            else:
                self._finish(work)
            raise
        finally:
            if waiting:
                waiting(False)
        run = asyncio.get_running_loop().run_in_executor(self._pool, function)
        run.add_done_callback(lambda done: self._finish(work, done))
        return await asyncio.shield(run)

    def close(self):
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _start_next(self):
        while work := self._next():
            self._waiting.remove(work)
            self._running.append(work)
            work.turn.set_result(None)

    def _next(self):
        """The work whose turn it is, None if none may begin."""
        if len(self._running) >= self._slots:
            return None
        runs = {}
        for work in self._running:
            runs[work.client] = runs.get(work.client, 0) + 1
        large_left = self._large - sum(work.large for work in self._running)
        ready = [
            work
            for work in self._waiting
            if runs.get(work.client, 0) < self._per_client and (large_left > 0 or not work.large)
        ]
        # The first of equals: the list is in the order of arrival.
        return min(ready, key=lambda work: runs.get(work.client, 0), default=None)

    def _finish(self, work, done=None):
        self._running.remove(work)
        if done is not None and not done.cancelled():
            done.exception()  # read it: asyncio reports exceptions that are never read
        self._start_next()
