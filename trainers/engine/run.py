"""Run: the work folder, cluster, strategy and frames that a training starts from."""

import dataclasses
from pathlib import Path

import tensorflow as tf

from tfdepthviz.data import pipeline
from trainers.engine import cluster
from trainers.engine.plan import Plan
from trainers.engine.source import Source
from trainers.engine.strategy import build_strategy, compile_trainer, prepare
from trainers.engine.training_lines import announce
from trainers.engine.workdir import check_same_everywhere, open_workdir


@dataclasses.dataclass(frozen=True)
class Run:
    """Parts of a training that exist before its networks are built; `open_run` makes one.

    Attributes:
      flags: trainers.cli.training.Training.
      workdir: folder of the run.
      workers: cluster in which it takes place.
      scope: tf.distribute.Strategy in whose scope networks must be built.
      source: Source of its frames.
      raw: split ("train" or "validation") -> raw examples.
      steps_per_epoch: training steps of an epoch.
    """

    flags: object
    workdir: Path
    workers: cluster.Alone
    scope: tf.distribute.Strategy
    source: Source
    raw: dict
    steps_per_epoch: int

    @property
    def steps(self):
        """Steps of the whole training."""
        return self.steps_per_epoch * self.flags.epochs

    def compile(self, trainer):
        """Gives a MaskTrainer or DepthTrainer the optimiser of the flags."""
        compile_trainer(
            trainer,
            self.flags.optimizer,
            learning_rate=self.flags.learning_rate,
            weight_decay=self.flags.weight_decay,
            decay_steps=self.steps if self.flags.learning_rate_decay == "cosine" else None,
        )

    def validation(self, sizes, most=None):
        """Batches to validate on, this worker's part of each.

        Args:
          sizes: dict of input_size and depth_size, as `pipeline.evaluation_batches` takes them.
          most: number of frames, evenly spread over all; None: all.
        """
        raw = self.raw["validation"]
        return pipeline.evaluation_batches(
            raw if most is None else pipeline.evenly(raw, most)[0],
            **sizes,
            batch_size=self.flags.batch_size,
            drop_remainder=self.scope.num_replicas_in_sync > 1,
            part=self.workers.part,
        )

    def plan(self, trainer, net, sizes, *, validation=None, max_zoom=1.0, **more):
        """The run's Plan.

        Args:
          trainer, net: as of Plan.
          sizes: as for `validation`.
          validation: batches; by default those of `validation`.
          max_zoom: greatest zoom of a training view.
          more: further attributes of Plan.
        """
        flags, raw, seed = self.flags, self.raw["train"], self.flags.seed
        return Plan(
            trainer=trainer,
            net=net,
            workdir=self.workdir,
            training=lambda first_step: pipeline.training_batches(
                raw,
                **sizes,
                batch_size=flags.batch_size,
                seed=seed,
                max_zoom=max_zoom,
                first_step=first_step,
                part=self.workers.part,
            ),
            validation=self.validation(sizes) if validation is None else validation,
            epochs=flags.epochs,
            steps_per_epoch=self.steps_per_epoch,
            checkpoint_steps=flags.checkpoint_steps,
            frames_of_step=lambda step: self.source.frames_of_step(
                step, raw, batch_size=flags.batch_size, seed=seed
            ),
            skip_nonfinite_steps=flags.skip_nonfinite_steps,
            workers=self.workers,
            **more,
        )


def open_run(command, options, data, flags, add_samples=False):
    """Opens work folder, cluster and data of a training command, and sets precision and seeds.

    Args:
      command: name of the command.
      options: every option of the command by flag name, for config.json.
      data: trainers.cli.data.Data.
      flags: trainers.cli.training.Training.
      add_samples: train on the embedded training frames as well.
    Raises:
      InputError: names the flag that is missing or wrong.
    """
    workers = cluster.from_tf_config(flags.strategy)
    workdir = open_workdir(flags.workdir, command, options, workers)
    scope = build_strategy(flags.strategy, flags.batch_size, workers)
    prepare(flags.precision, flags.seed)
    source = Source(data, add_samples)
    raw = {split: source.load(split) for split in ("train", "validation")}
    check_same_everywhere(workers, options, raw)
    steps_per_epoch = pipeline.steps_per_epoch(raw["train"], flags.batch_size)
    if workers.is_chief:
        announce(
            {split: len(frames) for split, frames in raw.items()}, steps_per_epoch, flags.epochs
        )
    return Run(flags, workdir, workers, scope, source, raw, steps_per_epoch)
