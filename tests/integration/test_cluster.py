"""Clusters in one process: errors of TF_CONFIG, lost workers, and each worker's part of a batch."""

import json

import commands
import numpy as np
import pytest
import tensorflow as tf
import tiny_nets
from nyu_files import write_nyu

from tfdepthviz import models
from tfdepthviz.data import pipeline
from tfdepthviz.utils import files
from tfdepthviz.utils.errors import InputError
from trainers import sweep_sparsity, train_depth, train_mask
from trainers.engine import cluster

TWO = ["10.0.0.1:7000", "10.0.0.2:7000"]


def config(jobs, kind="worker", index=0):
    return json.dumps({"cluster": jobs, "task": {"type": kind, "index": index}})


WRONG = {
    "": "--strategy=multi_worker: TF_CONFIG is not set, such as {",
    "{": "TF_CONFIG: expected JSON, .*received '{'",
    "[]": r"TF_CONFIG: cluster: expected an object, .*received \[\]",
    '{"cluster": {}, "task": {}}': "TF_CONFIG: cluster: expected jobs `worker`",
    '{"cluster": {"worker": ["a:1"]}}': "TF_CONFIG: task: expected an object, .*received None",
    config({"worker": TWO, "ps": ["10.0.0.3:7000"]}): "TF_CONFIG: cluster: expected jobs",
    config({"worker": "10.0.0.1:7000"}): "TF_CONFIG: cluster.worker: expected a list",
    config({"worker": ["10.0.0.1"]}): "cluster.worker: expected addresses HOST:PORT, .*'10.0.0.1'",
    config({"worker": [7000]}): "cluster.worker: expected addresses HOST:PORT, .*received 7000",
    config({"worker": [TWO[0], TWO[0]]}): "TF_CONFIG: cluster: expected a different address",
    config({"chief": TWO}, "chief"): "TF_CONFIG: cluster.chief: expected one address",
    config({"worker": TWO}, index=2): "TF_CONFIG: task: expected one of worker 0, worker 1, ",
    config({"worker": TWO}, index="0"): "TF_CONFIG: task.index: expected a whole number, .*'0'",
    config({"worker": TWO}, index=True): "TF_CONFIG: task.index: expected a whole number",
    config({"worker": TWO}, "chief"): "TF_CONFIG: task: expected one of",
}


@pytest.mark.parametrize(("text", "says"), WRONG.items(), ids=range(len(WRONG)))
def test_wrong_tf_config(monkeypatch, text, says):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(InputError, match=says) as raised:
        cluster.from_tf_config("multi_worker")
    assert "\n" not in str(raised.value)


def test_the_chief_is_first(monkeypatch):
    jobs = {"worker": TWO, "chief": ["10.0.0.9:7000"]}
    for kind, index, part in (("chief", 0, (0, 3)), ("worker", 0, (1, 3)), ("worker", 1, (2, 3))):
        monkeypatch.setenv("TF_CONFIG", config(jobs, kind, index))
        workers = cluster.from_tf_config("multi_worker")
        assert (workers.part, workers.is_chief) == (part, kind == "chief")
        assert workers.addresses == ["10.0.0.9:7000", *TWO]


@pytest.mark.parametrize("command", [train_mask, train_depth], ids=["mask", "depth"])
def test_several_workers_need_multi_worker(monkeypatch, tmp_path, command):
    monkeypatch.setenv("TF_CONFIG", config({"worker": TWO}))
    with pytest.raises(InputError, match="--strategy=auto: TF_CONFIG describes several workers"):
        commands.run(command, workdir=str(tmp_path / "w"))
    assert not (tmp_path / "w").exists()
    monkeypatch.setenv("TF_CONFIG", config({"worker": TWO[:1]}))
    assert cluster.from_tf_config("auto") is cluster.ALONE


def test_sweep_takes_no_cluster(tmp_path):
    with pytest.raises(InputError, match="--strategy=multi_worker: sweep_sparsity runs on one"):
        commands.run(
            sweep_sparsity,
            sparsity_weights=(1.0,),
            strategy="multi_worker",
            workdir=str(tmp_path / "w"),
        )


def test_join_after_tensorflow_has_run(monkeypatch, tmp_path):
    monkeypatch.setitem(models.DEPTH_NETS, "tiny", lambda _: tiny_nets.depth_net())
    data_dir = write_nyu(tmp_path / "data")
    monkeypatch.setenv("TF_CONFIG", config({"worker": ["127.0.0.1:1"]}))
    tf.constant(0)
    with pytest.raises(InputError, match="must be the first that TensorFlow does"):
        commands.run(
            train_depth,
            dataset="nyu",
            data_dir=str(data_dir),
            depth_net="tiny",
            input_size=tiny_nets.SIZE,
            workdir=str(tmp_path / "w"),
            strategy="multi_worker",
        )


def test_lost_worker_is_named(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", config({"worker": TWO}))
    workers = cluster.from_tf_config("multi_worker")
    text = "Error reported from /job:worker/task:0: no heartbeat of /job:worker/replica:0/task:1"
    assert "worker 1 (10.0.0.2:7000) has ended" in str(workers.lost(ValueError(text)))
    assert "another worker has ended" in str(workers.lost(ValueError("no name")))
    assert workers.lost(ValueError(text)).exit_code == 75
    ended = tf.errors.UnavailableError(None, None, text)
    monkeypatch.setattr(cluster, "_joined", None)
    # Without a cluster, "unavailable" may speak of a disk.
    with pytest.raises(tf.errors.UnavailableError), cluster.watched():
        raise ended
    monkeypatch.setattr(cluster, "_joined", workers)
    with pytest.raises(cluster.WorkerLost), files.writing("w", tf.errors.OpError):
        with cluster.watched():
            raise ended


SIZES = {"input_size": (38, 57), "depth_size": (19, 29), "batch_size": 4}


@pytest.fixture(scope="module")
def raw():
    """Eleven frames, each with another depth."""
    rng = np.random.default_rng(0)
    levels = np.arange(1, 12)[:, None, None, None]
    return tf.data.Dataset.from_tensor_slices(
        {
            "image": rng.integers(0, 256, (11, 48, 72, 3), np.uint8),
            "depth": (levels + np.zeros((11, 24, 36, 1))).astype("float32"),
        }
    )


def check_parts(whole, parts, count):
    """`count` batches are equal to the workers' parts of them, joined."""
    together = list(zip(*parts, strict=True))
    assert len(whole) == len(together) == count
    for batch, pieces in zip(whole, together, strict=True):
        for key in ("image", "depth"):
            joined = np.concatenate([piece[key] for piece in pieces])
            np.testing.assert_array_equal(joined, batch[key])


def test_parts_of_training_batches(raw):
    def batches(steps, **more):
        return list(pipeline.training_batches(raw, **SIZES, seed=3, **more).take(steps))

    whole = batches(4)
    check_parts(whole, [batches(4, part=(i, 4)) for i in range(4)], 4)
    continued = [batches(2, part=(i, 2), first_step=2) for i in range(2)]
    check_parts(whole[2:], continued, 2)


@pytest.mark.parametrize("count", [2, 4])
def test_parts_of_evaluation_batches(raw, count):
    def batches(**more):
        dataset = pipeline.evaluation_batches(raw, **SIZES, drop_remainder=True, **more)
        assert dataset.cardinality() == 2
        return list(dataset)

    check_parts(batches(), [batches(part=(i, count)) for i in range(count)], 2)
