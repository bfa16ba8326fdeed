"""Trains a depth network N against ground truth.

    python -m trainers.train_depth --dataset=nyu --data_dir=/data/nyu --depth_net=compact \\
        --encoder_weights=squeezenet_weights_tf_dim_ordering_tf_kernels_notop.h5 --workdir=runs/n

45 epochs of compact on the 795 pairs of NYU's labelled set took 73 minutes on two busy cores
(AMD EPYC, Zen 5; 2026-11-22). The run lies in --workdir: depth_net.keras, history.csv, TensorBoard
logs and checkpoints, from which the same command continues. --help lists the flags.
"""

from tfdepthviz.data import pipeline
from tfdepthviz.models import build_depth_net
from tfdepthviz.models.porting.weight_files import load_encoder
from tfdepthviz.reports.tensorboard import ScalarSummaries
from tfdepthviz.training.depth_trainer import DepthTrainer
from tfdepthviz.utils.errors import InputError
from trainers.cli import data as datasets
from trainers.cli import flags
from trainers.engine import cluster
from trainers.engine.fit import fit, keep_model
from trainers.engine.plan import Plan
from trainers.engine.strategy import build_strategy, compile_trainer, prepare
from trainers.engine.workdir import check_same_everywhere, open_workdir


@cluster.watched()
def run(
    *,
    data=datasets.Data(),
    input_size=(228, 304),
    max_zoom=1.0,
    batch_size=8,
    depth_net="compact",
    depth_weights=None,
    encoder_weights=None,
    loss=("l1",),
    epochs=20,
    optimizer="adamw",
    learning_rate=1e-4,
    learning_rate_decay="none",
    weight_decay=1e-4,
    workdir=None,
    checkpoint_steps=200,
    skip_nonfinite_steps=False,
    seed=0,
    precision="float32",
    strategy="auto",
):
    """Trains N and returns the work folder; the arguments are the command's flags."""
    options = flags.flat(locals())
    if data.dataset == "folder":
        raise InputError("--dataset=folder: holds no depth, without which N cannot be trained")
    workers = cluster.from_tf_config(strategy)
    folder = open_workdir(workdir, "train_depth", options, workers)
    scope = build_strategy(strategy, batch_size, workers)
    prepare(precision, seed)
    source = datasets.Source(data)
    raw = {split: source.load(split) for split in ("train", "validation")}
    check_same_everywhere(workers, options, raw)
    steps = pipeline.steps_per_epoch(raw["train"], batch_size)
    with scope.scope():
        net = build_depth_net(depth_net, (*input_size, 3), weights=depth_weights)
        if encoder_weights:
            load_encoder(net, encoder_weights)
        trainer = DepthTrainer(net, tuple(loss))
        compile_trainer(
            trainer,
            optimizer,
            learning_rate=learning_rate,
            weight_decay=weight_decay,
            decay_steps=steps * epochs if learning_rate_decay == "cosine" else None,
        )
    sizes = {"input_size": input_size, "depth_size": net.output_shape[1:3]}
    with source.named_files():
        plan = Plan(
            trainer=trainer,
            net=net,
            workdir=folder,
            training=lambda first_step: pipeline.training_batches(
                raw["train"],
                **sizes,
                batch_size=batch_size,
                seed=seed,
                max_zoom=max_zoom,
                first_step=first_step,
                part=workers.part,
            ),
            validation=pipeline.evaluation_batches(
                raw["validation"],
                **sizes,
                batch_size=batch_size,
                drop_remainder=scope.num_replicas_in_sync > 1,
                part=workers.part,
            ),
            epochs=epochs,
            steps_per_epoch=steps,
            checkpoint_steps=checkpoint_steps,
            frames_of_step=lambda step: source.frames_of_step(
                step, raw["train"], batch_size=batch_size, seed=seed
            ),
            skip_nonfinite_steps=skip_nonfinite_steps,
            reports=[ScalarSummaries(str(folder / "logs"))],
            workers=workers,
        )
        fit(plan)
    keep_model(net, folder / "depth_net.keras", workers)
    return folder


if __name__ == "__main__":
    flags.main(run)
