"""What ends a run from outside: signals, and another run in the same folder."""

import contextlib
import fcntl
import os
import signal
import threading

from tfdepthviz.utils.errors import InputError

# The codes by which a supervisor can tell a run that was stopped from one that failed. 75 is
# EX_TEMPFAIL of sysexits.h: try again later.
TRY_AGAIN = 75
EXIT_CODES = {signal.SIGTERM: TRY_AGAIN, signal.SIGINT: 130}

_held = {}


class Interrupted(Exception):
    """A signal arrived, and what there is of the run is saved.

    Args:
      number: the signal.
      where: how far the run has come, in words.
    """

    def __init__(self, number, where):
        name = signal.Signals(number).name
        super().__init__(f"stopped by {name} after {where}; the same command continues")
        self.exit_code = EXIT_CODES[number]


@contextlib.contextmanager
def caught_signals():
    """Gathers SIGTERM and SIGINT in place of ending at once, each in the list that it yields.

    Only the first is gathered: the second ends the process as usual.
    """
    caught, before = [], {}

    def catch(number, frame):
        caught.append(number)
        restore()

    def restore():
        for number, handler in before.items():
            signal.signal(number, handler)

    # Python lets no other thread set handlers.
    if threading.current_thread() is threading.main_thread():
        before.update({number: signal.signal(number, catch) for number in EXIT_CODES})
    try:
        yield caught
    finally:
        restore()


def lock(folder):
    """Holds a folder for this process, until the process ends, however it does.

    Args:
      folder: Path of a folder.
    Raises:
      InputError: another process holds it.
    """
    descriptor = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    state = os.fstat(descriptor)
    # A folder may be moved, and one process may run several runs, one after the other.
    file = (state.st_dev, state.st_ino)
    if file in _held:
        os.close(descriptor)
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise InputError(
            f"--workdir={folder}: another run is using it; wait for its end or give another folder"
        ) from error
    _held[file] = descriptor
