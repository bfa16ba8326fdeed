"""Event files of TensorBoard with known content."""

import tensorflow as tf


def write_events(folder):
    """Writes the scalar "a" of steps 1, 2 and 3 and returns the file."""
    writer = tf.summary.create_file_writer(str(folder))
    with writer.as_default():
        for step in (1, 2, 3):
            tf.summary.scalar("a", float(step), step=step)
    writer.close()
    (path,) = folder.iterdir()
    return path
