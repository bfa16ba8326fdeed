"""TensorBoard callbacks: logged values, and the masks of fixed frames, while a network trains.

    tensorboard --logdir <workdir>/logs

The step of every summary is the optimizer's count of steps, which a checkpoint holds. A run that
continues from a checkpoint first removes the later summaries, so no step appears twice. The
callbacks' parameter `kept_step` is the last step to keep, and `finished_step` the end of the last
finished epoch, whose summaries must be there. Without them both are the optimizer's count, which
must be restored before training starts.
"""

import pathlib

import keras
import numpy as np
import tensorflow as tf

from tfdepthviz import masks
from tfdepthviz.data import transforms
from tfdepthviz.evaluation.controls import random_pixels, sobel_edges
from tfdepthviz.models.scores import ends_in_sigmoid, scores_net
from tfdepthviz.reports import event_files, panels, strips
from tfdepthviz.utils.constants import SHARE, THRESHOLD

# Summaries of values in an epoch, that at its end included.
TIMES_AN_EPOCH = 5
# Logged name of the distance from N(I) with 36 % of the pixels.
FIDELITY = f"fidelity_{round(100 * SHARE)}"
# Pictures of a frame in the order in which TensorBoard shows them, by alphabet.
PICTURES = ("mask", "binary_mask", "depth", "binary_depth", "difference")
COLUMNS = 3


class ScalarSummaries(keras.callbacks.Callback):
    """Writes every logged value several times an epoch, under its logged name.

    Values of training go to <log_dir>/train: within an epoch the running means since its begin.
    Those of validation go to <log_dir>/validation without their prefix `val_`, so TensorBoard draws
    both lines in one plot. `rmse` is left out where it is NaN, as without ground truth.

    Args:
      log_dir: folder for the event files.
    """

    def __init__(self, log_dir):
        super().__init__()
        self.folders = {run: pathlib.Path(log_dir) / run for run in ("train", "validation")}
        self.writers = {}

    def on_train_begin(self, logs=None):
        self.moments = Moments(self)
        for folder in self.folders.values():
            event_files.continue_from(folder, *steps_of(self))

    def on_train_batch_end(self, batch, logs=None):
        if self.moments.due(batch):
            self._write("train", logs or {})

    def on_epoch_end(self, epoch, logs=None):
        values = {run: {} for run in self.folders}
        for name, value in (logs or {}).items():
            run = "validation" if name.startswith("val_") else "train"
            values[run][name.removeprefix("val_")] = value
        for run in self.folders:
            self._write(run, values[run])

    def on_train_end(self, logs=None):
        for writer in self.writers.values():
            writer.close()
        self.writers = {}

    def _write(self, run, values):
        values = {name: np.mean(value) for name, value in values.items()}
        if np.isnan(values.get("rmse", 0)):
            del values["rmse"]
        if not values:
            return
        folder = self.folders[run]
        if run not in self.writers:
            self.writers[run] = event_files.open_writer(folder)
        with event_files.checked_events(self.writers[run], folder, len(values)):
            for name, value in values.items():
                tf.summary.scalar(name, value, step=step_of(self.model))


