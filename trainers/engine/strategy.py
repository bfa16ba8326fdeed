"""Distribution strategy, precision and seeds of a training command."""

import functools

import keras
import tensorflow as tf

from tfdepthviz.training.optimizers import build_optimizer
from tfdepthviz.utils.errors import InputError
from trainers.engine import cluster

STRATEGIES = ("auto", "single", "mirrored", cluster.MULTI_WORKER)


def prepare(precision, seed):
    """Sets Keras's dtype policy and every seed, before any network is built.

    Args:
      precision: name of a Keras dtype policy, such as "float32".
      seed: seed of Python, NumPy and TensorFlow.
    """
    keras.config.set_dtype_policy(precision)
    keras.utils.set_random_seed(seed)


def build_strategy(name, batch_size, workers=cluster.ALONE):
    """The distribution strategy of a command.

    Args:
      name: "single": one device. "mirrored": a replica on each GPU, or on each logical CPU where
        there is no GPU. "auto": mirrored if there are several GPUs, else single. "multi_worker":
        a replica on each device of the cluster.
      batch_size: examples of a batch, over all replicas.
      workers: cluster in which the command runs; waits for all of its workers.
    Returns:
      tf.distribute.Strategy.
    Raises:
      InputError: the replicas cannot share a batch evenly.
    """
    strategy = workers.join() or _local_strategy(name)
    replicas = strategy.num_replicas_in_sync
    if batch_size % replicas:
        raise InputError(
            f"--batch_size={batch_size}: {replicas} replicas share a batch, so it must be a "
            f"multiple of {replicas}"
        )
    return strategy


def _local_strategy(name):
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    several_gpus = len(devices) > 1 and devices[0].device_type == "GPU"
    if name == "single" or (name == "auto" and not several_gpus):
        return tf.distribute.get_strategy()
    return mirrored(tuple(device.name for device in devices))


@functools.cache
def mirrored(devices):
    """The process's only MirroredStrategy over these devices.

    Two strategies in one process would give their collective operations the same numbers, and
    results of one could reach the other.

    Args:
      devices: tuple of device names, such as ("/device:CPU:0", "/device:CPU:1").
    """
    return tf.distribute.MirroredStrategy(list(devices))


def compile_trainer(trainer, optimizer, **options):
    """Gives a trainer its optimiser.

    Args:
      trainer: MaskTrainer or DepthTrainer.
      optimizer: name of the optimiser, and `options`: see `build_optimizer`.
    """
    # On a CPU, XLA's convolutions are slower than oneDNN's; under a strategy XLA fails.
    trainer.compile(build_optimizer(optimizer, **options), jit_compile=False)
