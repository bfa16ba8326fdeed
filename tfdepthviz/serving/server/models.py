"""Models: loads, serves and unloads the versions of the configured models.

Every poll lists the version folders, loads the wanted ones one after another, and then retires the
others. An unwanted version goes once a wanted one is available and its own last request is done, so
a broken version leaves the old one serving.
"""

import contextlib
import gc
import logging
import os
import re
import threading
import time

from tensorflow_serving.apis import get_model_status_pb2

from tfdepthviz.serving.server.status import StatusError, invalid, not_found, of

_NUMBER = re.compile(r"[0-9]{1,19}")
_STATES = get_model_status_pb2.ModelVersionStatus.State


class Version:
    """One version of a model: its state, its last error, its users."""

    def __init__(self, name, number, path, stamp):
        self.name, self.number, self.path, self.stamp = name, number, path, stamp
        self.state, self.error, self.model = "LOADING", None, None
        self.attempts, self.retry_at, self.users = 0, 0.0, 0


class Models:
    """Loads, serves and unloads models.

    Args:
      configs: dict of name -> `config.Model`.
      load: function of a version's folder -> model.
      poll_seconds, retries, retry_seconds: as in `options.Options`.
    """

    def __init__(self, configs, load, *, poll_seconds, retries, retry_seconds):
        self._configs, self._load, self._poll_seconds = configs, load, poll_seconds
        self._retries, self._retry_seconds = retries, retry_seconds
        self._versions = {}  # (name, number) -> Version
        self._lock, self._stopping = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="versions", daemon=True)

    def start(self):
        """Tries each version on the disk once, then looks for changes in a thread."""
        self._poll()
        if self._poll_seconds > 0:
            self._thread.start()

    def stop(self, timeout):
        """Unloads all models; returns whether no load is under way after `timeout` seconds."""
        self._stopping.set()
        if self._thread.ident:
            self._thread.join(timeout)
        with self._lock:
            for version in self._versions.values():
                self._retire(version)
        return not self._thread.is_alive()

    def names(self):
        """Names of the configured models, sorted."""
        return sorted(self._configs)

    def available(self):
        """Name of each configured model -> its available versions, both sorted."""
        with self._lock:
            return {name: sorted(self._available(name)) for name in self.names()}

    def failures(self):
        """Sentences about the models of which nothing serves."""
        return [self._failure(name) for name, numbers in self.available().items() if not numbers]

    def _failure(self, name):
        path = self._configs[name].base_path
        errors = [str(v.error) for v in self._versions.values() if v.name == name and v.error]
        nothing = "holds no version such as 1/" if os.path.isdir(path) else "does not exist"
        return f"model {name}: {'; '.join(errors) or f'its folder {nothing}'}"

    @contextlib.contextmanager
    def use(self, name, number=None, label=None):
        """Holds a version for one request, so that it is not unloaded meanwhile."""
        if not name:
            raise invalid("the model needs a name")
        with self._lock:
            version = self._find(name, self._number(name, number, label))
            version.users += 1
        try:
            yield version
        finally:
            with self._lock:
                version.users -= 1
                self._drop_if_idle(version)

    def status(self, name, number=None, label=None):
        """GetModelStatusResponse of a model's versions, the highest first."""
        response = get_model_status_pb2.GetModelStatusResponse()
        with self._lock:
            number = self._number(name, number, label)
            matches = [
                v for v in self._versions.values() if v.name == name and number in (None, v.number)
            ]
            if not matches:
                which = "any versions" if number is None else f"version {number}"
                raise not_found(f"Could not find {which} of model {name}")
            for version in sorted(matches, key=lambda v: v.number, reverse=True):
                entry = response.model_version_status.add(version=version.number)
                entry.state = _STATES.Value(version.state)
                entry.status.SetInParent()
                if error := version.error:
                    entry.status.error_code = error.number
                    entry.status.error_message = error.message
        return response

    def _available(self, name):
        states = self._versions.values()
        return {v.number: v for v in states if v.name == name and v.state == "AVAILABLE"}

    def _number(self, name, number, label):
        if label is None:
            return number
        labels = self._configs[name].labels if name in self._configs else {}
        if label not in labels:
            raise invalid(f"Unrecognized servable version label: {label}")
        return labels[label]

    def _find(self, name, number):
        available = self._available(name)
        if number is None and available:
            return available[max(available)]
        if number not in available:
            asked = f"Latest({name})" if number is None else f"Specific({name}, {number})"
            raise not_found(f"Servable not found for request: {asked}")
        return available[number]

    def _run(self):
        while not self._stopping.wait(self._poll_seconds):
            try:
                self._poll()
            except Exception:  # such as a disk error; the next poll tries again
                logging.exception("looking for versions failed")

    def _poll(self):
        for name, config in self._configs.items():
            folders = _on_disk(config.base_path)
            if folders is None:
                continue  # a file system may be away for a moment
            wanted = _to_serve(config.policy, folders)
            for number in sorted(wanted):
                if self._stopping.is_set():
                    return
                self._load_if_due(name, number, folders[number])
            with self._lock:
                self._retire_others(name, wanted)

    def _load_if_due(self, name, number, path):
        stamp = _stamp(path)
        with self._lock:
            version = self._versions.get((name, number))
            if version and version.state in ("AVAILABLE", "UNLOADING"):
                return
            # A failed version is tried again when its files have changed.
            if version is None or version.error is None or version.stamp != stamp:
                version = self._versions[name, number] = Version(name, number, path, stamp)
            elif version.state == "END" or time.monotonic() < version.retry_at:
                return
        model = error = None
        try:
            model = self._load(path)
        except BaseException as raised:
            # Without the traceback, which would keep the half-loaded model in memory.
            error = StatusError(of(raised).code, of(raised).message)
            logging.warning("version %d of model %s does not load: %s", number, name, error)
        with self._lock:
            version.attempts += 1
            version.model, version.error = model, error
            if model:
                version.state = "AVAILABLE"
            elif version.attempts > self._retries:
                version.state = "END"
            version.retry_at = time.monotonic() + self._retry_seconds

    def _retire_others(self, name, wanted):
        available = self._available(name)
        if wanted and not wanted & available.keys():
            return
        for version in list(self._versions.values()):
            if version.name == name and version.number not in wanted:
                self._retire(version)

    def _retire(self, version):
        if version.state == "AVAILABLE":
            version.state = "UNLOADING"
            self._drop_if_idle(version)
        elif version.state == "LOADING":
            version.state = "END"

    def _drop_if_idle(self, version):
        if version.state == "UNLOADING" and not version.users:
            version.state, version.model = "END", None
            # The functions of a loaded model refer to each other; this frees its variables now.
            threading.Thread(target=gc.collect, name="collect", daemon=True).start()


def _on_disk(base_path):
    """dict of version -> folder; None without such a base path."""
    try:
        names = os.listdir(base_path)
    except OSError:
        return None
    folders = {}
    for name in sorted(names):
        path = os.path.join(base_path, name)
        if _NUMBER.fullmatch(name) and int(name) < 2**63 and os.path.isdir(path):
            folders[int(name)] = path
    return folders


def _stamp(path):
    """A value that changes when a file anywhere below a version's folder changes."""
    entries = []
    for folder, _, files in os.walk(path):
        for name in (".", *files):
            with contextlib.suppress(OSError):
                status = os.stat(os.path.join(folder, name))
                entries.append((folder, name, status.st_ino, status.st_size, status.st_mtime_ns))
    return sorted(entries)


def _to_serve(policy, available):
    """Versions to serve, set of int; an empty policy means the latest version."""
    choice = policy.WhichOneof("policy_choice")
    if choice == "all":
        return set(available)
    if choice == "specific":
        return set(policy.specific.versions) & set(available)
    count = max(policy.latest.num_versions, 1)
    return set(sorted(available, reverse=True)[:count])
