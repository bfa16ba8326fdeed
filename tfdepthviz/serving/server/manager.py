"""Which versions of which models are loaded, and who uses them.

1. Every poll looks at the base paths and compares what the policies want with what is there.
2. What is wanted loads in threads of its own; a failed load is tried again, then given up until
   its folder changes.
3. What is not wanted any more unloads only once something wanted is available, so that a broken
   version leaves the old one serving; it unloads when its last request is done.
"""

import concurrent.futures
import contextlib
import logging
import threading
import time

from tensorflow_serving.apis import get_model_status_pb2

from tfdepthviz.serving.server import versions
from tfdepthviz.serving.server.config_files import check_models
from tfdepthviz.serving.server.status import StatusError, invalid, not_found, of

# Models that load at the same time; each takes its memory twice while it does.
_LOADERS = 2
_STATES = get_model_status_pb2.ModelVersionStatus.State


class Version:
    """One version of a model: what state it is in, and what it failed with."""

    def __init__(self, name, number, path, stamp):
        self.name, self.number, self.path, self.stamp = name, number, path, stamp
        self.state, self.error = "LOADING", None
        self.attempts, self.retry_at = 0, None
        self.wanted, self.users, self.model = True, 0, None

    @property
    def tried(self):
        """Whether the first attempt to load is over."""
        return self.attempts > 0

    def __str__(self):
        return f"{{name: {self.name} version: {self.number}}}"


