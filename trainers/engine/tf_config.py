"""TF_CONFIG: the environment variable in which TensorFlow finds the processes of a cluster.

TF_CONFIG='{"cluster": {"worker": ["10.0.0.1:7000", "10.0.0.2:7000"]},
            "task": {"type": "worker", "index": 0}}'
"""

import dataclasses
import json
import re

from tfdepthviz.utils.errors import InputError

EXAMPLE = (
    '{"cluster": {"worker": ["HOST0:PORT", "HOST1:PORT"]}, "task": {"type": "worker", "index": 0}}'
)


@dataclasses.dataclass(frozen=True)
class Tasks:
    """Processes of a cluster, the chief first.

    Attributes:
      names: TensorFlow's name of each process, such as ("worker", 1).
      addresses: HOST:PORT of each process.
      number: place of this process in both lists.
    """

    names: list[tuple[str, int]]
    addresses: list[str]
    number: int


def parse(text):
    """The Tasks that a text of TF_CONFIG describes.

    Raises:
      InputError: it is no JSON, or a field is missing or wrong; the message names the field.
    """
    try:
        config = json.loads(text)
    except ValueError as error:
        raise _wrong("", "JSON", text) from error
    cluster, task = (_field(config, name, dict) for name in ("cluster", "task"))
    jobs = {name: addresses for name, addresses in cluster.items() if addresses}
    if set(jobs) - {"chief", "worker"} or not jobs:
        raise _wrong("cluster", "jobs `worker` and, if any, `chief`", sorted(jobs))
    names, addresses = [], []
    for job in sorted(jobs):  # "chief" sorts before "worker"
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
    own = (_field(task, "type", str, "task."), _field(task, "index", int, "task."))
    if own not in names:
        raise _wrong("task", f"one of {', '.join(f'{j} {i}' for j, i in names)}", task)
    return Tasks(names, addresses, names.index(own))


def _field(holder, name, kind, path=""):
    value = holder.get(name) if isinstance(holder, dict) else None
    if type(value) is not kind:
        words = {dict: "an object", list: "a list", str: "a text", int: "a whole number"}
        raise _wrong(path + name, words[kind], value if isinstance(holder, dict) else holder)
    return value


def _wrong(field, expected, received):
    where = f"TF_CONFIG: {field}:" if field else "TF_CONFIG:"
    return InputError(f"{where} expected {expected}, such as {EXAMPLE}; received {received!r:.200}")
