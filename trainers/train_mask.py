"""Trains a mask generator G on a frozen depth network N (Algorithm 1 of the paper).

    python -m trainers.train_mask --dataset=nyu --data_dir=/data/nyu --depth_net=compact \\
        --depth_weights=nyu --mask_net=compact --target_sparseness=0.4 \\
        --learning_rate=1e-3 --learning_rate_decay=cosine --epochs=4 --workdir=runs/mask

An epoch of the compact pair on the 795 training images of NYU's labelled set and its 654 test
images took 2 minutes on two busy cores (AMD EPYC, Zen 5; 2026-11-22).

G needs no ground truth: --dataset=folder takes any folder of images. The run lies in --workdir:
mask_net.keras, history.csv, TensorBoard logs with strips of fixed validation frames, and
checkpoints, from which the same command continues. --help lists the flags.
"""

import tensorflow as tf

from tfdepthviz.data import pipeline
from tfdepthviz.models import build_mask_net
from tfdepthviz.models.edge_mask_net import start_from_depth_net
from tfdepthviz.reports.tensorboard import MaskSummaries, ScalarSummaries
from tfdepthviz.training.callbacks import CollapseWarning, SparsityWarmup
from tfdepthviz.training.mask_trainer import MaskTrainer
from tfdepthviz.training.objective import TERMS
from tfdepthviz.training.relaxations import check_relaxation
from tfdepthviz.training.sparsity import settle_share
from tfdepthviz.training.teacher_cache import TeacherCache
from tfdepthviz.utils.errors import InputError
from trainers.cli import data as datasets
from trainers.cli import flags
from trainers.cli import target as targets
from trainers.engine import cluster
from trainers.engine.fit import fit, keep_model
from trainers.engine.plan import Plan
from trainers.engine.strategy import build_strategy, compile_trainer, prepare
from trainers.engine.workdir import check_same_everywhere, open_workdir

# Frames that the share is measured on after an epoch: their mean is known to about 0.005.
SETTLED_ON = 200


