"""What a finished run has left, and where two runs differ in it, bit by bit."""

import re
import zipfile

import h5py
import numpy as np
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

# What may differ: when each was written, and where in memory its objects lay.
WRITTEN_AT = "metadata.json"
ADDRESS = re.compile(rb'"shared_object_id": \d+')


def variables(folder):
    """Name -> value of all that a run's last checkpoint holds, optimiser and lambda included."""
    newest = sorted((folder / "checkpoints").iterdir())[-1]
    reader = tf.train.load_checkpoint(str(newest / "variables"))
    names = set(reader.get_variable_to_shape_map()) - {"_CHECKPOINTABLE_OBJECT_GRAPH"}
    return {name: reader.get_tensor(name) for name in names}


def network(folder):
    """Name -> value of all that the one .keras file of a run holds."""
    (path,) = folder.glob("*_net.keras")
    found = {}
    with zipfile.ZipFile(path) as archive:
        for name in set(archive.namelist()) - {WRITTEN_AT, "model.weights.h5"}:
            found[name] = ADDRESS.sub(b"", archive.read(name))
        with archive.open("model.weights.h5") as stream, h5py.File(stream) as weights:
            datasets = []
            weights.visititems(lambda name, item: datasets.append((name, item)))
            found |= {name: item[()] for name, item in datasets if isinstance(item, h5py.Dataset)}
    return found


def summaries(folder):
    """(run, tag) -> (step, bytes) of everything that TensorBoard reads."""
    found = {}
    for run in sorted((folder / "logs").iterdir()):
        events = EventAccumulator(str(run), size_guidance={"tensors": 0}).Reload()
        for tag in events.Tags()["tensors"]:
            found[run.name, tag] = [
                (event.step, event.tensor_proto.SerializeToString())
                for event in events.Tensors(tag)
            ]
    return found


def names(folder):
    """What lies in a work folder, and its newest checkpoint with the number of all.

    Which one is kept beside the newest depends on where a signal made the run save.
    """
    saved = sorted(p.name for p in (folder / "checkpoints").iterdir())
    return {"folder": sorted(p.name for p in folder.iterdir()), "saved": (saved[-1], len(saved))}


def differences(one, other):
    """One text for each thing in which two runs differ; the work folders are Paths."""
    found = []
    for read in (variables, network, summaries, names):
        here, there = read(one), read(other)
        for key in sorted(here.keys() | there.keys(), key=str):
            if key not in here or key not in there or not _same(here[key], there[key]):
                values = f" {here.get(key)} {there.get(key)}" if read is names else ""
                found.append(f"{read.__name__}: {key}{values}")
    here, there = ((folder / "history.csv").read_text() for folder in (one, other))
    if here != there:
        found.append(f"history.csv:\n{here}{there}")
    return found


def _same(one, other):
    if isinstance(one, np.ndarray):
        return (one.dtype, one.shape) == (other.dtype, other.shape) and (
            one.tobytes() == other.tobytes()
        )
    return one == other
