"""trainers.serve as a user runs it: ready line, drain, and every mistake on the command line."""

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
    """x -> x after many steps: a second or two of work that nothing can hurry."""

    def work(x):
        steps = tf.while_loop(
            lambda i, y: i < 200, lambda i, y: (i + 1, tf.tanh(tf.matmul(y, y))), [0, tf.eye(300)]
        )
        return {"y": x + 0.0 * tf.reduce_sum(steps[1])}

    x = tf.TensorSpec(None, tf.float32, name="x")
    toy_savedmodels.save(path, serving_default=(work, x))


@contextlib.contextmanager
def serving(*flags):
    process = subprocess.Popen(
        [*COMMAND, "--port=0", "--rest_api_port=0", *flags],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        line = process.stdout.readline()
        assert READY.fullmatch(line), line + process.stderr.read()
        rest, grpc = READY.fullmatch(line).groups()
        client = Client(types.SimpleNamespace(rest_address=rest, grpc_address=grpc))
        with contextlib.closing(client.channel):
            yield process, client
    finally:
        process.kill()
        process.communicate()


def test_it_drains_at_sigterm(tmp_path):
    """What is under way is answered, nothing new is taken, and the exit code is 0."""
    save_slow(tmp_path / "slow" / "1")
    with serving("--model_name=slow", f"--model_base_path={tmp_path / 'slow'}") as (
        process,
        client,
    ):
        body = json.dumps({"instances": [1.0]})
        found = []

        def ask():
            found.append(client.post("/v1/models/slow:predict", body))

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
        assert found == [(200, {"predictions": [1.0]})] * 4
        assert (process.returncode, out, err) == (0, "", "")
        with pytest.raises(ConnectionError):
            client.get("/v1/models/slow")


def test_it_stops_at_ctrl_c_even_with_work_that_does_not_end(tmp_path):
    save_slow(tmp_path / "slow" / "1")
    flags = (f"--model_base_path={tmp_path / 'slow'}", "--drain_seconds=0.1")
    with serving(*flags) as (process, client):
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


def test_all_files_of_the_project(tmp_path):
    """savedmodels/*.config from a folder that holds the model that they name."""
    for name in ("models", "batching", "monitoring"):
        source = ROOT / "savedmodels" / f"{name}.config"
        (tmp_path / f"{name}.config").write_text(source.read_text("utf-8"), "utf-8")
    flags = [
        f"--model_config_file={tmp_path}/models.config",
        "--enable_batching",
        f"--batching_parameters_file={tmp_path}/batching.config",
        f"--monitoring_config_file={tmp_path}/monitoring.config",
    ]
    if os.path.isdir("/models"):
        pytest.skip("this machine has a folder /models")
    with serving(*flags) as (_, client):
        assert client.get("/v1/models/masks")[0] == 404
        toy_savedmodels.save_affine(tmp_path / ".part")
        (tmp_path / "masks").mkdir()
        os.rename(tmp_path / ".part", tmp_path / "masks" / "1")
        wait_until(lambda: client.get("/v1/models/masks")[0] == 200)
        wait_until(lambda: client.states("masks")[1][0] == "AVAILABLE")
        asked = client.post("/v1/models/masks:predict", {"instances": [2]})
        assert asked == (200, {"predictions": [3.0]})
        _, _, page = client.ask("GET", "/monitoring/prometheus/metrics")
        assert b"batching_session:processed_batch_size_count" in page


@pytest.fixture
def quiet_log():
    """Without the log, whose warnings are shown or not by what the tests before have set."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("flag", ["port", "rest_api_port"])
def test_addresses_that_cannot_be_listened_on(tmp_path, flag, capfd, quiet_log):
    options = {"model_base_path": str(tmp_path), "port": 0, "rest_api_port": 0}
    with socket.create_server(("127.0.0.1", 0)) as taken:
        options[flag] = taken.getsockname()[1]
        with pytest.raises(InputError) as caught:
            serve.run(**options)
    assert str(caught.value) == (
        f"--{flag}={options[flag]}: cannot listen on 127.0.0.1 (Address already in use)"
    )
    with pytest.raises(InputError, match="cannot listen on 256.1.2.3"):
        serve.run(model_base_path=str(tmp_path), port=0, rest_api_port=0, host="256.1.2.3")
    assert capfd.readouterr() == ("", "")
