"""Phases of a training run, recorded in a file that another process reads and a kill leaves."""

import functools
import os

from trainers.engine import checkpoints, fit, loop

# In the order of a run. The process that starts the run records the first.
PHASES = ("import", "building", "restoring", "step", "validation", "logs", "saving", "final")
# (owner, name of its function, phase in which the function runs)
FUNCTIONS = (
    (checkpoints.Checkpoints, "restore", "restoring"),
    (loop.Loop, "_train_epoch", "step"),
    (loop.Loop, "_validate", "validation"),
    (loop.Loop, "_finish_epoch", "logs"),
    (checkpoints.Checkpoints, "save", "saving"),
    (fit, "save_model", "final"),
)


def record(path):
    """Writes the current phase of this process's run into a file, from now on."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
    stack = ["building"]

    def write():
        os.pwrite(descriptor, stack[-1].ljust(16).encode(), 0)

    def recorded(function, phase):
        @functools.wraps(function)
        def run(*args, **kwargs):
            stack.append(phase)
            write()
            try:
                return function(*args, **kwargs)
            finally:
                stack.pop()
                write()

        return run

    for owner, name, phase in FUNCTIONS:
        setattr(owner, name, recorded(getattr(owner, name), phase))
    write()


def read(path):
    """The phase that was recorded last."""
    return path.read_text().strip()