class Manager:
    """Loads, serves and unloads models.

    Args:
      config: ModelServerConfig with absolute base paths.
      load: function of a version's folder -> model with `run` and `close`.
      poll_seconds: how often to look for versions; 0: once.
      retries: attempts after a failed one.
      retry_seconds: from one attempt to the next.
    """

    def __init__(self, config, load, *, poll_seconds, retries, retry_seconds):
        self._load, self._poll_seconds = load, poll_seconds
        self._retries, self._retry_seconds = retries, retry_seconds
        self._changed = threading.Condition()
        self._versions = {}  # (name, number) -> Version
        self._stopping = False
        self._poll_at = 0.0
        self._pool = concurrent.futures.ThreadPoolExecutor(_LOADERS, "load")
        self._thread = threading.Thread(target=self._run, name="versions", daemon=True)
        self._adopt(config)

    def start(self):
        """Begins to load, and waits until each version that is there has been tried once."""
        found = _scan(self._models)
        for name, there in found.items():
            if not there:  # it may still come, but a name may also be mistyped
                wrong = "No versions found under" if there is not None else "Could not find"
                path = self._models[name].base_path
                logging.warning("%s base path %s for servable %s", wrong, path, name)
        with self._changed:
            self._take(found)
            self._changed.wait_for(lambda: all(v.tried for v in self._versions.values()))
        self._thread.start()

    def stop(self):
        """Unloads everything; requests that are under way still finish on what they hold."""
        with self._changed:
            self._stopping = True
            for version in self._versions.values():
                version.wanted = False
                self._retire(version)
            self._changed.notify_all()
        if self._thread.ident:
            self._thread.join()
        self._pool.shutdown()

    def names(self):
        """Names of the configured models, sorted."""
        with self._changed:
            return sorted(self._models)

    def available(self):
        """Name of each configured model -> its versions that can be asked, both sorted."""
        with self._changed:
            return {name: sorted(self._available(name)) for name in sorted(self._models)}

    @contextlib.contextmanager
    def use(self, spec):
        """A version for the time of one request: it is not unloaded before.

        Args:
          spec: ModelSpec: a name, and perhaps a version or a label.
        Returns:
          context manager of the `Version`, its `model` loaded.
        Raises:
          StatusError: no such model or version is available, or no such label.
        """
        if not spec.name:
            raise invalid("ModelSpec has no name specified.")
        with self._changed:
            version = self._find(spec)
            version.users += 1
        try:
            yield version
        finally:
            with self._changed:
                version.users -= 1
                self._close_if_idle(version)

    def status(self, spec):
        """GetModelStatusResponse of a model's versions, the highest first.

        Raises:
          StatusError: NOT_FOUND.
        """
        response = get_model_status_pb2.GetModelStatusResponse()
        with self._changed:
            number = self._asked_number(spec)
            found = [v for v in self._versions.values() if v.name == spec.name]
            if number is not None:
                found = [v for v in found if v.number == number]
                if not found:
                    raise not_found(f"Could not find version {number} of model {spec.name}")
            if not found:
                raise not_found(f"Could not find any versions of model {spec.name}")
            for version in sorted(found, key=lambda v: v.number, reverse=True):
                entry = response.model_version_status.add()
                entry.version, entry.state = version.number, _STATES.Value(version.state)
                entry.status.error_code = version.error.number if version.error else 0
                entry.status.error_message = version.error.message if version.error else ""
        return response

    def reload(self, config, timeout=None):
        """Takes another configuration, and waits for the models that are new in it.

        Args:
          config: ModelServerConfig.
          timeout: seconds to wait at most.
        Raises:
          StatusError: the configuration cannot be taken, and the old one stays; or a new model
            did not become available.
        """
        check_models(config)
        models = {model.name: model for model in config.model_config_list.config}
        found = _scan(models)
        with self._changed:
            new = models.keys() - self._models.keys()
            for name in sorted(new):
                if found[name] is None:
                    raise invalid(
                        f"Could not find base path {models[name].base_path} for servable {name}"
                    )
            self._check_labels(models)
            self._adopt(config)
            self._take(found)
            waited = [v for v in self._versions.values() if v.name in new]
            if not self._changed.wait_for(lambda: all(v.tried for v in waited), timeout):
                raise StatusError("DEADLINE_EXCEEDED", "models are still loading")
            self._changed.notify_all()
            failed = [name for name in sorted(new) if not self._available(name)]
            if failed:
                reasons = ", ".join(
                    f"{{{version} due to error: {version.error}}}"
                    for version in waited
                    if version.name in failed
                )
                raise StatusError(
                    "UNKNOWN", f"{len(failed)} model(s) did not become available: {{{reasons}}}"
                )

    def _adopt(self, config):
        self._models = {model.name: model for model in config.model_config_list.config}
        self._labels = {name: dict(m.version_labels) for name, m in self._models.items()}

    def _check_labels(self, models):
        """A label moves to what is available only; a new model's labels are taken as they are."""
        for name in models.keys() & self._models.keys():
            for label, number in models[name].version_labels.items():
                if self._labels[name].get(label) == number:
                    continue
                if number not in self._available(name):
                    raise StatusError(
                        "FAILED_PRECONDITION",
                        f"Request to assign label to version {number} of model {name}, which is "
                        "not currently available for inference",
                    )

    def _available(self, name):
        return {
            version.number: version
            for version in self._versions.values()
            if version.name == name and version.state == "AVAILABLE"
        }

    def _asked_number(self, spec):
        choice = spec.WhichOneof("version_choice")
        if choice == "version":
            return spec.version.value
        if choice == "version_label":
            labels = self._labels.get(spec.name, {})
            if spec.version_label not in labels:
                raise invalid(f"Unrecognized servable version label: {spec.version_label}")
            return labels[spec.version_label]
        return None

    def _find(self, spec):
        number = self._asked_number(spec)
        available = self._available(spec.name)
        if number is None and available:
            return available[max(available)]
        if number not in available:
            request = (
                f"Latest({spec.name})" if number is None else f"Specific({spec.name}, {number})"
            )
            raise not_found(f"Servable not found for request: {request}")
        return available[number]

    def _run(self):
        while not self._stopping:
            models, found = self._models, None
            if self._poll_seconds > 0 and time.monotonic() >= self._poll_at:
                found = _scan(models)  # without the lock: a file system may take its time
            with self._changed:
                # If the configuration has changed meanwhile, it has been looked at, too.
                if found is not None and models is self._models:
                    self._take(found)
                self._retry()
                self._retire_unwanted()
                if not self._stopping:
                    self._changed.wait(self._pause())

    def _pause(self):
        times = [version.retry_at for version in self._versions.values() if version.retry_at]
        if self._poll_seconds > 0:
            times.append(self._poll_at)
        return max(0.0, min(times) - time.monotonic()) if times else None

    def _take(self, found):
        """Takes up what `_scan` has found."""
        self._poll_at = time.monotonic() + self._poll_seconds
        wanted = {}
        for name, there in found.items():
            if there is None:  # as it was, until the base path is back
                wanted |= {(name, v.number): (v.path, v.stamp) for v in self._of(name) if v.wanted}
                continue
            for number in versions.wanted(self._models[name].model_version_policy, there):
                wanted[name, number] = there[number]
        for key, (path, stamp) in sorted(wanted.items()):
            version = self._versions.get(key)
            ended = version is not None and version.state == "END"
            # One that ended although it was wanted has failed: it comes again once it has changed.
            if version is None or ended and not (version.wanted and version.stamp == stamp):
                self._versions[key] = version = Version(*key, path, stamp)
                self._submit(version)
        for key, version in self._versions.items():
            version.wanted = key in wanted
        self._retire_unwanted()

    def _of(self, name):
        return [version for version in self._versions.values() if version.name == name]

    def _retry(self):
        for version in self._versions.values():
            if version.retry_at and time.monotonic() >= version.retry_at:
                version.retry_at = None
                self._submit(version)

    def _retire_unwanted(self):
        for version in list(self._versions.values()):
            if version.wanted:
                continue
            others = [v for v in self._of(version.name) if v.wanted]
            if not others or any(v.state == "AVAILABLE" for v in others):
                self._retire(version)

    def _retire(self, version):
        if version.state == "LOADING" and version.retry_at:
            version.state, version.retry_at = "END", None
        elif version.state == "AVAILABLE":
            version.state = "UNLOADING"
            self._close_if_idle(version)

    def _close_if_idle(self, version):
        if version.state == "UNLOADING" and not version.users and version.model:
            model, version.model = version.model, None
            # Not submitted where the server has stopped without waiting for this request.
            with contextlib.suppress(RuntimeError):
                self._pool.submit(self._close, version, model)

    def _close(self, version, model):
        model.close()
        with self._changed:
            version.state = "END"
            self._changed.notify_all()

    def _submit(self, version):
        self._pool.submit(self._attempt, version)

    def _attempt(self, version):
        model = error = None
        try:
            model = self._load(version.path)
        except BaseException as raised:
            # Without the traceback, which holds what has been loaded so far.
            error = StatusError(of(raised).code, of(raised).message)
            logging.warning("Loading servable: %s failed: %s", version, error)
        with self._changed:
            version.attempts += 1
            version.model, version.error = model, error
            if model:
                version.state = "AVAILABLE"
                if self._stopping:
                    self._retire(version)
            elif version.attempts > self._retries or not version.wanted or self._stopping:
                version.state = "END"
            else:
                # Still loading, but whoever looks shall see why it takes so long.
                version.retry_at = time.monotonic() + self._retry_seconds
            self._changed.notify_all()


def _scan(models):
    """Model name -> dict of version -> (folder, when it changed), or None without a base path."""
    found = {}
    for name, model in models.items():
        there = versions.on_disk(model.base_path)
        found[name] = there and {n: (path, versions.stamp(path)) for n, path in there.items()}
    return found
