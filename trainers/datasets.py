"""Data sets by the name that --dataset takes."""

import contextlib

import tensorflow as tf

from tfdepthviz.data import folder, nyu, samples, tum
from tfdepthviz.errors import InputError

DATASETS = {"samples": samples, "nyu": nyu, "tum": tum, "folder": folder}
FAILED_READS = (
    tf.errors.InvalidArgumentError,
    tf.errors.NotFoundError,
    tf.errors.DataLossError,
    tf.errors.PermissionDeniedError,
)


def load(dataset, data_dir, split):
    """Raw examples of one split ("train" or "validation"); see `tfdepthviz.data.examples`."""
    return DATASETS[dataset].load(*_location(dataset, data_dir), split=split)


@contextlib.contextmanager
def named_files(dataset, data_dir):
    """Turns a failure to read a file somewhere inside into an InputError that names the file."""
    try:
        yield
    except FAILED_READS:
        for split in ("train", "validation"):
            DATASETS[dataset].check(*_location(dataset, data_dir), split=split)
        raise


def _location(dataset, data_dir):
    if dataset == "samples":
        if data_dir:
            raise InputError(f"--data_dir={data_dir}: --dataset=samples is embedded and takes none")
        return ()
    if not data_dir:
        raise InputError(f"--data_dir: --dataset={dataset} needs the folder that holds it")
    return (data_dir,)
