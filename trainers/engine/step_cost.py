"""Step cost: time and memory of a training step of G, measured on frames of the data set."""

import dataclasses
import resource
import time

import tensorflow as tf

from tfdepthviz.data import pipeline
from trainers.engine.mask_run import build_trainer
from trainers.engine.strategy import compile_trainer

# Steps after the first whose time is taken; the first one also compiles.
STEPS = 3


@dataclasses.dataclass(frozen=True)
class StepCost:
    """Time and memory of a training.

    Attributes:
      first_seconds: of the first step, which compiles.
      seconds: of a step after it, the least of a few.
      peak_bytes: most memory that the process took so far, on the GPU where there is one.
      on_gpu: whether the figures are those of a GPU.
    """

    first_seconds: float
    seconds: float
    peak_bytes: int
    on_gpu: bool


def step_cost(options, target, mask_net, raw):
    """Trains G for a few steps, keeps nothing, and returns StepCost.

    Args:
      options: trainers.cli.mask_training.MaskTraining, completed by its recipe.
      target, mask_net: N and G, as of `mask_run.networks`.
      raw: raw examples.
    """
    trainer = build_trainer(target, mask_net, options, steps=1 + STEPS)
    flags = options.training
    compile_trainer(
        trainer,
        flags.optimizer,
        learning_rate=flags.learning_rate,
        weight_decay=flags.weight_decay,
    )
    batches = pipeline.training_batches(
        raw,
        input_size=target.input_size,
        depth_size=target.output_size,
        batch_size=flags.batch_size,
        seed=flags.seed,
    )
    step = tf.function(trainer.train_step)
    seconds = []
    for batch in batches.take(1 + STEPS):
        start = time.perf_counter()
        step(batch)["loss"].numpy()
        seconds.append(time.perf_counter() - start)
    on_gpu = bool(tf.config.list_logical_devices("GPU"))
    return StepCost(seconds[0], min(seconds[1:]), _peak_bytes(on_gpu), on_gpu)


def _peak_bytes(on_gpu):
    if on_gpu:
        return tf.config.experimental.get_memory_info("GPU:0")["peak"]
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
