"""Progress: bars in a terminal or notebook, and a plain line now and then in a log file."""

import shutil
import sys

from tqdm import auto, tqdm

from tfdepthviz.utils.constants import COLUMNS

# In a log file: seconds before the first line, and between lines.
DELAY, INTERVAL = 10, 30


def bar(items=None, *, file=None, **options):
    """tqdm's bar for a terminal or notebook, or lines without carriage returns for a file.

        for batch in bar(batches, desc="evaluating", unit="batch"): ...

    Args:
      items: what to iterate over; None for a bar that `update` moves.
      file: stream to write to; None: standard error.
      options: of tqdm.
    """
    if "ipykernel" in sys.modules:  # a widget where ipywidgets is there
        return auto.tqdm(items, **options)
    file = file or sys.stderr
    if file.isatty():
        width = min(COLUMNS, shutil.get_terminal_size().columns)
        return tqdm(items, file=file, ncols=width, **options)
    times = {"delay": DELAY, "mininterval": INTERVAL, "maxinterval": 10 * INTERVAL}
    return tqdm(items, file=_Lines(file), ncols=COLUMNS - 1, ascii=True, **times, **options)


class _Lines:
    """A stream that ends lines where tqdm would go back to their start."""

    def __init__(self, stream):
        self.stream = stream

    def write(self, text):
        line = text.replace("\r", "").strip()
        if line:
            self.stream.write(f"{line}\n")

    def flush(self):
        self.stream.flush()
