"""Work folder of a training run: who may use it, and which run it holds.

<workdir>/config.json     the command, its options and their SHA-256 sum
<workdir>/.lock           held by the process that trains
<workdir>/checkpoints/    see checkpoints.py
"""

import fcntl
import hashlib
import json
import os
import sys
from pathlib import Path

from tfdepthviz.utils.errors import InputError, WriteError
from tfdepthviz.utils.files import write_whole
from trainers.engine import checkpoints, cluster
from trainers.engine.options import MAY_CHANGE, MAY_DIFFER_BY_MACHINE, differences
from trainers.engine.output_folder import check_results, mark_output

# (device, inode) of each lock file of this process -> its descriptor, open until the process ends.
_locks = {}


def open_workdir(workdir, command, options, workers=cluster.ALONE, may_extend=True):
    """Creates the work folder of a new run, or checks that it holds the same run.

    Only the chief of a cluster touches the folder.

    Args:
      workdir: path of the folder.
      command: name of the command.
      options: all options of the run, as JSON can hold them.
      workers: cluster in which the command runs.
      may_extend: whether the number of epochs may be another one than before.
    Returns:
      Path of the folder, whose config.json holds command and options.
    Raises:
      InputError: no folder is given, or it cannot be used, is in use, or holds another run.
    """
    if not workdir:
        raise InputError("--workdir: needs a folder for config, checkpoints, logs and results")
    config = {"command": command, "options": json.loads(json.dumps(options))}
    path = Path(workdir)
    if not workers.is_chief:
        return path
    try:
        check_results(workdir, "the run", flag="workdir")
        path.mkdir(parents=True, exist_ok=True)
        _lock(path)
        mark_output(path)
        # Left by a process that was killed while it wrote.
        for remains in (*path.glob(".*.part"), *path.glob(".partial-*")):
            remains.unlink()
        # A command that failed before its first checkpoint binds nobody to its options.
        if (path / "config.json").exists() and _holds_run(path):
            held = _check_same_run(path, config, may_extend)
            if held == config["options"]:
                return path
        # What may change is kept as it is now: later commands read what was trained.
        text = json.dumps({**config, "sha256": _sum(config)}, indent=2) + "\n"
        write_whole(path / "config.json", text)
    except WriteError:
        raise
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"--workdir={workdir}: cannot be used ({reason})") from error
    return path


def check_same_everywhere(workers, options, raw):
    """Checks that all workers of a cluster have the same flags and as many frames.

    Args:
      workers: the cluster; all of its workers must ask at the same time.
      options: all options of the run.
      raw: dict of split -> raw examples.
    Raises:
      InputError: in every worker, naming the first difference.
    """
    flags = {f"--{k}": value for k, value in options.items() if k not in MAY_DIFFER_BY_MACHINE}
    frames = {f"number of {split} frames": len(examples) for split, examples in raw.items()}
    workers.check_same(flags | frames)


def _lock(folder):
    """Reserves a folder for this process until the process ends."""
    descriptor = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    state = os.fstat(descriptor)
    # Not the path: a folder may be moved, and a process may train several runs in turn.
    file = (state.st_dev, state.st_ino)
    if file in _locks:
        os.close(descriptor)
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise InputError(
            f"--workdir={folder}: another run is using it; wait for its end or give another folder"
        ) from error
    _locks[file] = descriptor


def _holds_run(path):
    # The user may have deleted the checkpoints of a finished run to make room.
    finished = any(path.glob("*_net.keras"))
    return finished or checkpoints.saved(path / "checkpoints")


def _check_same_run(path, config, may_extend):
    """Options in the folder's config.json; InputError unless they agree with the command's."""
    try:
        held = json.loads((path / "config.json").read_text(encoding="utf-8"))
        command, options = held["command"], dict(held["options"])
        expected = _sum({"command": command, "options": options})
        if held.get("sha256", expected) != expected:  # older versions wrote no sum
            raise ValueError("its SHA-256 sum is another than when it was written")
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(
            f"{path / 'config.json'}: is damaged, or not one of ours ({error!r}); the "
            "checkpoints are kept: remove this file, and the command with the run's own options "
            "continues"
        ) from error
    if command != config["command"]:
        raise InputError(f"--workdir={path}: holds a run of {command}; give another folder")
    binding = {k: v for k, v in config["options"].items() if k not in MAY_CHANGE}
    if different := differences(binding, options):
        raise InputError(
            f"--workdir={path}: holds a run with other options ({'; '.join(different)}); "
            "give another folder"
        )
    before, now = options.get("epochs"), config["options"].get("epochs")
    if now != before and not (may_extend and checkpoints.saved(path / "checkpoints")):
        why = "its checkpoints are gone" if may_extend else "a sweep trains no run for longer"
        raise InputError(
            f"--workdir={path}: holds a run with other options (--epochs={now} here, {before} "
            f"there), and {why}; give another folder"
        )
    if now != before and config["options"].get("learning_rate_decay") == "cosine":
        print(
            f"--epochs={now}, {before} before: the learning rate now falls to 0 over {now} epochs",
            file=sys.stderr,
        )
    return options


def _sum(config):
    """SHA-256 sum of a run's config, which tells damage from a changed option."""
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()
