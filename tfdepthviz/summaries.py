"""What TensorBoard shows while a mask generator or a depth network trains.

    tensorboard --logdir <workdir>/logs

The step of every summary is the optimizer's count of steps, which a checkpoint holds. A run that
goes on from a checkpoint first removes what was written after it, so that no step stands twice:
what is later than the parameter `kept_step` of the callbacks or, without it, than the optimizer's
count, which is to be restored before training starts.
"""

import os
import pathlib
import sys

import keras
import numpy as np
import tensorflow as tf

from tfdepthviz import depth_kinds, figures, masks
from tfdepthviz.data import transforms
from tfdepthviz.files import writing


class ScalarSummaries(keras.callbacks.Callback):
    """Writes every logged value at the end of each epoch, under the name that it was logged by.

    Training goes to <log_dir>/train; validation to <log_dir>/validation, its `val_` taken off, so
    that TensorBoard draws both lines in one plot.

    Args:
      log_dir: folder for the event files.
    """

    def __init__(self, log_dir):
        super().__init__()
        self.folders = {run: pathlib.Path(log_dir) / run for run in ("train", "validation")}
        self.writers = {}

    def on_train_begin(self, logs=None):
        for folder in self.folders.values():
            _go_on(folder, _kept_step(self))

    def on_epoch_end(self, epoch, logs=None):
        step = _step(self.model)
        for name, value in (logs or {}).items():
            run = "validation" if name.startswith("val_") else "train"
            with _writing(self.folders[run]):
                if run not in self.writers:
                    self.writers[run] = tf.summary.create_file_writer(str(self.folders[run]))
                with self.writers[run].as_default():
                    tf.summary.scalar(name.removeprefix("val_"), np.mean(value), step=step)
        for run, writer in self.writers.items():
            with _writing(self.folders[run]):
                writer.flush()

    def on_train_end(self, logs=None):
        for run, writer in self.writers.items():
            with _writing(self.folders[run]):
                writer.close()
        self.writers = {}


class MaskSummaries(keras.callbacks.Callback):
    """Draws the same frames as the mask generator learns, one strip a frame.

    Image, mask, binarised mask, depth from the image, depth from the masked image, and their
    difference (`figures.strip`), in <log_dir>/frames under the names frame/0, frame/1, ...

    Args:
      log_dir: folder for the event files; TensorBoard wants one writer a folder.
      batch: {"image": (B, H, W, 3) float32, normalised}: the frames, other keys are not read.
      trainer: holds depth_net (N, frozen) and mask_net (G).
      every_epochs: draws at the end of every this many epochs.
      threshold: the grey level up to which the binarised mask removes a pixel.
    """

    def __init__(self, log_dir, batch, trainer, every_epochs=1, threshold=0.025):
        super().__init__()
        self.folder = pathlib.Path(log_dir) / "frames"
        self.image = tf.convert_to_tensor(batch["image"])
        self.trainer = trainer
        self.every_epochs = every_epochs
        self.threshold = threshold

    def on_train_begin(self, logs=None):
        (_go_on if self.every_epochs == 1 else forget_after)(self.folder, _kept_step(self))
        with _writing(self.folder):
            self.writer = tf.summary.create_file_writer(str(self.folder))
        self.rgb = keras.ops.convert_to_numpy(transforms.denormalise(self.image))
        # N is frozen: what it makes of the whole images stays as it is.
        self.full = self._depth(self.image)

    def on_epoch_end(self, epoch, logs=None):
        if (epoch + 1) % self.every_epochs:
            return
        mask = self.trainer.mask_net(self.image, training=False)
        kind = self.trainer.depth_kind
        masked = self._depth(masks.apply_mask(self.image, mask))
        maps = [mask, *depth_kinds.drawable(kind, self.full, masked)]
        maps = [keras.ops.convert_to_numpy(keras.ops.cast(m, "float32")) for m in maps]
        frames, unit = zip(self.rgb, *maps, strict=True), depth_kinds.unit(kind)
        with _writing(self.folder):
            with self.writer.as_default(step=_step(self.model)):
                for number, frame in enumerate(frames):
                    picture = figures.strip(*frame, threshold=self.threshold, unit=unit)
                    tf.summary.image(f"frame/{number}", picture[np.newaxis])
            self.writer.flush()

    def on_train_end(self, logs=None):
        with _writing(self.folder):
            self.writer.close()

    def _depth(self, image):
        return self.trainer.depth_net(image, training=False)


def forget_after(folder, step):
    """Takes the events later than `step` out of a folder's event files, and says what is damaged.

    Args:
      folder: a folder of event files; it need not exist.
      step: the last step to keep, that of the checkpoint that a run goes on from.
    Returns:
      the step of the last event that is there; `step` where there are no files.
    """
    for remains in pathlib.Path(folder).glob(".events.out.tfevents.*"):
        remains.unlink()  # of a process that was killed here; TensorBoard would read it
    paths = sorted(pathlib.Path(folder).glob("events.out.tfevents.*"))
    last = 0 if paths else step
    for path in paths:
        events, damaged = _records(path)
        steps = [tf.compat.v1.Event.FromString(event).step for event in events]
        kept = [event for event, its in zip(events, steps, strict=True) if its <= step]
        last = max([last, *(its for its in steps if its <= step)])
        if damaged:
            _warn(f"{path}: is damaged; TensorBoard shows what stands before the damage")
        if (
            len(kept) <= 1 and not damaged
        ):  # what a run wrote that ended before its first epoch did: the header
            path.unlink()
            continue
        if len(kept) == len(events):
            continue
        beside = path.with_name(f".{path.name}.part")
        try:
            with _writing(path):
                with tf.io.TFRecordWriter(str(beside)) as writer:
                    for event in kept:
                        writer.write(event)
                os.replace(beside, path)
        finally:
            beside.unlink(missing_ok=True)
    return last


def _go_on(folder, step):
    """As `forget_after`, where every epoch has been written."""
    last = forget_after(folder, step)
    if last < step:  # nothing can make them once more
        _warn(f"{folder}: the summaries of steps {last + 1} to {step} are missing or damaged")


def _writing(path):
    return writing(path, tf.errors.OpError)


def _records(path):
    """The whole records of a file, and whether the one after them is damaged.

    A killed process may have left half of a last one, which is no damage.
    """
    records = []
    try:
        for record in tf.data.TFRecordDataset(str(path)):
            records.append(record.numpy())
    except tf.errors.DataLossError as error:
        return records, "truncated" not in str(error)
    return records, False


def _warn(text):
    print(f"warning: {text}; history.csv has the figures", file=sys.stderr, flush=True)


def _step(model):
    return int(model.optimizer.iterations.numpy())


def _kept_step(callback):
    return (callback.params or {}).get("kept_step", _step(callback.model))
