"""Processes of the server and its clients: starting, measuring, memory by Linux, stopping."""

import contextlib
import json
import pathlib
import re
import subprocess
import sys
import urllib.request

from tfdepthviz.utils.errors import InputError

ROOT = pathlib.Path(__file__).resolve().parents[2]
_READY = re.compile(r"ready: http://(\S+:\d+)/ .*, (\S+:\d+) \(gRPC\)\n")
_STOP_SECONDS = 60


class Server:
    """`python -m trainers.serve` on free ports of loopback.

    Args:
      savedmodel: folder of one version.
      batching_file: batching parameters; None: requests are not joined.
      folder: folder for its own files.
    Attributes:
      pid: its process id.
      addresses: {"REST": "host:port", "gRPC": "host:port"}.
    """

    def __init__(self, savedmodel, batching_file, folder):
        self._folder = pathlib.Path(folder)
        self._folder.mkdir()
        models = self._folder / "models.config"
        models.write_text(_models_config(savedmodel), "utf-8")
        flags = [f"--model_config_file={models}", "--port=0", "--rest_api_port=0"]
        flags += [f"--monitoring_config_file={ROOT / 'savedmodels' / 'monitoring.config'}"]
        if batching_file:
            flags += ["--enable_batching", f"--batching_parameters_file={batching_file}"]
        with (self._folder / "stderr").open("wb") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "trainers.serve", *flags],
                cwd=ROOT,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,  # Ctrl-C reaches the benchmark only, which ends the server
            )
        self.pid, self.addresses = self._process.pid, None

    def wait_until_ready(self):
        line = self._process.stdout.readline()
        match = _READY.fullmatch(line)
        if not match:
            errors = (self._folder / "stderr").read_text(errors="replace")
            raise InputError(f"the server did not start: {(line + errors).strip()[-2000:]}")
        self.addresses = dict(zip(("REST", "gRPC"), match.groups(), strict=True))

    def batches(self):
        """Number of batches so far, by the server's metrics; 0 if it does not batch."""
        url = f"http://{self.addresses['REST']}/monitoring/prometheus/metrics"
        with urllib.request.urlopen(url, timeout=60) as response:
            page = response.read().decode()
        match = re.search(r"batching_session:processed_batch_size_count\{.*\} (\d+)", page)
        return int(match[1]) if match else 0

    def resident_mib(self, peak=False):
        """Resident memory, now or at its peak."""
        name = "VmHWM" if peak else "VmRSS"
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(rf"{name}:\s+(\d+) kB", status)[1]) / 1024

    def stop(self):
        _stop(self._process)


class Clients:
    """The process of the clients, see `clients`."""

    def __init__(self):
        self._process = subprocess.Popen(
            [sys.executable, "-m", "serving_load.clients"],
            cwd=ROOT / "benchmarks",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, **job):
        """Result of a job; see `clients.run`.

        Raises:
          InputError: a request failed.
        """
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        answer = json.loads(line) if line else {"error": "the process of the clients has ended"}
        if "error" in answer:
            raise InputError(f"{job['clients']} clients, {job['api']}: {answer['error']}")
        return answer

    def stop(self):
        _stop(self._process)


@contextlib.contextmanager
def started(savedmodel, batching_file, folder):
    """Context manager of ({batching?: Server}, Clients); all of them have ended after it."""
    folder = pathlib.Path(folder)
    with contextlib.ExitStack() as stack:
        servers = {}
        for batching in (False, True):
            file = batching_file if batching else None
            servers[batching] = Server(savedmodel, file, folder / f"server_{batching}")
            stack.callback(servers[batching].stop)
        for server in servers.values():
            server.wait_until_ready()
        clients = Clients()
        stack.callback(clients.stop)
        yield servers, clients


def _models_config(savedmodel):
    """Text ModelServerConfig that serves this version only."""
    path = pathlib.Path(savedmodel).resolve()
    name, base_path = json.dumps(path.parent.name), json.dumps(str(path.parent))
    policy = f"model_version_policy {{ specific {{ versions: {path.name} }} }}"
    model = f'name: {name} base_path: {base_path} model_platform: "tensorflow" {policy}'
    return f"model_config_list {{ config {{ {model} }} }}\n"


def _stop(process):
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for stream in (process.stdin, process.stdout):
        if stream:
            stream.close()