class MaskSummaries(keras.callbacks.Callback):
    """Draws and measures the masks of the same frames while the mask generator learns.

    At the end of each epoch <log_dir>/frames gets pictures of each frame under a heading of its
    own: `frame_0/1_all`, and alone `frame_0/2_mask` to `frame_0/6_difference`, of N(I*M') - N(I).
    Their colour scales are the same at every step.

    Several times an epoch it gets the share of the pixels that M' keeps, `frames/share`, and the
    distance from N(I) with the 36 % of the pixels that G scores highest, `frames/fidelity_36`.
    Equally many Sobel edge pixels and random pixels are the runs `edges` and `random_pixels`, which
    TensorBoard draws in the same plot as lines of reference.

    Args:
      log_dir: folder for the event files; TensorBoard needs one writer a folder.
      batch: {"image": (B, H, W, 3) float32, normalised}: the frames; other keys are ignored.
      trainer: MaskTrainer or RankingTrainer: N, frozen, and G.
      threshold: grey level up to which the binarised mask removes a pixel.
    """

    def __init__(self, log_dir, batch, trainer, threshold=THRESHOLD):
        super().__init__()
        self.folder = pathlib.Path(log_dir)
        self.image = tf.convert_to_tensor(batch["image"])
        self.trainer = trainer
        self.threshold = threshold
        mask_net = trainer.mask_net
        self.scores_net = scores_net(mask_net) if ends_in_sigmoid(mask_net) else mask_net

    def on_train_begin(self, logs=None):
        self.moments = Moments(self)
        # N is frozen, so its depth of the whole and of the blank image stays as it is.
        self.y_full, self.y_blank = self._depth(self.image), self._shown(0 * self.image[..., :1])
        self.controls = {
            "edges": self._distance(sobel_edges(self.image)),
            "random_pixels": self._distance(random_pixels(self.image.shape, seed=0)),
        }
        self.writers = {}
        for run in ("frames", *self.controls):
            event_files.continue_from(self.folder / run, *steps_of(self))
            self.writers[run] = event_files.open_writer(self.folder / run)

    def on_train_batch_end(self, batch, logs=None):
        if self.moments.due(batch):
            self._write(self._mask())

    def on_epoch_end(self, epoch, logs=None):
        mask = self._mask()
        self._write(mask, self._pictures(mask))

    def on_train_end(self, logs=None):
        for writer in self.writers.values():
            writer.close()

    def _write(self, mask, pictures=()):
        step, pictures = step_of(self.model), dict(pictures)
        of_mask = {
            f"frames/{FIDELITY}": self._distance(self.scores_net(self.image, training=False)),
            "frames/share": np.mean(masks.binarise(mask, self.threshold)),
        }
        values = {"frames": of_mask}
        values |= {run: {f"frames/{FIDELITY}": value} for run, value in self.controls.items()}
        for run, writer in self.writers.items():
            drawn = pictures if run == "frames" else {}
            events = len(values[run]) + len(drawn)
            with event_files.checked_events(writer, self.folder / run, events):
                for tag, value in values[run].items():
                    tf.summary.scalar(tag, value, step=step)
                for tag, picture in drawn.items():
                    tf.summary.image(tag, picture[np.newaxis], step=step)

    def _pictures(self, mask):
        """Tag -> picture, of all frames."""
        target, size = self.trainer.target, self.image.shape[1:3]
        y_binary = self._shown(masks.binarise(mask, self.threshold))
        rgb = np.clip(transforms.denormalise(self.image), 0, 1)
        depth, binary_depth = target.drawable(self.y_full, y_binary)
        _, blank_depth = target.drawable(self.y_full, self.y_blank)
        maps = map(np.asarray, (rgb, mask, depth, binary_depth, blank_depth))
        pictures = {}
        for number, frame in enumerate(zip(*maps, strict=True)):
            of_frame = strips.frame_panels(*frame, self.threshold, target.unit)
            grid = panels.draw_panels(of_frame.values(), size, COLUMNS)
            cut = panels.cut_panels(grid, len(of_frame), size, COLUMNS)
            alone = dict(zip(of_frame, cut, strict=True))
            shown = {"all": grid, **{name: alone[name] for name in PICTURES}}
            for place, (name, picture) in enumerate(shown.items(), start=1):
                pictures[f"frame_{number}/{place}_{name}"] = picture
        return pictures

    def _mask(self):
        return self.trainer.mask_net(self.image, training=False)

    def _distance(self, scores):
        """Distance from N(I) with the top 36 % of the scores: the root of the mean over frames."""
        shown = masks.top_share_mask(scores, tf.fill(len(self.image), SHARE))
        y_shown = self._shown(shown)
        return np.sqrt(np.mean(self.trainer.fidelity(self.y_full, y_shown)))

    def _shown(self, mask):
        return self._depth(self.trainer.target.shown(self.image, mask))

    def _depth(self, image):
        return self.trainer.depth_net(image, training=False)


class Moments:
    """The steps within an epoch at which a callback writes values; its end is another matter.

    Args:
      callback: callback whose training begins.
    """

    def __init__(self, callback):
        self.model = callback.model
        self.steps = (callback.params or {}).get("steps") or 0
        self.last = step_of(self.model)

    def due(self, batch):
        """Whether to write after step `batch` of the epoch, from 0; not where it was undone."""
        done, step = batch + 1, step_of(self.model)
        if done >= self.steps or step == self.last:
            return False
        if done * TIMES_AN_EPOCH // self.steps == batch * TIMES_AN_EPOCH // self.steps:
            return False
        self.last = step
        return True


def step_of(model):
    """The optimizer's count of steps."""
    return int(model.optimizer.iterations.numpy())


def steps_of(callback):
    """The last step whose summaries stay, and the end of the last finished epoch."""
    parameters, step = callback.params or {}, step_of(callback.model)
    return parameters.get("kept_step", step), parameters.get("finished_step", step)
