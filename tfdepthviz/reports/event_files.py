"""TensorBoard's event files: continuing those of a stopped run, and checking that writes succeed.

An event file is a sequence of records. A record is the length of its content (8 bytes), a checksum
of the length (4), the content, and a checksum of the content (4).
"""

import contextlib
import math
import pathlib
import struct
import sys

import tensorflow as tf

from tfdepthviz.utils import files
from tfdepthviz.utils.errors import WriteError

PATTERN = "events.out.tfevents.*"
# Bytes of a record next to its content.
RECORD_OVERHEAD = 16


def writing(path):
    """`files.writing`, for which TensorFlow's exceptions are failures to write as well."""
    return files.writing(path, tf.errors.OpError)


def open_writer(folder):
    """Opens a new event file and writes its header to the disk; returns TensorFlow's writer."""
    with writing(folder):
        writer = tf.summary.create_file_writer(str(folder))
        writer.flush()
    return writer


def remove_events(folder):
    """Removes all event files of a folder, which need not exist."""
    for path in pathlib.Path(folder).glob(PATTERN):
        path.unlink()


@contextlib.contextmanager
def checked_events(writer, folder, events):
    """Makes `writer` the default inside the block, then checks that all events are in the files.

    TensorFlow raises nothing if the disk has no room for a record larger than its buffer.

    Args:
      writer: the only writer of the folder; its earlier events are flushed.
      folder: folder of the event files.
      events: number of events that the block writes.
    Raises:
      WriteError: events are missing or incomplete, or nothing can be written.
    """
    with writing(folder):
        before = _whole_records(folder)
        with writer.as_default():
            yield
        writer.flush()
        if _whole_records(folder) != before + events:
            raise WriteError(folder, f"some summaries are missing; {files.room(folder)}")


def _whole_records(folder):
    """Number of records in the files; NaN if a file ends within a record."""
    count = 0
    for path in pathlib.Path(folder).glob(PATTERN):
        size, place = path.stat().st_size, 0
        with open(path, "rb") as file:
            while place + RECORD_OVERHEAD <= size:
                file.seek(place)
                place += RECORD_OVERHEAD + struct.unpack("<Q", file.read(8))[0]
                count += 1
        if place != size:
            return math.nan
    return count


def forget_after(folder, step):
    """Removes the events later than `step` from a folder's event files, and warns of damage.

    Args:
      folder: a folder of event files; it need not exist.
      step: the last step to keep, that of the checkpoint from which a run continues.
    Returns:
      the step of the last event that remains; `step` if there are no files.
    """
    for remains in pathlib.Path(folder).glob(f".*{PATTERN}"):
        remains.unlink()  # left by a process killed while writing; TensorBoard would read it
    paths = sorted(pathlib.Path(folder).glob(PATTERN))
    last = 0 if paths else step
    for path in paths:
        events, flaw = _records(path)
        steps = [tf.compat.v1.Event.FromString(event).step for event in events]
        kept = [event for event, its in zip(events, steps, strict=True) if its <= step]
        last = max([last, *(its for its in steps if its <= step)])
        if flaw == "damaged":
            _warn(f"{path}: is damaged; the events before the damage are kept")
        if len(kept) <= 1:  # only the header: the run stopped in its first epoch
            path.unlink()
            continue
        if len(kept) == len(events) and not flaw:
            continue
        with writing(path), files.whole_file(path) as partial:
            with tf.io.TFRecordWriter(str(partial)) as writer:
                for event in kept:
                    writer.write(event)
    return last


def continue_from(folder, step, finished_step=None):
    """`forget_after` for files with events of every epoch: warns if the last are missing.

    Args:
      folder, step: as for `forget_after`.
      finished_step: end of the last finished epoch, whose events must be there; None: `step`.
    """
    finished_step = step if finished_step is None else finished_step
    last = forget_after(folder, step)
    if last < finished_step:  # they cannot be written again
        missing = f"steps {last + 1} to {finished_step}"
        _warn(f"{folder}: the summaries of {missing} are missing or damaged")


def _records(path):
    """The complete records of a file, and the flaw of the record after them.

    The flaw is "short" (a killed process may leave such a record), "damaged", or None.
    """
    records = []
    try:
        for record in tf.data.TFRecordDataset(str(path)):
            records.append(record.numpy())
    except tf.errors.DataLossError as error:
        return records, "short" if "truncated" in str(error) else "damaged"
    return records, None


def _warn(text):
    print(f"warning: {text}; history.csv has the values", file=sys.stderr, flush=True)