@cluster.watched()
def run(
    *,
    data=datasets.Data(),
    input_size=None,
    batch_size=8,
    target=targets.Target(),
    mask_net="compact",
    mask_weights=None,
    objective="preserve",
    loss=TERMS,
    sparsity_weight=5.0,
    sparsity_warmup=0.0,
    target_sparseness=None,
    relaxation=None,
    edge_softness=0.1,
    epochs=10,
    optimizer="adamw",
    learning_rate=1e-4,
    learning_rate_decay="none",
    weight_decay=1e-4,
    workdir=None,
    checkpoint_steps=200,
    teacher_cache=None,
    skip_nonfinite_steps=False,
    seed=0,
    precision="float32",
    strategy="auto",
    strips=4,
):
    """Trains G and returns the work folder; the arguments are the command's flags."""
    options = flags.flat(locals())
    if objective == "delete" and target_sparseness is not None:
        raise InputError(
            f"--target_sparseness={target_sparseness}: --objective=delete takes none; it knows "
            "--sparsity_weight alone"
        )
    check_relaxation(relaxation, target_sparseness)
    if sparsity_warmup and target_sparseness is not None:
        raise InputError(
            f"--sparsity_warmup={sparsity_warmup}: --target_sparseness adapts lambda from the "
            "first step and takes none"
        )
    workers = cluster.from_tf_config(strategy)
    folder = open_workdir(workdir, "train_mask", options, workers)
    scope = build_strategy(strategy, batch_size, workers)
    prepare(precision, seed)
    source = datasets.Source(data)
    raw = {split: source.load(split) for split in ("train", "validation")}
    check_same_everywhere(workers, options, raw)
    steps = pipeline.steps_per_epoch(raw["train"], batch_size)
    with scope.scope():
        explained = target.build(input_size)
        n = explained.net
        from_n = mask_weights == "depth_net"
        g = build_mask_net(mask_net, n.input_shape[1:], weights=None if from_n else mask_weights)
        if from_n:
            try:
                start_from_depth_net(g, n)
            except InputError as error:
                raise InputError(f"--mask_weights=depth_net: {error}") from error
        explained = explained.folded()
        n = explained.net
        trainer = MaskTrainer(
            explained,
            g,
            sparsity_weight,
            target_sparseness,
            objective=objective,
            terms=tuple(loss),
            relaxation=relaxation,
            edge_softness=edge_softness,
            steps=steps * epochs,
            seed=seed,
        )
        compile_trainer(
            trainer,
            optimizer,
            learning_rate=learning_rate,
            weight_decay=weight_decay,
            decay_steps=steps * epochs if learning_rate_decay == "cosine" else None,
        )
    sizes = {"input_size": n.input_shape[1:3], "depth_size": n.output_shape[1:3]}
    validation = pipeline.evaluation_batches(
        raw["validation"],
        **sizes,
        batch_size=batch_size,
        drop_remainder=scope.num_replicas_in_sync > 1,
        part=workers.part,
    )
    validation = _taught(validation, n, scope, teacher_cache)
    warmup = []
    if target_sparseness is None:
        warmup = [SparsityWarmup(trainer, sparsity_weight, round(sparsity_warmup * steps))]
    with source.named_files():
        settle = None
        if target_sparseness is not None:
            settle = _settling(g, raw["train"], sizes, batch_size, target_sparseness, workers)
        frames = pipeline.spread(raw["validation"], strips, **sizes)
        plan = Plan(
            trainer=trainer,
            net=g,
            workdir=folder,
            training=lambda first_step: pipeline.training_batches(
                raw["train"],
                **sizes,
                batch_size=batch_size,
                seed=seed,
                first_step=first_step,
                part=workers.part,
            ),
            validation=validation,
            epochs=epochs,
            steps_per_epoch=steps,
            checkpoint_steps=checkpoint_steps,
            frames_of_step=lambda step: source.frames_of_step(
                step, raw["train"], batch_size=batch_size, seed=seed
            ),
            skip_nonfinite_steps=skip_nonfinite_steps,
            state={"sparsity_weight": trainer.sparsity_weight.value},
            settle=settle,
            callbacks=warmup,
            reports=[
                CollapseWarning(objective, sparsity_warmup, _advise),
                ScalarSummaries(str(folder / "logs")),
                MaskSummaries(str(folder / "logs"), frames, trainer),
            ],
            workers=workers,
        )
        fit(plan)
    keep_model(g, folder / "mask_net.keras", workers)
    return folder


def _taught(validation, depth_net, scope, teacher_cache):
    """Batches to validate on, each with N(I) from the second time on that it comes."""
    if scope is tf.distribute.get_strategy():
        return TeacherCache(depth_net, teacher_cache).taught(validation)
    if teacher_cache:
        raise InputError(
            f"--teacher_cache={teacher_cache}: needs --strategy=single, as several replicas "
            "validate on parts of a batch"
        )
    return validation


def _advise(objective, too_large):
    """What to try where masks keep nothing or everything, by the names of flags."""
    if too_large:
        text = "a smaller --sparsity_weight, or --sparsity_warmup=1"
    else:
        text = "a larger --sparsity_weight"
    adapt = ", or --target_sparseness, which adapts lambda" if objective == "preserve" else ""
    return text + adapt


def _settling(mask_net, raw, sizes, batch_size, target_sparseness, workers):
    """Function that brings the masks of frames trained on, as they are, to the target."""
    frames, places = pipeline.evenly(raw, SETTLED_ON)
    batches = pipeline.evaluation_batches(frames, **sizes, batch_size=batch_size)

    def agree(shift):
        return workers.of_chief(shift)[0]  # machines of two kinds may round differently

    def settle():
        images = (batch["image"] for batch in batches)
        shift = settle_share(mask_net, images, target_sparseness, agree)
        print(
            f"M' set to {100 * target_sparseness:.1f} % of the pixels of {len(places)} training "
            f"frames: output bias {shift:+.3f}",
            flush=True,
        )

    return settle


if __name__ == "__main__":
    flags.main(run)
