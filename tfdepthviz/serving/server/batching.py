"""Dynamic batching: joins compatible requests into one run of the graph.

As in TensorFlow Serving, one set of threads serves the queues of all models. Requests are joined if
they ask for the same tensors of the same version and their inputs have equal types and equal
shapes, apart from the first dimension. If a joined run fails, each of its requests runs alone, so
that no client gets another's error.
"""

import collections
import concurrent.futures
import threading
import time

import numpy as np

from tfdepthviz.serving.server.status import StatusError, invalid


class Scheduler:
    """Threads that run batches, shared by all models.

    Args:
      options: `options.Batching`.
      metrics: `monitoring.Metrics`.
    """

    def __init__(self, options, metrics):
        self.options = options
        self._metrics = metrics
        self._batches = collections.deque()  # oldest first
        self._changed = threading.Condition()
        self._stopped = False
        self._threads = [
            threading.Thread(target=self._work, name=f"{options.thread_pool_name}_{i}", daemon=True)
            for i in range(options.num_batch_threads)
        ]
        for thread in self._threads:
            thread.start()

    def stop(self):
        """Ends the threads once the waiting batches have run."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def submit(self, queue, key, task):
        """Adds a task to an open batch, or begins a batch.

        Args:
          queue: `BatchedModel`; the limit on waiting batches holds for each.
          key: value that tasks must share to be joined.
          task: `Task`.
        Raises:
          StatusError: UNAVAILABLE, the queue is full.
        """
        with self._changed:
            mine = [b for b in self._batches if b.queue is queue]
            batch = next((b for b in mine if b.open and b.key == key), None)
            if batch and batch.size + task.size > self.options.max_batch_size:
                batch.open = False
                batch = None
            if batch is None:
                if len(mine) >= self.options.max_enqueued_batches:
                    raise StatusError(
                        "UNAVAILABLE",
                        "The batch scheduling queue to which this task was submitted is full",
                    )
                batch = Batch(queue, key, due=task.begun + self.options.batch_timeout_micros / 1e6)
                self._batches.append(batch)
            batch.tasks.append(task)
            batch.size += task.size
            if batch.size == self.options.max_batch_size:
                batch.open = False
            # Wake all: one may take another batch, and this one's timeout must be watched.
            self._changed.notify_all()

    def _work(self):
        while (batch := self._next()) is not None:
            now = time.monotonic()
            pool = self.options.thread_pool_name
            for task in batch.tasks:
                waited = (now - task.begun) * 1e6
                self._metrics.record("serving:batching_session:queuing_latency", waited, pool)
            padded = padded_size(batch.size, self.options.allowed_batch_sizes)
            self._metrics.record("serving:batching_session:processed_batch_size", padded, pool)
            batch.queue.run_batch(batch.tasks, padded)

    def _next(self):
        """The first batch that is full or due; None when there is nothing left to do."""
        with self._changed:
            while True:
                now = time.monotonic()
                for batch in self._batches:
                    if not batch.open or batch.due <= now or self._stopped:
                        batch.open = False
                        self._batches.remove(batch)
                        return batch
                if self._stopped:
                    return None
                due = min((batch.due for batch in self._batches), default=None)
                self._changed.wait(None if due is None else due - now)


class Batch:
    """Tasks that will run together; more may join while it is open."""

    def __init__(self, queue, key, due):
        self.queue, self.key, self.due = queue, key, due
        self.tasks, self.size, self.open = [], 0, True


class Task:
    """One request of a batch."""

    def __init__(self, feeds, fetches, size):
        self.feeds, self.fetches, self.size = feeds, fetches, size
        self.begun = time.monotonic()
        self.result = concurrent.futures.Future()

    def run_alone(self, model):
        try:
            self.result.set_result(model.run(self.feeds, self.fetches))
        except Exception as error:
            # The traceback refers to this task and would keep its arrays until the next garbage
            # collection.
            self.result.set_exception(error.with_traceback(None))


class BatchedModel:
    """A loaded model whose runs are joined.

    Args:
      model: `saved_model.SavedModel`.
      scheduler: `Scheduler`.
    """

    def __init__(self, model, scheduler):
        self.signatures = model.signatures
        self._model, self._scheduler = model, scheduler

    def run(self, feeds, fetches):
        """As `SavedModel.run`, for inputs whose first dimension is the batch."""
        feeds = {name: np.asarray(array) for name, array in feeds.items()}
        size = _batch_size(feeds.values(), self._scheduler.options.max_batch_size)
        fetches = tuple(fetches)
        if not size:
            return self._model.run(feeds, fetches)
        shapes = sorted((name, a.dtype.str, a.shape[1:]) for name, a in feeds.items())
        task = Task(feeds, fetches, size)
        self._scheduler.submit(self, (fetches, tuple(shapes)), task)
        result = task.result
        del task  # see Task.run_alone
        try:
            return result.result()
        finally:
            del result

    def close(self):
        self._model.close()

    def run_batch(self, tasks, padded):
        """Runs tasks as one, or each alone if that fails, and sets their results."""
        try:
            outputs = self._run_joined(tasks, padded)
        except Exception as error:
            if len(tasks) == 1 and padded == tasks[0].size:
                tasks[0].result.set_exception(error.with_traceback(None))
                return
            for task in tasks:
                task.run_alone(self._model)
            return
        for task, output in zip(tasks, outputs, strict=True):
            task.result.set_result(output)

    def _run_joined(self, tasks, padded):
        """List of the outputs of each task."""
        filling = padded - sum(task.size for task in tasks)
        feeds = {}
        for name, first in tasks[0].feeds.items():
            arrays = [task.feeds[name] for task in tasks]
            if filling:
                arrays.append(np.repeat(first[:1], filling, axis=0))
            feeds[name] = np.concatenate(arrays) if len(arrays) > 1 else first
        outputs = self._model.run(feeds, tasks[0].fetches)
        for output in outputs:
            _check_output(output, padded)
        ends = np.cumsum([task.size for task in tasks])
        return [
            [output[end - task.size : end] for output in outputs]
            for task, end in zip(tasks, ends, strict=True)
        ]


def padded_size(size, allowed):
    """The smallest allowed size that holds `size`; without allowed sizes, `size` itself."""
    return next((number for number in allowed if number >= size), size)


def _batch_size(arrays, limit):
    if any(not array.ndim for array in arrays):
        raise invalid("Batching Run() input tensors must have at least one dimension")
    sizes = {len(array) for array in arrays}
    if len(sizes) != 1:
        raise invalid("Batching Run() input tensors must have equal 0th-dimension size")
    (size,) = sizes
    if size > limit:
        raise invalid(f"Task size {size} is larger than maximum input batch size {limit}")
    return size


def _check_output(output, size):
    if not np.ndim(output):
        raise StatusError("FAILED_PRECONDITION", "Batched output tensor has 0 dimensions")
    if len(output) != size:
        raise StatusError(
            "FAILED_PRECONDITION",
            "Batched output tensor's 0th dimension does not equal the sum of the 0th dimension "
            "sizes of the input tensors",
        )
