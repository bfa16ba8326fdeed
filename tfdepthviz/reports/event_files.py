"""TensorBoard's event files: going on with those of a run that stopped, and failing to write them.

An event file is a sequence of records, each of its length (8 bytes), a sum of that (4), its content
and a sum of that (4).
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
AROUND_CONTENT = 16


def writing(path):
    """`files.writing`, to which TensorFlow's exceptions are failures to write."""
    return files.writing(path, tf.errors.OpError)


def open_writer(folder):
    """TensorFlow's writer of a new event file, whose header is on the disk."""
    with writing(folder):
        writer = tf.summary.create_file_writer(str(folder))
        writer.flush()
    return writer


@contextlib.contextmanager
def written(writer, folder, events):
    """Writes what is written inside, and makes sure that it is in the folder's files.

    TensorFlow passes over a disk that has no room for a record larger than its buffer.

    Args:
      writer: the only one of the folder, with nothing to flush.
      folder: of the event files.
      events: how many are written inside.
    Raises:
      WriteError: some of them, or their ends, are missing; or nothing can be written.
    """
    with writing(folder):
        before = _whole_records(folder)
        with writer.as_default():
            yield
        writer.flush()
        if _whole_records(folder) != before + events:
            raise WriteError(folder, f"not all that was to be there is; {files.room(folder)}")


def _whole_records(folder):
    """How many records the files hold; NaN if one ends within a record."""
    count = 0
    for path in pathlib.Path(folder).glob(PATTERN):
        size, place = path.stat().st_size, 0
        with open(path, "rb") as file:
            while place + AROUND_CONTENT <= size:
                file.seek(place)
                place += AROUND_CONTENT + struct.unpack("<Q", file.read(8))[0]
                count += 1
        if place != size:
            return math.nan
    return count


def forget_after(folder, step):
    """Takes the events later than `step` out of a folder's event files, and says what is damaged.

    Args:
      folder: a folder of event files; it need not exist.
      step: the last step to keep, that of the checkpoint that a run goes on from.
    Returns:
      the step of the last event that is there; `step` where there are no files.
    """
    for remains in pathlib.Path(folder).glob(f".*{PATTERN}"):
        remains.unlink()  # of a process that was killed here; TensorBoard would read it
    paths = sorted(pathlib.Path(folder).glob(PATTERN))
    last = 0 if paths else step
    for path in paths:
        events, flaw = _records(path)
        steps = [tf.compat.v1.Event.FromString(event).step for event in events]
        kept = [event for event, its in zip(events, steps, strict=True) if its <= step]
        last = max([last, *(its for its in steps if its <= step)])
        if flaw == "damaged":
            _warn(f"{path}: is damaged; what stands before the damage is kept")
        if len(kept) <= 1:  # the header is all that a run wrote that ended in its first epoch
            path.unlink()
            continue
        if len(kept) == len(events) and not flaw:
            continue
        with writing(path), files.whole_file(path) as partial:
            with tf.io.TFRecordWriter(str(partial)) as writer:
                for event in kept:
                    writer.write(event)
    return last


def go_on(folder, step):
    """As `forget_after`, where every epoch has been written."""
    last = forget_after(folder, step)
    if last < step:  # nothing can make them once more
        _warn(f"{folder}: the summaries of steps {last + 1} to {step} are missing or damaged")


def _records(path):
    """The whole records of a file, and what is wrong with the one after them.

    "short" is what a killed process may have left; None if nothing is wrong.
    """
    records = []
    try:
        for record in tf.data.TFRecordDataset(str(path)):
            records.append(record.numpy())
    except tf.errors.DataLossError as error:
        return records, "short" if "truncated" in str(error) else "damaged"
    return records, None


def _warn(text):
    print(f"warning: {text}; history.csv has the figures", file=sys.stderr, flush=True)
