"""Processes of the server and its clients: starting, measuring, memory by Linux, stopping."""

import contextlib
import json
import pathlib
import re
import subprocess
import sys

from tfdepthviz.utils.errors import InputError

ROOT = pathlib.Path(__file__).resolve().parents[2]
_READY = re.compile(r"ready: http://(\S+:\d+)/ .*, (\S+:\d+) \(gRPC\)\n")
_STOP_SECONDS = 60


class Server:
    """`python -m trainers.serve` on free ports of loopback.

    Args:
      savedmodel: folder of one version.
      folder: folder for its own files.
    Attributes:
      pid: its process id.
      addresses: {"REST": "host:port", "gRPC": "host:port"}.
    """

    def __init__(self, savedmodel, folder):
        self._folder = pathlib.Path(folder)
        self._folder.mkdir()
        models = self._folder / "models.config"
        models.write_text(_models_config(savedmodel), "utf-8")
        flags = [f"--model_config_file={models}", "--port=0", "--rest_api_port=0"]
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
def started(savedmodel, folder):
    """Context manager of (Server, Clients); both have ended after it."""
    with contextlib.ExitStack() as stack:
        server = Server(savedmodel, pathlib.Path(folder) / "server")
        stack.callback(server.stop)
        server.wait_until_ready()
        clients = Clients()
        stack.callback(clients.stop)
        yield server, clients


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
