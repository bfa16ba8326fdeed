"""Distribution strategy, precision and seeds of a training command."""

import functools

import keras
import tensorflow as tf

from tfdepthviz.training.optimizers import build_optimizer
from tfdepthviz.utils.errors import InputError
from trainers.engine import cluster

STRATEGIES = ("auto", "single", "mirrored", cluster.MULTI_WORKER)


def prepare(precision, seed):
    """Sets the arithmetic of the networks built from here on, and every seed."""
    keras.config.set_dtype_policy(precision)
    keras.utils.set_random_seed(seed)


def build_strategy(name, batch_size, workers=cluster.ALONE):
    """The distribution strategy, checked against the global batch size.

    auto mirrors over all GPUs if there are several. mirrored does so in any case: over all GPUs,
    or over the logical CPUs where there is no GPU. multi_worker waits for all `workers`.
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
    """The one MirroredStrategy over these devices.

    Two of them in one process would number their collective operations alike, and what one has
    run would answer for the other.
    """
    return tf.distribute.MirroredStrategy(list(devices))


def compile_trainer(trainer, optimizer, **options):
    """Gives a trainer its optimiser; options as for `build_optimizer`."""
    # On a CPU, XLA's convolutions are slower than oneDNN's; under a strategy XLA fails.
    trainer.compile(build_optimizer(optimizer, **options), jit_compile=False)
