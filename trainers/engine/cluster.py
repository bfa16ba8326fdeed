"""Cluster: the processes, one on each machine, that train one network together.

TF_CONFIG lists them (see tf_config.py), and TensorFlow's MultiWorkerMirroredStrategy adds up their
gradients. The chief, which is the first worker, is the only one that writes into the work folder.
A training command asks its cluster the questions below; `ALONE` answers them for a command that
runs in one process, at no cost. docs/many_machines.md shows how to start a cluster.
"""

import contextlib
import hashlib
import json
import os
import re

import numpy as np
import tensorflow as tf

from tfdepthviz.utils.errors import InputError, one_line
from trainers.engine import tf_config
from trainers.engine.signals import TRY_AGAIN

MULTI_WORKER = "multi_worker"
# TensorFlow's errors in the other processes once one has ended.
LOST = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
)
# The job and the number of a process in such an error.
NAMED = re.compile(r"/job:(\w+)(?:/replica:\d+)?/task:(\d+)")

# The Cluster that this process has joined; a process joins one at most.
_joined = None


class WorkerLost(Exception):
    """Another worker of the cluster has ended, or cannot be reached."""

    exit_code = TRY_AGAIN


class Alone:
    """A cluster of this process alone.

    Attributes:
      part: (number, count), the part of each batch that this process computes.
      is_chief: whether this process writes into the work folder.
    """

    part = (0, 1)
    is_chief = True

    def join(self):
        """The cluster's strategy; None here, as a single process may take any."""
        return None

    def distribute(self, strategy, batches):
        """Batches of this process's part -> the object that the strategy iterates over."""
        return strategy.experimental_distribute_dataset(batches)

    def greatest(self, number):
        """The greatest of all workers' numbers; every worker must call it."""
        return number

    def of_chief(self, *numbers):
        """The chief's numbers; every worker must call it with as many."""
        return numbers

    def whole(self, strategy, values):
        """All examples of a distributed part of a batch, as an array."""
        parts = strategy.experimental_local_results(values)
        return np.concatenate([part.numpy() for part in parts])

    def check_same(self, values):
        """Checks that all workers have the same values; every worker must call it.

        Args:
          values: dict of name -> value that JSON can hold.
        Raises:
          InputError: in every worker, naming the first value that differs.
        """
        return None

    def leave_together(self):
        """Waits for all workers before the process ends; every worker must call it.

        Without it, a worker that still waits for an answer would take the others for lost.
        """
        return None


ALONE = Alone()


class Cluster(Alone):
    """A cluster of several processes.

    Args:
      tasks: tf_config.Tasks: the processes, and which of them this one is.
    """

    def __init__(self, tasks):
        self.names = tasks.names
        self.addresses = tasks.addresses
        self.number = tasks.number
        self.part = (tasks.number, len(tasks.addresses))
        self.is_chief = tasks.number == 0

    def join(self):
        """Waits for all workers; nothing else of TensorFlow may run before.

        Returns:
          the cluster's MultiWorkerMirroredStrategy.
        Raises:
          InputError: TensorFlow runs already, or the port is taken.
        """
        global _joined
        number, count = self.part
        print(f"worker {number} of {count} ({self.addresses[number]}): joining", flush=True)
        _joined = self
        try:
            self.strategy = tf.distribute.MultiWorkerMirroredStrategy()
        except RuntimeError as error:
            _joined = None
            raise InputError(
                f"--strategy={MULTI_WORKER}: must be the first that TensorFlow does in a process"
            ) from error
        except tf.errors.UnknownError as error:
            raise InputError(
                f"TF_CONFIG: this worker cannot listen at {self.addresses[number]} "
                f"({one_line(error, 200)})"
            ) from error
        # One function for all questions, as each new function would be traced anew.
        self._gathered = tf.function(self._gather, reduce_retracing=True, autograph=False)
        return self.strategy

    def distribute(self, strategy, batches):
        replicas = strategy.num_replicas_in_sync // len(self.addresses)
        if replicas > 1:
            size = batches.element_spec["image"].shape[0]
            batches = batches.rebatch(size // replicas, drop_remainder=True)
        return strategy.distribute_datasets_from_function(lambda context: batches)

    def greatest(self, number):
        return max(row[0] for row in self._all(number))

    def of_chief(self, *numbers):
        return tuple(self._all(*numbers)[0])

    def whole(self, strategy, values):
        return strategy.gather(values, axis=0).numpy()

    def check_same(self, values):
        texts = [json.dumps(value, sort_keys=True) for value in values.values()]
        # 48 bits of each hash, which a float64 holds exactly.
        sums = [int(hashlib.sha256(text.encode()).hexdigest()[:12], 16) for text in texts]
        rows = self._all(*sums)
        for column, name in enumerate(values):
            others = [i for i, row in enumerate(rows) if row[column] != rows[0][column]]
            if others:
                self.leave_together()
                raise InputError(
                    f"--strategy={MULTI_WORKER}: {self._called(others)} differs from the chief "
                    f"({self.addresses[0]}) in {name}"
                )

    def leave_together(self):
        self._all(0)
        # A worker that has this second answer may end before the others have theirs, and so they
        # may lose it. All workers have the first answer by then.
        with contextlib.suppress(*LOST):
            self._all(0)

    def _all(self, *numbers):
        """The numbers of every worker, a list each."""
        rows = self._gathered(tf.constant([numbers], tf.float64)).numpy().tolist()
        return rows[:: len(rows) // len(self.addresses)]

    def _gather(self, row):
        return self.strategy.gather(self.strategy.run(tf.identity, args=(row,)), axis=0)

    def _called(self, numbers):
        return ", ".join(f"worker {number} ({self.addresses[number]})" for number in numbers)

    def lost(self, error):
        """The WorkerLost for an error of TensorFlow, which may name the worker."""
        named = {(job, int(task)) for job, task in NAMED.findall(str(error))}
        others = [i for i, name in enumerate(self.names) if name in named and i != self.number]
        called = self._called(others[:1]) if others else "another worker"
        return WorkerLost(
            f"stopped: {called} has ended, and says there why, or cannot be reached; the same "
            "command on every machine continues"
        )


@contextlib.contextmanager
def watched():
    """Turns TensorFlow's errors about a worker that has ended into WorkerLost."""
    try:
        yield
    except LOST as error:
        if _joined is None:
            raise
        raise _joined.lost(error) from error


def from_tf_config(strategy):
    """The cluster that TF_CONFIG describes, if the command is to run in one.

    Args:
      strategy: value of --strategy.
    Returns:
      Cluster if the value is multi_worker, else ALONE.
    Raises:
      InputError: TF_CONFIG is missing or wrong, or lists several workers for another strategy.
    """
    text = os.environ.get("TF_CONFIG", "").strip()
    if not text:
        os.environ.pop("TF_CONFIG", None)  # TensorFlow fails to parse an empty one
    if strategy == MULTI_WORKER:
        if not text:
            raise InputError(
                f"--strategy={MULTI_WORKER}: TF_CONFIG is not set, such as {tf_config.EXAMPLE}"
            )
        return Cluster(tf_config.parse(text))
    # Platforms also set it for a single machine.
    if text and len(tf_config.parse(text).addresses) > 1:
        raise InputError(
            f"--strategy={strategy}: TF_CONFIG describes several workers; give "
            f"--strategy={MULTI_WORKER}, or unset TF_CONFIG"
        )
    return ALONE
