"""TensorBoard's event files: going on with those of a run that stopped, and failing to write them.

An event file is a sequence of records, each of its length (8 bytes), a sum of that (4), its content
and a sum of that (4).
"""

import os
import pathlib
import struct
import sys

import tensorflow as tf

from tfdepthviz import files
from tfdepthviz.errors import WriteError

PATTERN = "events.out.tfevents.*"
AROUND_CONTENT = 16


def writing(path):
    """`files.writing`, to which TensorFlow's exceptions are failures to write."""
    return files.writing(path, tf.errors.OpError)


def flush(writer, folder):
    """Flushes a writer, and makes sure that everything is in its folder's files.

    TensorFlow passes over a disk that has no room for a record larger than its buffer.

    Raises:
      WriteError: a file ends within a record, or cannot be written to.
    """
    with writing(folder):
        writer.flush()
        for path in pathlib.Path(folder).glob(PATTERN):
            if not _ends_with_a_record(path):
                raise WriteError(path, f"its end is missing; {files.room(path)}")


def _ends_with_a_record(path):
    size, place = path.stat().st_size, 0
    with open(path, "rb") as file:
        while place + AROUND_CONTENT <= size:
            file.seek(place)
            place += AROUND_CONTENT + struct.unpack("<Q", file.read(8))[0]
    return place == size


def forget_after(folder, step):
    """Takes the events later than `step` out of a folder's event files, and says what is damaged.

    Args:
      folder: a folder of event files; it need not exist.
      step: the last step to keep, that of the checkpoint that a run goes on from.
    Returns:
      the step of the last event that is there; `step` where there are no files.
    """
    for remains in pathlib.Path(folder).glob(f".{PATTERN}"):
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
        beside = path.with_name(f".{path.name}.part")
        try:
            with writing(path):
                with tf.io.TFRecordWriter(str(beside)) as writer:
                    for event in kept:
                        writer.write(event)
                os.replace(beside, path)
        finally:
            beside.unlink(missing_ok=True)
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
