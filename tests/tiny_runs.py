"""Training commands with networks of a few weights, in processes that can be killed.

The processes are forks of one that has loaded TensorFlow, and so start at once.
"""

import multiprocessing
import os
import pathlib
import signal
import sys
from multiprocessing import forkserver

import tiny_nets

from tfdepthviz import models
from trainers import flags, train_depth, train_mask

COMMANDS = {"train_depth": train_depth.run, "train_mask": train_mask.run}
# Where a kill may hurt: the code that runs between steps and while saving.
FILES = ("checkpoints.py", "training_loop.py", "runs.py", "summaries.py", "event_files.py")
FILES += ("files.py", "shutil.py")

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tiny_runs"])


def _start_server():
    """The server that forks; Python 3.11's finds what it loads by PYTHONPATH alone."""
    here = pathlib.Path(__file__).resolve().parent
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = f"{here}{os.pathsep}{here.parent}"
    try:
        forkserver.ensure_running()
    finally:
        os.environ.pop("PYTHONPATH")
        if before is not None:
            os.environ["PYTHONPATH"] = before


def start(command, workdir, arguments, *, kill_at=None, events_file=None):
    """Starts a command whose networks may be called `tiny`, and returns the Process.

    Its output goes to <workdir>.log.

    Args:
      kill_at: the process kills itself at this event of FILES (a call or a return).
      events_file: where to write the number of events of the whole run.
    """
    _start_server()
    process = _context.Process(
        target=_main, args=(command, str(workdir), list(arguments), kill_at, events_file)
    )
    process.start()
    return process


def finish(command, workdir, arguments, **more):
    """Runs a command as `start` does and returns its exit code; -9 if it was killed."""
    process = start(command, workdir, arguments, **more)
    process.join()
    return process.exitcode


def _main(command, workdir, arguments, kill_at, events_file):
    log = os.open(f"{workdir}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    models.DEPTH_NETS["tiny"] = lambda _: tiny_nets.depth_net(dropout=0.3)
    models.MASK_NETS["tiny"] = lambda _: tiny_nets.mask_net()
    flags.TABLE["mask_net"] = (flags.flags.DEFINE_string, "")
    flags.flag_parsers.SizeParser.parse = lambda self, text: tiny_nets.SIZE
    sys.argv = [command, f"--workdir={workdir}", *arguments]
    if kill_at or events_file:
        events = 0

        def count(frame, event, argument):
            nonlocal events
            if os.path.basename(frame.f_code.co_filename) in FILES:
                events += 1
                if events == kill_at:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.setprofile(count)
    try:
        flags.main(COMMANDS[command])
    finally:
        sys.setprofile(None)
        if events_file:
            pathlib.Path(events_file).write_text(str(events))
