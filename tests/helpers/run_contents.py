"""Contents of a finished run's work folder, and the differences of two runs, bit by bit."""

import re
import zipfile

import h5py
import numpy as np
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

# These may differ between equal runs: the time of writing, and addresses of objects in memory.
WRITTEN_AT = "metadata.json"
ADDRESS = re.compile(rb'"shared_object_id": \d+')


def variables(folder):
    """Name -> value of each variable of a run's last checkpoint, optimiser and lambda included."""
    newest = sorted((folder / "checkpoints").iterdir())[-1]
    reader = tf.train.load_checkpoint(str(newest / "variables"))
    names = set(reader.get_variable_to_shape_map()) - {"_CHECKPOINTABLE_OBJECT_GRAPH"}
    return {name: reader.get_tensor(name) for name in names}


def network(folder):
    """Name -> value of each weight and each other file in the only .keras file of a run."""
    (path,) = folder.glob("*_net.keras")
    contents = {}
    with zipfile.ZipFile(path) as archive:
        for name in set(archive.namelist()) - {WRITTEN_AT, "model.weights.h5"}:
            contents[name] = ADDRESS.sub(b"", archive.read(name))
        with archive.open("model.weights.h5") as stream, h5py.File(stream) as weights:
            datasets = []
            weights.visititems(lambda name, item: datasets.append((name, item)))
            arrays = {k: item[()] for k, item in datasets if isinstance(item, h5py.Dataset)}
    return contents | arrays


def summaries(folder):
    """(run, tag) -> list of (step, bytes): everything that TensorBoard reads."""
    logged = {}
    for run in sorted((folder / "logs").iterdir()):
        events = EventAccumulator(str(run), size_guidance={"tensors": 0}).Reload()
        for tag in events.Tags()["tensors"]:
            logged[run.name, tag] = [
                (event.step, event.tensor_proto.SerializeToString())
                for event in events.Tensors(tag)
            ]
    return logged


def names(folder):
    """Names in a work folder, its newest checkpoint, and the number of checkpoints.

    The older checkpoint's name depends on the step at which a signal made the run save.
    """
    saved = sorted(p.name for p in (folder / "checkpoints").iterdir())
    return {"folder": sorted(p.name for p in folder.iterdir()), "saved": (saved[-1], len(saved))}


def differences(one, other):
    """A text for each difference of two runs; `one` and `other` are Paths of their work folders."""
    texts = []
    for read in (variables, network, summaries, names):
        here, there = read(one), read(other)
        for key in sorted(here.keys() | there.keys(), key=str):
            if key not in here or key not in there or not _same(here[key], there[key]):
                values = f" {here.get(key)} {there.get(key)}" if read is names else ""
                texts.append(f"{read.__name__}: {key}{values}")
    here, there = ((folder / "history.csv").read_text() for folder in (one, other))
    if here != there:
        texts.append(f"history.csv:\n{here}{there}")
    return texts


def _same(one, other):
    if isinstance(one, np.ndarray):
        return (one.dtype, one.shape) == (other.dtype, other.shape) and (
            one.tobytes() == other.tobytes()
        )
    return one == other
