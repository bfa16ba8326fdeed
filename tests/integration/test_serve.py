"""trainers.serve as a user runs it: ready line, drain, configuration files, taken addresses."""

import contextlib
import json
import logging
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import types

import commands
import pytest
import tensorflow as tf
import toy_savedmodels
from serving_clients import Client, wait_until

from tfdepthviz.utils.errors import InputError
from trainers import serve

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-m", "trainers.serve"]
READY = re.compile(r"ready: http://(\S+:\d+)/ \(REST and a page\), (\S+:\d+) \(gRPC\)\n")


def save_slow(path):
    """x -> x after many steps, which take a second or two."""

    def work(x):
        steps = tf.while_loop(
            lambda i, y: i < 200, lambda i, y: (i + 1, tf.tanh(tf.matmul(y, y))), [0, tf.eye(300)]
        )
        return {"y": x + 0.0 * tf.reduce_sum(steps[1])}

    x = tf.TensorSpec(None, tf.float32, name="x")
    toy_savedmodels.save(path, serving_default=(work, x))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Folder with the model `slow` and with savedmodels/*.config, which name a model `masks`."""
    folder = tmp_path_factory.mktemp("serve")
    save_slow(folder / "slow" / "1")
    (folder / "project").mkdir()
    for name in ("models", "monitoring"):
        source = ROOT / "savedmodels" / f"{name}.config"
        (folder / "project" / source.name).write_text(source.read_text("utf-8"), "utf-8")
    return folder


@pytest.fixture(scope="module")
def processes(folder):
    """A process for each test. They start together: each needs seconds to import TensorFlow."""
    slow, project = f"--model_base_path={folder}/slow", f"{folder}/project"
    flags = {
        "sigterm": ["--model_name=slow", slow],
        "ctrl_c": [slow, "--drain_seconds=0.1"],
        "project": [
            f"--model_config_file={project}/models.config",
            f"--monitoring_config_file={project}/monitoring.config",
            "--allow_start_without_model",
        ],
    }
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    started = {}
    try:
        for name, own in flags.items():
            command = [*COMMAND, "--port=0", "--rest_api_port=0", *own]
            started[name] = subprocess.Popen(command, cwd=ROOT, **pipes)
        yield started
    finally:
        for process in started.values():
            process.kill()
            process.communicate()


@contextlib.contextmanager
def client_of(process):
    """A client of a process, once that is ready."""
    line = process.stdout.readline()
    assert READY.fullmatch(line), line + process.stderr.read()
    rest, grpc = READY.fullmatch(line).groups()
    client = Client(types.SimpleNamespace(rest_address=rest, grpc_address=grpc))
    with contextlib.closing(client.channel):
        yield client


def test_drain_at_sigterm(processes):
    """Requests under way are answered, new ones are not taken, and the exit code is 0."""
    process = processes["sigterm"]
    with client_of(process) as client:
        body = json.dumps({"instances": [1.0]})
        answers = []

        def ask():
            answers.append(client.post("/v1/models/slow:predict", body))

        asking = [threading.Thread(target=ask) for _ in range(3)]
        # A slow client and an idle one do not hold it up.
        host, port = client.rest_address.split(":")
        idle = [socket.create_connection((host, int(port))) for _ in range(2)]
        idle[0].sendall(b"POST /v1/mod")
        ask()
        for thread in asking:
            thread.start()
        time.sleep(0.2)  # under way, not done: see save_slow
        process.send_signal(signal.SIGTERM)
        for thread in asking:
            thread.join()
        out, err = process.communicate(timeout=60)
        for connection in idle:
            connection.close()
        assert answers == [(200, {"predictions": [1.0]})] * 4
        assert (process.returncode, out, err) == (0, "", "")
        with pytest.raises(ConnectionError):
            client.get("/v1/models/slow")


def test_ctrl_c_ends_unfinished_work(processes):
    process = processes["ctrl_c"]
    with client_of(process) as client:
        body = json.dumps({"instances": [1.0]})

        def ask():
            with contextlib.suppress(OSError, ValueError):
                client.post("/v1/models/default:predict", body)

        asking = [threading.Thread(target=ask) for _ in range(8)]
        for thread in asking:
            thread.start()
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        for thread in asking:
            thread.join()
        assert (process.returncode, out) == (0, "")
        assert err in ("", "stopped with work under way\n")


@pytest.mark.skipif(os.path.isdir("/models"), reason="this machine has a folder /models")
def test_all_files_of_the_project(processes, folder):
    """savedmodels/*.config from a folder that gets the model that they name."""
    with client_of(processes["project"]) as client:
        assert client.get("/v1/models/masks")[0] == 404 and client.get("/ready")[0] == 503
        toy_savedmodels.save_affine(folder / ".part")
        (folder / "project" / "masks").mkdir()
        os.rename(folder / ".part", folder / "project" / "masks" / "1")
        wait_until(lambda: client.get("/v1/models/masks")[0] == 200)
        wait_until(lambda: client.states("masks")[1][0] == "AVAILABLE")
        answer = client.post("/v1/models/masks:predict", {"instances": [2]})
        assert answer == (200, {"predictions": [3.0]})
        _, _, page = client.ask("GET", "/monitoring/prometheus/metrics")
        assert b":tensorflow:serving:request_count" in page


@pytest.fixture
def quiet_log():
    """Silences the log: whether it shows warnings depends on earlier tests."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("flag", ["port", "rest_api_port"])
def test_taken_and_impossible_addresses(tmp_path, flag, capfd, quiet_log):
    options = {"model_base_path": str(tmp_path), "port": 0, "rest_api_port": 0}
    options["allow_start_without_model"] = True
    with socket.create_server(("127.0.0.1", 0)) as taken:
        options[flag] = taken.getsockname()[1]
        with pytest.raises(InputError) as caught:
            commands.run(serve, **options)
    assert str(caught.value) == (
        f"--{flag}={options[flag]}: cannot listen on 127.0.0.1 (Address already in use)"
    )
    with pytest.raises(InputError, match="cannot listen on 256.1.2.3"):
        commands.run(serve, **options | {"host": "256.1.2.3"})
    assert capfd.readouterr() == ("", "")
