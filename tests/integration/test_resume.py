"""Resumption: runs that are killed, damaged or stopped end like an undisturbed run, bit by bit.

The comparison covers the weights, every variable of the last checkpoint (optimiser, lambda or
running means of a ranking, seeds, metrics), history.csv and all that TensorBoard reads.
"""

import functools
import os
import random
import signal
import time

import numpy as np
import pytest
import run_contents
import tiny_runs
from nyu_files import write_nyu


@pytest.fixture(scope="module")
def nyu(tmp_path_factory):
    return write_nyu(tmp_path_factory.mktemp("frames") / "data")


@pytest.fixture(scope="module")
def undisturbed(nyu, tmp_path_factory):
    """Command -> (its arguments, folder, number of events) of a run that nothing disturbed."""

    @functools.cache
    def run(command):
        folder = tmp_path_factory.mktemp(command)
        arguments = tiny_runs.arguments(command, nyu)
        events_file = folder / "events"
        code = tiny_runs.finish(command, folder / "w", arguments, events_file=str(events_file))
        assert code == 0, (folder / "w.log").read_text()
        return arguments, folder / "w", int(events_file.read_text())

    return run


def check_same(one, other):
    """Asserts that two runs left the same files, and that none is missing."""
    assert run_contents.differences(one, other) == []
    held = run_contents.variables(other)
    assert len(held) > 20 and any("optimizer" in name for name in held)
    if one.parent.name.startswith("ranking"):
        (means,) = [value for name, value in held.items() if "share_means" in name]
        assert np.isfinite(means).all() and means[1].sum() > 0
    newest, _ = run_contents.names(other)["saved"]
    assert newest == f"epoch-{tiny_runs.EPOCHS:05d}-step-0000000"
    steps = range(tiny_runs.STEPS * tiny_runs.EPOCHS + 1)
    for (run, tag), events in run_contents.summaries(other).items():
        # Few steps are an epoch here, so values within the epoch are those of each step.
        each = run in ("train", "edges", "random_pixels") or tag.startswith("frames/")
        ends = slice(1, None) if each else slice(tiny_runs.STEPS, None, tiny_runs.STEPS)
        begin = tag in ("run", "custom_scalars__config__", "_hparams_/session_start_info")
        assert [step for step, _ in events] == ([0] if begin else list(steps[ends])), (run, tag)


@pytest.mark.slow
@pytest.mark.parametrize("command", tiny_runs.FLAGS)
def test_random_kills(command, undisturbed, tmp_path):
    """Also in the middle of saving, where half of the events happen."""
    arguments, whole, events = undisturbed(command)
    moments = random.Random(command)
    for _ in range(2):
        kill_at = moments.randrange(1, events)
        code = tiny_runs.finish(command, tmp_path / "w", arguments, kill_at=kill_at)
        assert code in (-signal.SIGKILL, 0), (tmp_path / "w.log").read_text()
    assert tiny_runs.finish(command, tmp_path / "w", arguments) == 0
    check_same(whole, tmp_path / "w")


def test_sigterm_and_a_damaged_checkpoint(undisturbed, tmp_path):
    command = "ranking"
    arguments, whole, _ = undisturbed(command)
    process = tiny_runs.start(command, tmp_path / "w", arguments)
    checkpoints = tmp_path / "w/checkpoints"
    while process.is_alive() and not list(checkpoints.glob("epoch-00001-*")):
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGTERM)
    process.join()
    log = (tmp_path / "w.log").read_text()
    assert process.exitcode == 75 and "stopped by SIGTERM after step" in log, log
    older, newest = sorted(checkpoints.iterdir())
    data = newest / "variables.data-00000-of-00001"
    content = bytearray(data.read_bytes())
    content[len(content) // 2] ^= 1
    data.write_bytes(content)
    for name in ("history.csv", ".lock"):  # written anew, and never read
        (tmp_path / "w" / name).write_bytes(b"\xff damaged")
    assert tiny_runs.finish(command, tmp_path / "w", [*arguments, "--checkpoint_steps=3"]) == 0
    log = (tmp_path / "w.log").read_text()
    assert log.count(f"{newest.name} is damaged") == 1 and f"going back to {older.name}" in log
    check_same(whole, tmp_path / "w")
    for damaged in checkpoints.iterdir():
        (damaged / "sums.json").write_text("{}")
    assert tiny_runs.finish(command, tmp_path / "w", arguments) == 1
    log = (tmp_path / "w.log").read_text()
    assert "no checkpoint is whole" in log and "Traceback" not in log


def test_second_run_in_the_same_folder(nyu, tmp_path):
    arguments = tiny_runs.arguments("ranking", nyu)
    first = tiny_runs.start("ranking", tmp_path / "w", arguments)
    while first.is_alive() and not (tmp_path / "w/config.json").exists():
        time.sleep(0.01)
    os.kill(first.pid, signal.SIGSTOP)
    try:
        assert tiny_runs.finish("ranking", tmp_path / "w", arguments) == 1
        assert "another run is using it" in (tmp_path / "w.log").read_text()
    finally:
        first.kill()
        first.join()


def test_ctrl_c(nyu, tmp_path):
    arguments = tiny_runs.arguments("train_depth", nyu)
    process = tiny_runs.start("train_depth", tmp_path / "w", arguments)
    while process.is_alive() and not list((tmp_path / "w/checkpoints").glob("epoch-*")):
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGINT)
    process.join()
    log = (tmp_path / "w.log").read_text()
    assert process.exitcode == 130 and "Traceback" not in log, log
    assert "stopped by SIGINT after step" in log and "; the same command continues" in log
    assert tiny_runs.finish("train_depth", tmp_path / "w", arguments) == 0
    assert "continuing after epoch" in (tmp_path / "w.log").read_text()
