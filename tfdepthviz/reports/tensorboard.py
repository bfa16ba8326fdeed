"""TensorBoard callbacks: logged values and strips while a network trains.

    tensorboard --logdir <workdir>/logs

The step of every summary is the optimizer's count of steps, which a checkpoint holds. A run that
continues from a checkpoint first removes the later summaries, so no step appears twice. The
callbacks' parameter `kept_step` is the last step to keep. Without it this is the optimizer's count,
which must be restored before training starts.
"""

import pathlib

import keras
import numpy as np
import tensorflow as tf

from tfdepthviz.reports import event_files, strips
from tfdepthviz.utils.constants import THRESHOLD


class ScalarSummaries(keras.callbacks.Callback):
    """Writes every logged value at the end of each epoch, under its logged name.

    Values of training go to <log_dir>/train, those of validation to <log_dir>/validation without
    their prefix `val_`, so TensorBoard draws both lines in one plot.

    Args:
      log_dir: folder for the event files.
    """

    def __init__(self, log_dir):
        super().__init__()
        self.folders = {run: pathlib.Path(log_dir) / run for run in ("train", "validation")}
        self.writers = {}

    def on_train_begin(self, logs=None):
        for folder in self.folders.values():
            event_files.continue_from(folder, _kept_step(self))

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
            with event_files.checked_events(self.writers[run], folder, len(values[run])):
                for name, value in values[run].items():
                    tf.summary.scalar(name, value, step=step)

    def on_train_end(self, logs=None):
        for writer in self.writers.values():
            writer.close()
        self.writers = {}


class MaskSummaries(keras.callbacks.Callback):
    """Draws strips of the same frames while the mask generator learns.

    Each strip (`strips.draw_strip`) goes to <log_dir>/frames under the name frame/0, frame/1, ...

    Args:
      log_dir: folder for the event files; TensorBoard needs one writer a folder.
      batch: {"image": (B, H, W, 3) float32, normalised}: the frames; other keys are ignored.
      trainer: training.MaskTrainer: its target (N, frozen) and its mask_net (G).
      every_epochs: number of epochs from one drawing to the next.
      threshold: grey level up to which the binarised mask removes a pixel.
    """

    def __init__(self, log_dir, batch, trainer, every_epochs=1, threshold=THRESHOLD):
        super().__init__()
        self.folder = pathlib.Path(log_dir) / "frames"
        self.image = tf.convert_to_tensor(batch["image"])
        self.trainer = trainer
        self.every_epochs = every_epochs
        self.threshold = threshold

    def on_train_begin(self, logs=None):
        # Events of every epoch are expected only where every epoch is drawn.
        if self.every_epochs == 1:
            event_files.continue_from(self.folder, _kept_step(self))
        else:
            event_files.forget_after(self.folder, _kept_step(self))
        self.writer = event_files.open_writer(self.folder)
        # N is frozen, so N(I) stays as it is.
        self.y_full = self._depth(self.image)

    def on_epoch_end(self, epoch, logs=None):
        if (epoch + 1) % self.every_epochs:
            return
        mask = self.trainer.mask_net(self.image, training=False)
        target = self.trainer.target
        maps = strips.frame_maps(target, self.image, mask, y_full=self.y_full, predict=self._depth)
        with event_files.checked_events(self.writer, self.folder, len(self.image)):
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
