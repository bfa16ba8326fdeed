"""What TensorBoard shows while a mask generator or a depth network trains.

    tensorboard --logdir <workdir>/logs

The step of every summary is the optimizer's count of steps, which a checkpoint holds. A run that
goes on from a checkpoint first removes what was written after it, so that no step stands twice:
what is later than the parameter `kept_step` of the callbacks or, without it, than the optimizer's
count, which is to be restored before training starts.
"""

import pathlib

import keras
import numpy as np
import tensorflow as tf

from tfdepthviz.reports import event_files, strips
from tfdepthviz.utils.constants import THRESHOLD


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
            event_files.go_on(folder, _kept_step(self))

    def on_epoch_end(self, epoch, logs=None):
        step = _step(self.model)
        values = {run: {} for run in self.folders}
        for name, value in (logs or {}).items():
            run = "validation" if name.startswith("val_") else "train"
            values[run][name.removeprefix("val_")] = np.mean(value)
        for run, folder in self.folders.items():
            if not values[run]:
                continue
            if run not in self.writers:
                self.writers[run] = event_files.open_writer(folder)
            with event_files.written(self.writers[run], folder, len(values[run])):
                for name, value in values[run].items():
                    tf.summary.scalar(name, value, step=step)

    def on_train_end(self, logs=None):
        for writer in self.writers.values():
            writer.close()
        self.writers = {}


class MaskSummaries(keras.callbacks.Callback):
    """Draws the same frames as the mask generator learns, one strip a frame.

    Image, mask, binarised mask, depth from the image, depth from the masked image, and their
    difference (`strips.draw_strip`), in <log_dir>/frames under the names frame/0, frame/1, ...

    Args:
      log_dir: folder for the event files; TensorBoard wants one writer a folder.
      batch: {"image": (B, H, W, 3) float32, normalised}: the frames, other keys are not read.
      trainer: holds depth_net (N, frozen) and mask_net (G).
      every_epochs: draws at the end of every this many epochs.
      threshold: the grey level up to which the binarised mask removes a pixel.
    """

    def __init__(self, log_dir, batch, trainer, every_epochs=1, threshold=THRESHOLD):
        super().__init__()
        self.folder = pathlib.Path(log_dir) / "frames"
        self.image = tf.convert_to_tensor(batch["image"])
        self.trainer = trainer
        self.every_epochs = every_epochs
        self.threshold = threshold

    def on_train_begin(self, logs=None):
        go_on = event_files.go_on if self.every_epochs == 1 else event_files.forget_after
        go_on(self.folder, _kept_step(self))
        self.writer = event_files.open_writer(self.folder)
        # N is frozen, so N(I) stays as it is.
        self.y_full = self._depth(self.image)

    def on_epoch_end(self, epoch, logs=None):
        if (epoch + 1) % self.every_epochs:
            return
        mask = self.trainer.mask_net(self.image, training=False)
        target = self.trainer.target
        maps = strips.frame_maps(target, self.image, mask, y_full=self.y_full, predict=self._depth)
        with event_files.written(self.writer, self.folder, len(self.image)):
            for number, frame in enumerate(zip(*maps, strict=True)):
                picture = strips.draw_strip(*frame, threshold=self.threshold, unit=target.unit)
                tf.summary.image(f"frame/{number}", picture[np.newaxis], step=_step(self.model))

    def on_train_end(self, logs=None):
        self.writer.close()

    def _depth(self, image):
        return self.trainer.depth_net(image, training=False)


def _step(model):
    return int(model.optimizer.iterations.numpy())


def _kept_step(callback):
    return (callback.params or {}).get("kept_step", _step(callback.model))
