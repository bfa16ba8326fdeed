"""Runs that are killed, damaged or told to stop end as if nothing had happened.

Compared bit by bit: the weights, every variable of the last checkpoint (optimiser, lambda, seeds,
running means), history.csv, and what TensorBoard reads.
"""

import os
import random
import shutil
import signal
import time

import pytest
import run_contents
import tiny_runs
from nyu_files import write_nyu


@pytest.fixture(scope="module")
def nyu(tmp_path_factory):
    return write_nyu(tmp_path_factory.mktemp("frames") / "data")


@pytest.fixture(scope="module", params=tiny_runs.FLAGS)
def whole(request, nyu, tmp_path_factory):
    """Command, its flags, folder of the run that nothing disturbed, and its number of events."""
    folder = tmp_path_factory.mktemp(request.param)
    given = tiny_runs.arguments(request.param, nyu)
    counted = folder / "events"
    code = tiny_runs.finish(request.param, folder / "w", given, events_file=str(counted))
    assert code == 0, (folder / "w.log").read_text()
    return request.param, given, folder / "w", int(counted.read_text())


def check_same(one, other):
    """What is left of two runs is the same, and nothing else lies there."""
    assert run_contents.differences(one, other) == []
    held = run_contents.variables(other)
    assert len(held) > 20 and any("optimizer" in name for name in held)
    newest, _ = run_contents.names(other)["saved"]
    assert newest == f"epoch-{tiny_runs.EPOCHS:05d}-step-0000000"
    epoch_ends = [tiny_runs.STEPS * (epoch + 1) for epoch in range(tiny_runs.EPOCHS)]
    for run in run_contents.summaries(other).values():
        assert [step for step, _ in run] == epoch_ends


def test_kills_at_random_moments(whole, tmp_path):
    """Also in the middle of saving: half of the events are those of saving."""
    command, given, undisturbed, events = whole
    moments = random.Random(command)
    for _ in range(3):
        kill_at = moments.randrange(1, events)
        code = tiny_runs.finish(command, tmp_path / "w", given, kill_at=kill_at)
        assert code in (-signal.SIGKILL, 0), (tmp_path / "w.log").read_text()
    assert tiny_runs.finish(command, tmp_path / "w", given) == 0
    check_same(undisturbed, tmp_path / "w")


def test_a_damaged_checkpoint_is_passed_over_and_sigterm_saves(whole, tmp_path):
    command, given, undisturbed, _ = whole
    process = tiny_runs.start(command, tmp_path / "w", given)
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
    for name in ("history.csv", ".lock"):  # made anew, and not read
        (tmp_path / "w" / name).write_bytes(b"\xff damaged")
    assert tiny_runs.finish(command, tmp_path / "w", [*given, "--checkpoint_steps=3"]) == 0
    log = (tmp_path / "w.log").read_text()
    assert log.count(f"{newest.name} is damaged") == 1 and f"going back to {older.name}" in log
    check_same(undisturbed, tmp_path / "w")
    for damaged in checkpoints.iterdir():
        (damaged / "sums.json").write_text("{}")
    assert tiny_runs.finish(command, tmp_path / "w", given) == 1
    log = (tmp_path / "w.log").read_text()
    assert "no checkpoint is whole" in log and "Traceback" not in log


def test_a_second_run_in_one_folder_is_refused(nyu, tmp_path):
    given = tiny_runs.arguments("train_mask", nyu)
    first = tiny_runs.start("train_mask", tmp_path / "w", given)
    while first.is_alive() and not (tmp_path / "w/config.json").exists():
        time.sleep(0.01)
    os.kill(first.pid, signal.SIGSTOP)
    try:
        assert tiny_runs.finish("train_mask", tmp_path / "w", given) == 1
        assert "another run is using it" in (tmp_path / "w.log").read_text()
    finally:
        first.kill()
        first.join()


def test_a_kill_between_saving_and_removing_leaves_no_third_checkpoint(whole, tmp_path):
    """Found by tests/helpers/soak.py: the last save, killed there, was never tidied up."""
    _, given, undisturbed, _ = whole
    shutil.copytree(undisturbed, tmp_path / "w")
    checkpoints = tmp_path / "w/checkpoints"
    older, newest = sorted(checkpoints.iterdir())
    shutil.copytree(older, checkpoints / "epoch-00001-step-0000001")
    assert tiny_runs.finish(whole[0], tmp_path / "w", given) == 0
    assert sorted(checkpoints.iterdir()) == [older, newest]


def test_ctrl_c_saves_ends_with_130_and_the_same_command_continues(nyu, tmp_path):
    given = tiny_runs.arguments("train_depth", nyu)
    process = tiny_runs.start("train_depth", tmp_path / "w", given)
    while process.is_alive() and not list((tmp_path / "w/checkpoints").glob("epoch-*")):
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGINT)
    process.join()
    log = (tmp_path / "w.log").read_text()
    assert process.exitcode == 130 and "Traceback" not in log, log
    assert "stopped by SIGINT after step" in log and "; the same command continues" in log
    assert tiny_runs.finish("train_depth", tmp_path / "w", given) == 0
    assert "continuing after epoch" in (tmp_path / "w.log").read_text()
