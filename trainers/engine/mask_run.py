"""Mask run: trains one mask generator G on a frozen N, for every command that trains masks."""

import tensorflow as tf

from tfdepthviz.data import pipeline
from tfdepthviz.models import build_mask_net
from tfdepthviz.models.edge_mask_net import start_from_depth_net
from tfdepthviz.reports.tensorboard import MaskSummaries, ScalarSummaries
from tfdepthviz.training.callbacks import CollapseWarning, SparsityWarmup
from tfdepthviz.training.mask_trainer import MaskTrainer
from tfdepthviz.training.relaxations import check_relaxation
from tfdepthviz.training.sparsity import settle_share
from tfdepthviz.utils.errors import InputError
from trainers.engine import cluster
from trainers.engine.fit import fit, keep_model
from trainers.engine.options import flat
from trainers.engine.run import open_run
from trainers.engine.teacher import with_teacher

COMMAND = "train_mask"
# Frames that the share is measured on after an epoch: their mean is known to about 0.005.
SETTLED_ON = 200


@cluster.watched()
def train(options, target_sparseness=None):
    """Trains G in the work folder of the options, and returns the folder.

    Args:
      options: trainers.cli.mask_training.MaskTraining.
      target_sparseness: share of the pixels to keep; None: lambda stays as the options say.
    Raises:
      InputError: names the flag that is missing or wrong.
    """
    _check(options, target_sparseness)
    run = open_run(COMMAND, config(options, target_sparseness), options.data, options.training)
    with run.scope.scope():
        target, mask_net = _networks(options)
        trainer = MaskTrainer(
            target,
            mask_net,
            options.sparsity_weight,
            target_sparseness,
            objective=options.objective,
            terms=tuple(options.loss),
            relaxation=options.relaxation,
            edge_softness=options.edge_softness,
            steps=run.steps,
            seed=options.training.seed,
        )
        run.compile(trainer)
    depth_net = target.net
    sizes = {"input_size": depth_net.input_shape[1:3], "depth_size": depth_net.output_shape[1:3]}
    validation = _with_depth(run.validation(sizes), depth_net, run.scope, options.teacher_cache)
    with run.source.named_files():
        settle, warmup = None, []
        if target_sparseness is None:
            steps = round(options.sparsity_warmup * run.steps_per_epoch)
            warmup = [SparsityWarmup(trainer, options.sparsity_weight, steps)]
        else:
            settle = _settling(mask_net, run, sizes, target_sparseness)
        plan = run.plan(
            trainer,
            mask_net,
            sizes,
            validation=validation,
            state={"sparsity_weight": trainer.sparsity_weight.value},
            settle=settle,
            callbacks=warmup,
            reports=_reports(options, run, sizes, trainer),
        )
        fit(plan)
    keep_model(mask_net, run.workdir / "mask_net.keras", run.workers)
    return run.workdir


def config(options, target_sparseness=None):
    """Options of a run by flag name, as config.json holds them; arguments as of `train`."""
    return {"target_sparseness": target_sparseness, **flat(options)}


def _check(options, target_sparseness):
    """Raises InputError where flags contradict each other."""
    if options.objective == "delete" and target_sparseness is not None:
        raise InputError(
            f"--target_sparseness={target_sparseness}: --objective=delete takes none; it knows "
            "--sparsity_weight alone"
        )
    check_relaxation(options.relaxation, target_sparseness)
    if options.sparsity_warmup and target_sparseness is not None:
        raise InputError(
            f"--sparsity_warmup={options.sparsity_warmup}: --target_sparseness adapts lambda from "
            "the first step and takes none"
        )


def _networks(options):
    """The target, folded, and G."""
    target = options.target.build(options.input_size)
    from_depth_net = options.mask_weights == "depth_net"
    weights = None if from_depth_net else options.mask_weights
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
    return [
        CollapseWarning(options.objective, options.sparsity_warmup, _advise),
        ScalarSummaries(logs),
        MaskSummaries(logs, frames, trainer),
    ]


def _advise(objective, too_large):
    """Advice where masks keep nothing or everything, by the names of flags."""
    if too_large:
        text = "a smaller --sparsity_weight, or --sparsity_warmup=1"
    else:
        text = "a larger --sparsity_weight"
    adapt = ", or --target_sparseness, which adapts lambda" if objective == "preserve" else ""
    return text + adapt


def _settling(mask_net, run, sizes, target_sparseness):
    """Function that brings the masks of training frames, not augmented, to the target share."""
    frames, places = pipeline.evenly(run.raw["train"], SETTLED_ON)
    batches = pipeline.evaluation_batches(frames, **sizes, batch_size=run.flags.batch_size)

    def agree(shift):
        return run.workers.of_chief(shift)[0]  # machines of two kinds may round differently

    def settle():
        images = (batch["image"] for batch in batches)
        shift = settle_share(mask_net, images, target_sparseness, agree)
        print(
            f"M' set to {100 * target_sparseness:.1f} % of the pixels of {len(places)} training "
            f"frames: output bias {shift:+.3f}",
            flush=True,
        )

    return settle
