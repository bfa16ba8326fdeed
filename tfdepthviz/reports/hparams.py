"""HParams: a sweep in TensorBoard, one session for each mask generator.

tensorboard --logdir WORKDIR
"""

import contextlib
import pathlib

import tensorflow as tf
from tensorboard.plugins.hparams import api

from tfdepthviz.reports import event_files

# Columns of a sweep that are shown -> their titles.
METRICS = {
    "sparseness": "sparseness of M'",
    "rmse_mask": "RMSE(M), m",
    "rmse_binary_mask": "RMSE(M'), m",
    "fidelity_rmse_mask": "fidelity of M",
    "fidelity_rmse_binary_mask": "fidelity of M'",
}


def write_hparams(folder, sweep, options, folders):
    """Writes the experiment into <folder>/hparams and each session into <folder of G>/hparams.

    Replaces the files of an earlier run of the sweep.

    Args:
      folder: folder of the sweep.
      sweep: sweeps.Sweep.
      options: dict of the other hyperparameters, equal in every session: bool, number or text.
      folders: folder of each mask generator, in the order of `sweep.rows` after the first.
    """
    parameter = sweep.parameter
    values = [row[parameter] for row in sweep.rows[1:]]
    with _new_event_file(pathlib.Path(folder) / "hparams", events=1):
        api.hparams_config(
            hparams=[
                api.HParam(parameter, api.Discrete(sorted(values))),
                *(api.HParam(name, api.Discrete([value])) for name, value in options.items()),
            ],
            metrics=[
                api.Metric(f"sweep/{name}", display_name=text) for name, text in METRICS.items()
            ],
        )
    for row, session in zip(sweep.rows[1:], folders, strict=True):
        with _new_event_file(pathlib.Path(session) / "hparams", events=1 + len(METRICS)):
            api.hparams({parameter: row[parameter], **options}, trial_id=pathlib.Path(session).name)
            for name in METRICS:
                tf.summary.scalar(f"sweep/{name}", row[name], step=0)


@contextlib.contextmanager
def _new_event_file(folder, events):
    event_files.remove_events(folder)
    writer = event_files.open_writer(folder)
    with event_files.checked_events(writer, folder, events):
        yield
    writer.close()
