"""Card of a training run in TensorBoard: its text, its place among other runs, its charts.

<log_dir>/run gets a text with the command, the networks and the data, and one with the figures of
each validation; the run's hyperparameters for HPARAMS; and the layout of CUSTOM SCALARS.
"""

import math
import pathlib

import keras
import tensorflow as tf
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.custom_scalar import summary as custom_scalar
from tensorboard.plugins.hparams import api

from tfdepthviz.reports import event_files
from tfdepthviz.reports.tensorboard import step_of, steps_of

# Category -> chart -> regular expressions of logged names. Charts without values stay empty.
LAYOUT = {
    "Loss": {"loss": ["^loss$"], "terms": ["^loss/"]},
    "Share of the pixels": {
        "M' of the drawn frames": ["^frames/share$"],
        "what N is shown": ["^mask/(mean|sparseness)$"],
    },
    "Distance from N(I)": {
        "drawn frames, 36 % of the pixels: G, edges, random": ["^frames/fidelity_36$"],
        "validation, at each share": ["^fidelity/share_"],
        "what N is shown": ["^fidelity/rmse$"],
    },
    "Distance from the ground truth": {"RMSE": ["^rmse$"], "relative error": ["^rel$"]},
}


class RunCard(keras.callbacks.Callback):
    """Writes the card when training begins, and figures at the end of each epoch.

    Args:
      log_dir: folder of the event files; the card lies in its folder `run`.
      name: of the run, in HPARAMS.
      rows: dict of name -> text or number, the table of the card.
      hparams: dict of name -> bool, number or text; None leaves the run out of HPARAMS.
    """

    def __init__(self, log_dir, name, rows, hparams=None):
        super().__init__()
        self.folder = pathlib.Path(log_dir) / "run"
        self.name = name
        self.rows = rows
        self.hparams = hparams

    def on_train_begin(self, logs=None):
        kept_step, finished_step = steps_of(self)
        if kept_step:  # the card of a run that continues is there
            event_files.continue_from(self.folder, kept_step, finished_step)
        else:
            event_files.remove_events(self.folder)
        self.writer = event_files.open_writer(self.folder)
        if kept_step:
            return
        with event_files.checked_events(self.writer, self.folder, 2 + (self.hparams is not None)):
            tf.summary.text("run", _list(self.rows), step=0)
            tf.summary.experimental.write_raw_pb(_layout(), step=0)
            if self.hparams is not None:
                api.hparams(self.hparams, trial_id=self.name)

    def on_epoch_end(self, epoch, logs=None):
        figures = {
            name.removeprefix("val_"): value
            for name, value in (logs or {}).items()
            # Without ground truth there is no distance from it.
            if name.startswith("val_") and math.isfinite(value)
        }
        step = step_of(self.model)
        with event_files.checked_events(self.writer, self.folder, 1 + len(figures)):
            tf.summary.text("validation", _list(figures), step=step)
            for name, value in figures.items():
                # The last one is the run's figure in HPARAMS.
                tf.summary.scalar(f"last/{name}", value, step=step)

    def on_train_end(self, logs=None):
        self.writer.close()


def _list(rows):
    """Names and values as a list in Markdown."""
    texts = {k: f"{v:.4g}" if isinstance(v, float) else str(v) for k, v in rows.items()}
    return "\n".join(f"- **{name}**: {text}" for name, text in texts.items())


def _layout():
    """The layout of CUSTOM SCALARS as a serialized summary."""
    categories = [
        layout_pb2.Category(
            title=title,
            chart=[
                layout_pb2.Chart(title=chart, multiline=layout_pb2.MultilineChartContent(tag=tags))
                for chart, tags in charts.items()
            ],
        )
        for title, charts in LAYOUT.items()
    ]
    return custom_scalar.pb(layout_pb2.Layout(category=categories)).SerializeToString()
