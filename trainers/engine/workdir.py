"""Work folders and output folders: which run lies in one, and whether another may continue it."""

import hashlib
import json
from pathlib import Path

from tfdepthviz.utils.errors import InputError, WriteError
from tfdepthviz.utils.files import check_writable, write_whole
from trainers.engine import checkpoints, cluster, signals

# Options that may change when a run is continued.
NOT_BINDING = (
    "workdir",
    "checkpoint_steps",
    "skip_nonfinite_steps",
    "allow_outside_paths",
    "teacher_cache",
)
# Options that may differ between the workers of a cluster: where things lie on each machine.
OF_A_MACHINE = ("workdir", "data_dir", "depth_dir", "allow_outside_paths")


def open_workdir(workdir, command, options, workers=cluster.ALONE):
    """Creates the work folder, or recognises the run that it holds; the chief's to do.

    Args:
      workdir: the folder.
      command: name of the command.
      options: all options of the run, as JSON can hold them.
      workers: cluster in which the command runs.
    Returns:
      Path of the folder, whose config.json holds command and options.
    Raises:
      InputError: no folder given, not writable, in use, or a run with other options lies in it.
    """
    if not workdir:
        raise InputError("--workdir: needs a folder for config, checkpoints, logs and results")
    config = {"command": command, "options": json.loads(json.dumps(options))}
    path = Path(workdir)
    if not workers.is_chief:
        return path
    try:
        path.mkdir(parents=True, exist_ok=True)
        signals.lock(path)
        for remains in (*path.glob(".*.part"), *path.glob(".partial-*")):
            remains.unlink()  # of a process that was killed while it wrote
        # A command that failed before its first checkpoint binds nobody to its options.
        if (path / "config.json").exists() and _holds_a_run(path):
            _check_same_run(path, config)
        else:
            text = json.dumps({**config, "sha256": _sum(config)}, indent=2) + "\n"
            write_whole(path / "config.json", text)
    except WriteError:
        raise
    except OSError as error:
        raise InputError(f"--workdir={workdir}: cannot be used ({error})") from error
    return path


def check_same_everywhere(workers, options, raw):
    """Raises InputError in every worker if one was given other flags, or finds other frames.

    Args:
      options: all options of the run.
      raw: dict of split -> raw examples.
    """
    flags = {f"--{name}": value for name, value in options.items() if name not in OF_A_MACHINE}
    frames = {f"number of {split} frames": len(examples) for split, examples in raw.items()}
    workers.check_same(flags | frames)


def _holds_a_run(path):
    # Whoever needs the room may delete the checkpoints of a finished run.
    finished = any(path.glob("*_net.keras"))
    return finished or checkpoints.saved(path / "checkpoints")


def differences(here, there):
    """One text for each option that has another value in a folder than it is given now."""
    return [
        f"--{name}={value} here, {there.get(name)} there"
        for name, value in here.items()
        if there.get(name) != value
    ]


def check_output(folder, holds, flag="output_dir"):
    """What is asked of a folder to write into before a command computes for minutes.

    Args:
      folder: it need not be there, and is not made.
      holds: what is written into it, in words.
      flag: where it was given.
    Raises:
      InputError: none is given, or nothing can be written there.
    """
    if not folder:
        raise InputError(f"--{flag}: needs a folder for {holds}")
    try:
        check_writable(folder)
    except WriteError as error:
        raise InputError(f"--{flag}={folder}: cannot be used ({error.reason})") from error


def keep_options(path, options, holds):
    """Writes the options beside the results of an output folder, or recognises them.

    Args:
      path: file in the output folder.
      options: dict that JSON can hold, what decides about the results.
      holds: what the results are, in words.
    Raises:
      InputError: the folder cannot be used, or holds results of other options.
    """
    try:
        if not path.exists():
            write_whole(path, json.dumps(options, indent=2) + "\n")
        held = json.loads(path.read_text(encoding="utf-8"))
    except WriteError:
        raise
    except (OSError, ValueError) as error:
        raise InputError(f"--output_dir={path.parent}: cannot be used ({error})") from error
    if held != options:
        raise InputError(
            f"--output_dir={path.parent}: holds {holds} with other options ({held} there, "
            f"{options} here); give another folder"
        )


def _sum(config):
    """By which a damaged option is told from another one."""
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()


def _check_same_run(path, config):
    try:
        held = json.loads((path / "config.json").read_text(encoding="utf-8"))
        command, options = held["command"], dict(held["options"])
        expected = _sum({"command": command, "options": options})
        if held.get("sha256", expected) != expected:  # older versions wrote none
            raise ValueError("its SHA-256 sum is another than when it was written")
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(
            f"{path / 'config.json'}: is damaged, or not one of ours ({error!r}); the "
            "checkpoints are kept: remove this file, and the command with the run's own options "
            "continues"
        ) from error
    if command != config["command"]:
        raise InputError(f"--workdir={path}: holds a run of {command}; give another folder")
    # The folder may have been moved, or be called otherwise from here.
    wanted = {k: v for k, v in config["options"].items() if k not in NOT_BINDING}
    found = differences(wanted, options)
    if found:
        raise InputError(
            f"--workdir={path}: holds a run with other options ({'; '.join(found)}); "
            "give another folder"
        )
