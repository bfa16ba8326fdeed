"""The cluster of processes that TF_CONFIG describes, one on each machine, which train as one.

    TF_CONFIG='{"cluster": {"worker": ["10.0.0.1:7000", "10.0.0.2:7000"]},
                "task": {"type": "worker", "index": 0}}'

TensorFlow's MultiWorkerMirroredStrategy does the work. Here is what a training command asks of its
cluster, and `ALONE`, which answers the same for a single process, at no cost. The chief, which is
the first worker, writes into the work folder; nobody else does. docs/many_machines.md says more.
"""

import contextlib
import hashlib
import json
import os
import re

import numpy as np
import tensorflow as tf

from tfdepthviz.utils.errors import InputError, one_line
from trainers.engine.signals import TRY_AGAIN

MULTI_WORKER = "multi_worker"
EXAMPLE = (
    '{"cluster": {"worker": ["HOST0:PORT", "HOST1:PORT"]}, "task": {"type": "worker", "index": 0}}'
)
# What TensorFlow raises in the processes that are left.
LOST = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
)
NAMED = re.compile(r"/job:(\w+)(?:/replica:\d+)?/task:(\d+)")

_joined = None


class WorkerLost(Exception):
    """Another worker of the cluster has ended, or cannot be reached."""

    exit_code = TRY_AGAIN


class Alone:
    """A cluster of this process alone.

    Attributes:
      part: (number, count), which part of each batch this process computes.
      is_chief: whether it writes.
    """

    part = (0, 1)
    is_chief = True

    def join(self):
        """The strategy; None, as a process alone may take any."""
        return None

    def distribute(self, strategy, batches):
        """Batches of this process's part -> what the strategy iterates over."""
        return strategy.experimental_distribute_dataset(batches)

    def greatest(self, number):
        """The greatest of the numbers that the workers ask with; all must ask."""
        return number

    def of_chief(self, *numbers):
        """The numbers that the chief asks with; all must ask."""
        return numbers

    def whole(self, strategy, values):
        """All examples of a distributed part of a batch, as an array."""
        parts = strategy.experimental_local_results(values)
        return np.concatenate([part.numpy() for part in parts])

    def check_same(self, things):
        """Raises InputError in every worker naming the first thing that differs.

        Args:
          things: dict of name -> what JSON can hold.
        """
        return None

    def leave_together(self):
        """Returns once all have asked, before the process may end; otherwise one that still waits
        for an answer would take the others for lost.
        """
        return None


ALONE = Alone()


class Cluster(Alone):
    """What TF_CONFIG describes.

    Args:
      names: what TensorFlow calls the tasks, such as ("worker", 1), the chief first.
      addresses: HOST:PORT of each.
      number: which of them this process is.
    """

    def __init__(self, names, addresses, number):
        self.names = names
        self.addresses = addresses
        self.number = number
        self.part = (number, len(addresses))
        self.is_chief = number == 0

    def join(self):
        """The strategy, once all workers are there; before anything else of TensorFlow runs.

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
        # One for all questions: each new one would be traced anew.
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

    def check_same(self, things):
        texts = [json.dumps(thing, sort_keys=True) for thing in things.values()]
        # As many bits as a float64 holds.
        sums = [int(hashlib.sha256(text.encode()).hexdigest()[:12], 16) for text in texts]
        rows = self._all(*sums)
        for place, name in enumerate(things):
            others = [i for i, row in enumerate(rows) if row[place] != rows[0][place]]
            if others:
                self.leave_together()
                raise InputError(
                    f"--strategy={MULTI_WORKER}: {self._called(others)} differs from the chief "
                    f"({self.addresses[0]}) in {name}"
                )

    def leave_together(self):
        self._all(0)
        # Whoever gets this answer may leave before the next one has it. All have the one before.
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
        """The WorkerLost that an exception of TensorFlow tells of."""
        found = {(job, int(task)) for job, task in NAMED.findall(str(error))}
        others = [i for i, name in enumerate(self.names) if name in found and i != self.number]
        called = self._called(others[:1]) if others else "another worker"
        return WorkerLost(
            f"stopped: {called} has ended, and says there why, or cannot be reached; the same "
            "command on every machine continues"
        )


@contextlib.contextmanager
def watched():
    """Raises WorkerLost in place of what TensorFlow raises when a worker has ended."""
    try:
        yield
    except LOST as error:
        if _joined is None:
            raise
        raise _joined.lost(error) from error


def described(strategy):
    """The cluster in which a command shall run.

    Args:
      strategy: value of --strategy.
    Returns:
      Cluster if that is multi_worker, else ALONE.
    Raises:
      InputError: TF_CONFIG is missing, or is none, or describes a cluster for another strategy.
    """
    text = os.environ.get("TF_CONFIG", "").strip()
    if not text:
        os.environ.pop("TF_CONFIG", None)  # TensorFlow would stumble over an empty one
    if strategy == MULTI_WORKER:
        if not text:
            raise InputError(f"--strategy={MULTI_WORKER}: TF_CONFIG is not set, such as {EXAMPLE}")
        return _parsed(text)
    # Platforms set it for a single machine, too.
    if text and len(_parsed(text).addresses) > 1:
        raise InputError(
            f"--strategy={strategy}: TF_CONFIG describes several workers; give "
            f"--strategy={MULTI_WORKER}, or unset TF_CONFIG"
        )
    return ALONE


def _parsed(text):
    try:
        config = json.loads(text)
    except ValueError as error:
        raise _wrong("", "JSON", text) from error
    cluster, task = (_field(config, name, dict) for name in ("cluster", "task"))
    jobs = {name: addresses for name, addresses in cluster.items() if addresses}
    if set(jobs) - {"chief", "worker"} or not jobs:
        raise _wrong("cluster", "jobs `worker` and, if any, `chief`", sorted(jobs))
    names, addresses = [], []
    for job in sorted(jobs):  # the chief is first
        listed = _field(jobs, job, list, "cluster.")
        for address in listed:
            if not isinstance(address, str) or not re.fullmatch(r"\S+:\d{1,5}", address):
                raise _wrong(f"cluster.{job}", "addresses HOST:PORT", address)
        names += [(job, number) for number in range(len(listed))]
        addresses += listed
    if len(set(addresses)) < len(addresses):
        raise _wrong("cluster", "a different address for each task", addresses)
    if len(jobs.get("chief", ())) > 1:
        raise _wrong("cluster.chief", "one address", jobs["chief"])
    me = (_field(task, "type", str, "task."), _field(task, "index", int, "task."))
    if me not in names:
        raise _wrong("task", f"one of {', '.join(f'{j} {i}' for j, i in names)}", task)
    return Cluster(names, addresses, names.index(me))


def _field(holder, name, kind, path=""):
    value = holder.get(name) if isinstance(holder, dict) else None
    if type(value) is not kind:
        words = {dict: "an object", list: "a list", str: "a text", int: "a whole number"}
        raise _wrong(path + name, words[kind], value if isinstance(holder, dict) else holder)
    return value


def _wrong(field, expected, received):
    where = f"TF_CONFIG: {field}:" if field else "TF_CONFIG:"
    return InputError(f"{where} expected {expected}, such as {EXAMPLE}; received {received!r:.200}")
