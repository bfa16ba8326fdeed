"""Mask run: trains one mask generator G on a frozen N, for every command that trains masks."""

import numpy as np
import tensorflow as tf

from tfdepthviz.data import pipeline
from tfdepthviz.models import build_mask_net
from tfdepthviz.models.edge_mask_net import start_from_depth_net
from tfdepthviz.reports.tensorboard import MaskSummaries, ScalarSummaries
from tfdepthviz.training.calibration import settle_share, settle_statistics
from tfdepthviz.training.callbacks import CollapseWarning, SparsityWarmup
from tfdepthviz.training.mask_trainer import MaskTrainer
from tfdepthviz.training.objective import Objective
from tfdepthviz.training.ranking_trainer import RankingTrainer
from tfdepthviz.training.relaxations import RELAXATIONS
from tfdepthviz.training.shares import Shares, bounds
from tfdepthviz.utils.constants import SHARE
from tfdepthviz.utils.errors import InputError
from trainers.engine import cluster
from trainers.engine.card import run_card
from trainers.engine.evaluators import evaluator_of
from trainers.engine.fit import fit, keep_model
from trainers.engine.options import flat
from trainers.engine.run import open_run
from trainers.engine.run_record import recorded
from trainers.engine.teacher import with_teacher

COMMAND = "train_mask"
# Frames that the share is measured on after an epoch: their mean is known to about 0.01.
SETTLED_ON = 96


@cluster.watched()
def train(options, reports=(), finished=None, hparams=True):
    """Trains G in the work folder of the options, and returns the folder.

    Args:
      options: trainers.cli.mask_training.MaskTraining, completed by its recipe.
      reports: further callbacks that write or print, see Plan.
      finished: called in the chief at the end with the options, the Run, the folded target and G.
      hparams: whether TensorBoard's HPARAMS shows the run by itself.
    Raises:
      InputError: names the flag that is missing or wrong.
    """
    run = open_run(COMMAND, flat(options), options.data, options.training, options.add_samples)
    with run.scope.scope():
        target, mask_net = networks(options)
        trainer = build_trainer(target, mask_net, options, run.steps)
        run.compile(trainer)
    depth_net = target.net
    sizes = {"input_size": depth_net.input_shape[1:3], "depth_size": depth_net.output_shape[1:3]}
    validation = run.validation(sizes, options.validation_frames)
    validation = _with_depth(validation, depth_net, run.scope, options.teacher_cache)
    card = run_card(COMMAND, options, run, mask_net, hparams)
    with run.source.named_files():
        plan = run.plan(
            trainer,
            mask_net,
            sizes,
            validation=validation,
            reports=[card, *_reports(options, run, sizes, trainer), *reports],
            **_by_method(options, trainer, run, sizes),
        )
        fit(plan)
    record = recorded(flat(options), left_out=flat(options.data))
    keep_model(mask_net, run.workdir / "mask_net.keras", run.workers, record)
    if finished and run.workers.is_chief:
        finished(options, run, target, mask_net)
    return run.workdir


def build_trainer(target, mask_net, options, steps):
    """RankingTrainer with a share or range of shares to keep, MaskTrainer with lambda."""
    same = {"terms": tuple(options.loss), "steps": steps, "seed": options.training.seed}
    if options.evaluator:
        same["evaluator"] = evaluator_of(options.evaluator, target)
    if options.keep is not None:
        smaller = options.small_shares or Shares.smaller
        return RankingTrainer(target, mask_net, bounds(options.keep), smaller=smaller, **same)
    return MaskTrainer(
        target,
        mask_net,
        options.sparsity_weight,
        objective=options.objective or Objective.kind,
        relaxation=options.relaxation or RELAXATIONS[0],
        **same,
    )


def _by_method(options, trainer, run, sizes):
    """What the Plan holds for a ranking or for the published objective alone."""
    if options.keep is not None:
        low, high = bounds(options.keep)
        return {
            "state": {"share_means": trainer.share_means.value},
            "settle": _settling(trainer.mask_net, run, sizes, min(max(SHARE, low), high)),
        }
    steps = round((options.sparsity_warmup or 0.0) * run.steps_per_epoch)
    return {
        "state": {"sparsity_weight": trainer.sparsity_weight.value},
        "callbacks": [SparsityWarmup(trainer, options.sparsity_weight, steps)],
    }


def networks(options):
    """The target, folded, and G."""
    target = options.target.build(options.input_size, in_graph=True)
    from_depth_net = options.mask_weights == "depth_net"
    weights = None if options.mask_weights in ("depth_net", "random") else options.mask_weights
    mask_net = build_mask_net(options.mask_net, target.net.input_shape[1:], weights=weights)
    if from_depth_net:
        try:
            start_from_depth_net(mask_net, target.net)
        except InputError as error:
            raise InputError(f"--mask_weights=depth_net: {error}") from error
    return target.folded(), mask_net


def _with_depth(validation, depth_net, scope, teacher_cache):
    """Batches to validate on, which bring N(I) along from the second time on."""
    if scope is tf.distribute.get_strategy():
        return with_teacher(validation, depth_net, teacher_cache)
    if teacher_cache:
        raise InputError(
            f"--teacher_cache={teacher_cache}: needs --strategy=single, as several replicas "
            "validate on parts of a batch"
        )
    return validation


def _reports(options, run, sizes, trainer):
    """Callbacks that print, or write for TensorBoard."""
    frames = pipeline.spread(run.raw["validation"], options.strips, **sizes)
    logs = str(run.workdir / "logs")
    reports = [ScalarSummaries(logs), MaskSummaries(logs, frames, trainer)]
    if options.keep is not None:
        return reports  # a ranking keeps what it was asked for
    objective, warmup = options.objective or Objective.kind, options.sparsity_warmup or 0.0
    return [CollapseWarning(objective, warmup, _advise), *reports]


def _advise(objective, too_large):
    """Advice where masks keep nothing or everything, by the names of flags."""
    if too_large:
        text = "a smaller --sparsity_weight, or --sparsity_warmup=1"
    else:
        text = "a larger --sparsity_weight"
    return text + (", or --recipe=ranking, which needs none" if objective == "preserve" else "")


def _settling(mask_net, run, sizes, share):
    """Function that calibrates G on training frames that are not augmented."""
    frames, places = pipeline.evenly(run.raw["train"], SETTLED_ON)
    batches = pipeline.evaluation_batches(frames, **sizes, batch_size=run.flags.batch_size)

    def agree(numbers):  # machines of two kinds may round differently
        return np.reshape(run.workers.of_chief(*np.ravel(numbers)), np.shape(numbers))

    def images():
        return (batch["image"] for batch in batches)

    def settle():
        settle_statistics(mask_net, images(), agree)
        shift = settle_share(mask_net, images(), share, agree)
        print(
            f"M' set to {100 * share:.1f} % of the pixels of {len(places)} training "
            f"frames: output bias {shift:+.3f}",
            flush=True,
        )

    return settle
