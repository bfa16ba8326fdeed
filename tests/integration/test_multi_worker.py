"""Clusters of two workers: two processes that share the loopback interface of this machine."""

import csv
import json
import os
import signal
import socket
import time

import numpy as np
import pytest
import run_contents
import tiny_runs
from nyu_files import write_nyu

pytestmark = pytest.mark.slow

EPOCHS = 4
# A single process computes the same: no random number is drawn in a replica.
FLAGS = ("--batch_size=2", f"--epochs={EPOCHS}", "--optimizer=sgd", "--weight_decay=0")
OF_RUN = {
    "train_depth": ("--depth_net=tiny_undropped",),
    "paper": ("--relaxation=none",),
    "ranking": (),
}


@pytest.fixture(scope="module")
def nyu(tmp_path_factory):
    return write_nyu(tmp_path_factory.mktemp("frames") / "data", tests=4)


def arguments(command, nyu):
    return tiny_runs.arguments(command, nyu, *FLAGS, *OF_RUN[command])


def start(command, workdirs, options):
    """Starts a worker for each work folder, the chief first; its log is <work folder>.log.

    Returns:
      (processes, addresses).
    """
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in workdirs]
    addresses = [f"127.0.0.1:{held.getsockname()[1]}" for held in sockets]
    for held in sockets:
        held.close()
    options = [*options, "--strategy=multi_worker"]
    processes = []
    for number, workdir in enumerate(workdirs):
        config = {
            "cluster": {"worker": addresses},
            "task": {"type": "worker", "index": number},
        }
        processes.append(tiny_runs.start(command, workdir, options, tf_config=json.dumps(config)))
    return processes, addresses


def codes(processes):
    for process in processes:
        process.join()
    return [process.exitcode for process in processes]


def wait_for(processes, folder, pattern):
    """Waits until a checkpoint is saved, or a process has ended."""
    while all(process.is_alive() for process in processes) and not list(folder.glob(pattern)):
        time.sleep(0.01)


def check_equal(single, folder):
    """Two runs have equal weights, variables of the last checkpoint, history and file names."""
    for read in (run_contents.network, run_contents.variables):
        one, other = read(single), read(folder)
        assert one.keys() == other.keys() and len(one) > 5
        for name, value in one.items():
            if isinstance(value, np.ndarray):
                np.testing.assert_allclose(other[name], value, rtol=1e-5, atol=1e-5, err_msg=name)
    texts = [(run / "history.csv").read_text().splitlines() for run in (single, folder)]
    rows = [list(csv.DictReader(text)) for text in texts]
    assert len(rows[0]) == len(rows[1]) == EPOCHS
    for one, other in zip(*rows, strict=True):
        assert one.keys() == other.keys()
        for name in one:
            np.testing.assert_allclose(
                float(other[name]), float(one[name]), rtol=1e-4, atol=1e-5, err_msg=name
            )
    assert run_contents.names(single) == run_contents.names(folder)
    assert run_contents.summaries(single).keys() == run_contents.summaries(folder).keys()


@pytest.mark.parametrize("command", ["train_depth", "ranking"])
def test_equals_a_single_process(command, nyu, tmp_path):
    options = arguments(command, nyu)
    single = tiny_runs.start(command, tmp_path / "single", options)
    folders = tmp_path / "w0", tmp_path / "w1"
    processes, _ = start(command, folders, options)
    assert codes([single, *processes]) == [0, 0, 0], (tmp_path / "w0.log").read_text()
    check_equal(tmp_path / "single", folders[0])
    assert not folders[1].exists()  # the chief alone writes


def test_stopped_and_killed_workers_stop_all(nyu, tmp_path):
    options = arguments("paper", nyu)
    single = tiny_runs.start("paper", tmp_path / "single", options)
    folder = tmp_path / "w"
    log = tmp_path / "w.log"

    processes, _ = start("paper", (folder, tmp_path / "other"), options)
    wait_for(processes, folder, "checkpoints/epoch-*")
    os.kill(processes[1].pid, signal.SIGTERM)
    assert codes([single, *processes]) == [0, 75, 75], log.read_text()
    for path in (log, tmp_path / "other.log"):
        assert path.read_text().count("stopped by SIGTERM after step") == 1
    assert not (tmp_path / "other").exists()

    processes, addresses = start("paper", (folder, folder), options)
    wait_for(processes, folder, "checkpoints/epoch-00001-*")
    processes[1].kill()
    assert codes(processes) == [75, -signal.SIGKILL], log.read_text()
    text = log.read_text()
    assert f"stopped: worker 1 ({addresses[1]}) has ended, and says there why, or cannot" in text
    assert "Traceback" not in text and "continuing after epoch" in text

    processes, _ = start("paper", (folder, folder), options)
    assert codes(processes) == [0, 0], log.read_text()
    check_equal(tmp_path / "single", folder)
