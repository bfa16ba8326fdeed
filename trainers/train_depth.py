"""Trains a depth network N against ground truth.

    python -m trainers.train_depth --dataset=nyu --data_dir=/data/nyu --depth_net=compact \\
        --encoder_weights=squeezenet_weights_tf_dim_ordering_tf_kernels_notop.h5 --workdir=runs/n

45 epochs of compact on the 795 pairs of NYU's labelled set took 73 minutes on two busy cores
(AMD EPYC, Zen 5; 2026-11-22). The run lies in --workdir: depth_net.keras, report.html with
pictures of validation frames, history.csv, TensorBoard logs, and checkpoints, from which the same
command continues.
"""

import dataclasses

from tfdepthviz.data import pipeline
from tfdepthviz.models import DEPTH_NETS, build_depth_net
from tfdepthviz.models.porting.weight_files import load_encoder
from tfdepthviz.reports import training_page
from tfdepthviz.reports.tensorboard import ScalarSummaries
from tfdepthviz.training.depth_trainer import DepthTrainer
from tfdepthviz.utils.constants import INPUT_SIZE
from tfdepthviz.utils.errors import InputError
from trainers.cli import flag_types, shared
from trainers.cli.data import Data
from trainers.cli.ending import conclude
from trainers.cli.flags import flag, main
from trainers.cli.program import command
from trainers.cli.training import Training
from trainers.engine import cluster
from trainers.engine.card import run_card
from trainers.engine.fit import fit, keep_model
from trainers.engine.options import changed, flat
from trainers.engine.run import open_run

# Validation frames to draw at the end.
FRAMES = 4


@dataclasses.dataclass(frozen=True)
class Options:
    """Depth network N."""

    data: Data = Data()
    training: Training = Training(epochs=20)
    depth_net: str = flag("compact", f"The depth network N: {', '.join(DEPTH_NETS)}.")
    depth_weights: str | None = flag(
        None,
        "Weights to start N from: a .keras or .weights.h5 file, a published checkpoint, or "
        "`default`, the weights that compact comes with.",
    )
    encoder_weights: str | None = flag(None, "Published ImageNet weights for the encoder of N.")
    loss: tuple = shared.loss(("l1",))
    add_samples: bool = shared.add_samples()
    input_size: tuple = shared.input_size(INPUT_SIZE)
    max_zoom: float = flag(
        1.0,
        "Training views are zoomed by up to this factor; 1 is the reference.",
        flag_types.zoom,
    )


@cluster.watched()
def run(options):
    """Trains N and returns the work folder."""
    if options.data.dataset == "folder":
        raise InputError("--dataset=folder: holds no depth, without which N cannot be trained")
    opened = open_run(
        "train_depth", flat(options), options.data, options.training, options.add_samples
    )
    with opened.scope.scope():
        net = build_depth_net(
            options.depth_net, (*options.input_size, 3), weights=options.depth_weights
        )
        if options.encoder_weights:
            load_encoder(net, options.encoder_weights)
        trainer = DepthTrainer(net, tuple(options.loss))
        opened.compile(trainer)
    sizes = {"input_size": options.input_size, "depth_size": net.output_shape[1:3]}
    card = run_card("train_depth", options, opened, net)
    reports = [card, ScalarSummaries(str(opened.workdir / "logs"))]
    with opened.source.named_files():
        fit(opened.plan(trainer, net, sizes, max_zoom=options.max_zoom, reports=reports))
    keep_model(net, opened.workdir / "depth_net.keras", opened.workers)
    if opened.workers.is_chief:
        _conclude(options, opened, net, sizes)
    return opened.workdir


def _conclude(options, opened, net, sizes):
    """Writes report.html, and prints what came out and what comes next."""
    folder, frames = opened.workdir, opened.raw["validation"]
    shown = pipeline.spread(frames, FRAMES, **sizes)
    rmse = training_page.last_epoch(folder)["val_rmse"]
    result = f"RMSE against ground truth: {rmse:.3f} m (validation images: {len(frames)})."
    group = [f"--depth_weights={folder / 'depth_net.keras'}", *changed(options.data)]
    if options.depth_net != "compact":
        group.insert(0, f"--depth_net={options.depth_net}")
    if options.input_size != INPUT_SIZE:
        group.append(f"--input_size={','.join(map(str, options.input_size))}")
    commands = [
        (
            "rate N at the resolution of the images",
            command("evaluate", *group, f"--output_dir={folder / 'evaluation'}"),
        ),
        (
            "train a G that shows which pixels it needs",
            command("train_mask", *group, f"--workdir={folder}_mask"),
        ),
    ]
    page = training_page.write_page(
        folder,
        title=f"Training of {options.depth_net} on {options.data.dataset}",
        result=result,
        frames=training_page.draw_depth(
            # `predict_on_batch` would wait for the other machines of a cluster.
            shown["image"],
            net(shown["image"], training=False),
            shown["depth"],
        ),
        commands=commands,
    )
    conclude(result, pictures=page, commands=commands)


if __name__ == "__main__":
    main(run, Options)
