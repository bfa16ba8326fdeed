"""Plan of a training run: what to train, on which batches, and for how long."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import keras
import tensorflow as tf

from trainers.engine import cluster


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
    """Everything that `fit` needs to know about a training run.

        fit(
            Plan(
                trainer=trainer,
                net=mask_net,
                workdir=Path("runs/mask"),
                training=lambda first_step: batches.skip(first_step),
                validation=validation_batches,
                epochs=4,
                steps_per_epoch=99,
                checkpoint_steps=200,
                frames_of_step=lambda step: [f"frame {step}"],
            )
        )

    Attributes:
      trainer: compiled MaskTrainer or DepthTrainer.
      net: the network that the trainer trains.
      workdir: folder of the run: checkpoints, logs and history.csv.
      training: function of a step's number in the run, from 0 -> endless batches from that step
        on, this worker's part of each.
      validation: batches of finite cardinality, this worker's part of each.
      epochs: epochs in all, those of an interrupted run included.
      steps_per_epoch: training steps of an epoch.
      checkpoint_steps: save each time so many steps of an epoch are done; the end of an epoch is
        always saved.
      frames_of_step: function of a step's number in the run -> names of its frames.
      skip_nonfinite_steps: undo a step whose loss or gradient is not finite, instead of stopping.
      state: name -> variable that a checkpoint holds in addition to network and optimiser.
      settle: called without arguments after the last step of each epoch, before its validation;
        may change the network.
      callbacks: callbacks that take part in the training, in every worker.
      reports: callbacks that write or print, in the chief alone.
      workers: cluster in which the run takes place.
    """

    trainer: keras.Model
    net: keras.Model
    workdir: Path
    training: Callable[[int], tf.data.Dataset]
    validation: tf.data.Dataset
    epochs: int
    steps_per_epoch: int
    checkpoint_steps: int
    frames_of_step: Callable[[int], Sequence[str]]
    skip_nonfinite_steps: bool = False
    state: Mapping[str, tf.Variable] = dataclasses.field(default_factory=dict)
    settle: Callable[[], None] | None = None
    callbacks: Sequence[keras.callbacks.Callback] = ()
    reports: Sequence[keras.callbacks.Callback] = ()
    workers: cluster.Alone = cluster.ALONE

    @property
    def strategy(self):
        """The tf.distribute.Strategy that the trainer was built in."""
        return self.trainer.distribute_strategy
