"""The list of commands, and the console command as it calls the others."""

import os
import pathlib
import shutil
import subprocess
import sys

import pytest

from trainers import __main__ as front_door
from trainers.cli import program

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture
def elsewhere(tmp_path):
    """Runs Python in a folder outside of the clone, where TensorFlow cannot be imported."""
    (tmp_path / "tensorflow.py").write_text("raise ImportError('is loaded')\n")
    # As pip writes it for the entry point.
    stub = "import sys\nfrom trainers.__main__ import main\nsys.exit(main())\n"
    (tmp_path / "tfdepthviz").write_text(stub)

    def run(*words):
        return subprocess.run(
            [sys.executable, *words],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
            capture_output=True,
            text=True,
        )

    return run


@pytest.mark.parametrize("door", [("-m", "trainers"), ("tfdepthviz",)])
def test_list(elsewhere, door):
    ran = elsewhere(*door)
    assert ran.returncode == 0, ran.stderr
    lines = ran.stdout.splitlines()
    listed = [line.split()[0] for line in lines if line.startswith("  ")]
    assert listed == list(front_door.COMMANDS)
    assert all(len(line) <= 100 for line in lines[:-1])
    start = "tfdepthviz COMMAND" if door == ("tfdepthviz",) else "python -m trainers.COMMAND"
    assert f"{start} --help" in lines[-1]


@pytest.mark.parametrize("door", [("-m", "trainers"), ("tfdepthviz",)])
def test_unknown_command(elsewhere, door):
    ran = elsewhere(*door, "explian", "photos")
    assert ran.returncode == 1 and ran.stdout == ""
    error, *more = ran.stderr.splitlines()
    assert error.startswith("error: explian: no such command; did you mean explain? (") and not more


def test_command_loads_tensorflow_last(elsewhere):
    ran = elsewhere("tfdepthviz", "explain", "photos")
    assert ran.returncode == 1 and "ImportError: is loaded" in ran.stderr


def test_every_command_is_listed():
    files = (ROOT / "trainers").glob("*.py")
    mains = {path.stem for path in files if '__name__ == "__main__"' in path.read_text("utf-8")}
    assert set(front_door.COMMANDS) == mains - {"__main__"}


def test_hints_start_as_the_user_did(monkeypatch, tmp_path):
    folder = tmp_path / "env/bin"
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "executable", str(folder / "python"))
    monkeypatch.setattr(shutil, "which", lambda name: str(folder / name))
    monkeypatch.setattr(sys, "orig_argv", ["python", "-m", "trainers.explain"])
    line = program.command("train_mask", "--data_dir=my photos")
    assert line == "python -m trainers.train_mask '--data_dir=my photos'"
    monkeypatch.setattr(sys, "orig_argv", ["python", "/usr/bin/tfdepthviz", "explain"])
    assert program.command("explain", "photos") == "tfdepthviz explain photos"
    # An environment that is not active is named.
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert program.command("explain", "photos") == "env/bin/tfdepthviz explain photos"
    monkeypatch.chdir(tmp_path / "below")
    assert program.command("explain", "photos") == f"{folder}/tfdepthviz explain photos"
