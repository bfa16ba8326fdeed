"""Signals that ask a run to stop: caught once, so that the run can save before it ends."""

import contextlib
import signal
import threading

# Exit codes that tell a supervisor a stopped run from a failed one. 75 is EX_TEMPFAIL of
# sysexits.h: try again later.
TRY_AGAIN = 75
EXIT_CODES = {signal.SIGTERM: TRY_AGAIN, signal.SIGINT: 130}


class Interrupted(Exception):
    """A signal arrived, and the run is saved.

    Args:
      number: number of the signal.
      where: the last finished step, in words.
    """

    def __init__(self, number, where):
        name = signal.Signals(number).name
        super().__init__(f"stopped by {name} after {where}; the same command continues")
        self.exit_code = EXIT_CODES[number]


@contextlib.contextmanager
def caught_signals():
    """Catches the first SIGTERM or SIGINT inside; a second one ends the process as usual.

    Yields:
      list to which the number of the caught signal is appended.
    """
    caught, before = [], {}

    def catch(number, frame):
        caught.append(number)
        restore()

    def restore():
        for number, handler in before.items():
            signal.signal(number, handler)

    # Python lets only the main thread set handlers.
    if threading.current_thread() is threading.main_thread():
        before.update({number: signal.signal(number, catch) for number in EXIT_CODES})
    try:
        yield caught
    finally:
        restore()
