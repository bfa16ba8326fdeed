"""Manager: loads, serves and unloads the versions of the configured models.

1. Every poll lists the versions under the base paths; the policies choose the wanted ones.
2. Wanted versions load in separate threads. A failed load is repeated a few times, and then not
   again until its folder changes.
3. An unwanted version unloads once a wanted one is available and its own last request is done. A
   broken version therefore leaves the old one serving.
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

# Models that load at the same time; each takes twice its memory meanwhile.
_LOADERS = 2
_STATES = get_model_status_pb2.ModelVersionStatus.State


class Version:
    """One version of a model: its state, its last error, its users."""

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
      poll_seconds: seconds between two looks for versions; 0: one look.
      retries: attempts to load after a failed one.
      retry_seconds: seconds between two attempts.
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
        """Starts loading, and waits until each version on the disk has been tried once."""
        scan = _scan(self._models)
        for name, folders in scan.items():
            if not folders:  # they may come later, but the path may also be mistyped
                wrong = "No versions found under" if folders is not None else "Could not find"
                path = self._models[name].base_path
                logging.warning("%s base path %s for servable %s", wrong, path, name)
        with self._changed:
            self._take(scan)
            self._changed.wait_for(lambda: all(v.tried for v in self._versions.values()))
        self._thread.start()

    def stop(self):
        """Unloads all models; requests under way still finish on theirs."""
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
        """Name of each configured model -> its available versions, both sorted."""
        with self._changed:
            return {name: sorted(self._available(name)) for name in sorted(self._models)}

    @contextlib.contextmanager
    def use(self, spec):
        """Holds a version for one request, so that it is not unloaded meanwhile.

        Args:
          spec: ModelSpec: a name, and optionally a version or a label.
        Returns:
          context manager of the `Version`, with its `model` loaded.
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
            matches = [v for v in self._versions.values() if v.name == spec.name]
            if number is not None:
                matches = [v for v in matches if v.number == number]
                if not matches:
                    raise not_found(f"Could not find version {number} of model {spec.name}")
            if not matches:
                raise not_found(f"Could not find any versions of model {spec.name}")
            for version in sorted(matches, key=lambda v: v.number, reverse=True):
                entry = response.model_version_status.add()
                entry.version, entry.state = version.number, _STATES.Value(version.state)
                entry.status.error_code = version.error.number if version.error else 0
                entry.status.error_message = version.error.message if version.error else ""
        return response

    def reload(self, config, timeout=None):
        """Takes a new configuration, and waits until its new models are available.

        Args:
          config: ModelServerConfig.
          timeout: seconds to wait at most.
        Raises:
          StatusError: the configuration is refused, and the old one stays; or a new model did not
            become available.
        """
        check_models(config)
        models = {model.name: model for model in config.model_config_list.config}
        scan = _scan(models)
        with self._changed:
            new = models.keys() - self._models.keys()
            for name in sorted(new):
                if scan[name] is None:
                    raise invalid(
                        f"Could not find base path {models[name].base_path} for servable {name}"
                    )
            self._check_labels(models)
            self._adopt(config)
            self._take(scan)
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
        """Refuses labels that move to unavailable versions; labels of new models are free."""
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
            models, scan = self._models, None
            if self._poll_seconds > 0 and time.monotonic() >= self._poll_at:
                scan = _scan(models)  # without the lock: a file system may be slow
            with self._changed:
                # A reload meanwhile has made its own scan.
                if scan is not None and models is self._models:
                    self._take(scan)
                self._retry()
                self._retire_unwanted()
                if not self._stopping:
                    self._changed.wait(self._pause())

    def _pause(self):
        times = [version.retry_at for version in self._versions.values() if version.retry_at]
        if self._poll_seconds > 0:
            times.append(self._poll_at)
        return max(0.0, min(times) - time.monotonic()) if times else None

    def _take(self, scan):
        """Loads and retires versions by a scan of the disk.

        Args:
          scan: as `_scan` gives it.
        """
        self._poll_at = time.monotonic() + self._poll_seconds
        wanted = {}
        for name, folders in scan.items():
            if folders is None:  # keep the state until the base path is back
                wanted |= {(name, v.number): (v.path, v.stamp) for v in self._of(name) if v.wanted}
                continue
            for number in versions.to_serve(self._models[name].model_version_policy, folders):
                wanted[name, number] = folders[number]
        for key, (path, stamp) in sorted(wanted.items()):
            version = self._versions.get(key)
            ended = version is not None and version.state == "END"
            # A wanted version that ended has failed: it loads again once its folder has changed.
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
            # The pool is closed if the server stopped without waiting for this request.
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
            # Without the traceback, which would keep the half-loaded model in memory.
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
                # The state stays LOADING; the status shows the error.
                version.retry_at = time.monotonic() + self._retry_seconds
            self._changed.notify_all()


def _scan(models):
    """Model name -> dict of version -> (folder, its stamp), or None without a base path."""
    scan = {}
    for name, model in models.items():
        folders = versions.on_disk(model.base_path)
        scan[name] = folders and {n: (path, versions.stamp(path)) for n, path in folders.items()}
    return scan
