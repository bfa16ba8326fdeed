"""Trains an N to work with missing pixels, which judges masks in audit_masks.

    python -m trainers.train_evaluator --dataset=nyu --data_dir=/data/nyu --workdir=runs/evaluator

N_e starts from N and learns to give N(I) from random pixels and squares of the image, never from
masks of a G. A mask that leads under N and not under N_e steers N, which never saw an image with
holes. The run lies in --workdir: evaluator.keras, report.html, history.csv, TensorBoard logs, and
checkpoints, from which the same command continues.
"""

import dataclasses

import tensorflow as tf

from tfdepthviz.data import pipeline
from tfdepthviz.reports import training_page
from tfdepthviz.reports.audit_page import draw_frame
from tfdepthviz.reports.tensorboard import ScalarSummaries
from tfdepthviz.training.evaluator_trainer import EvaluatorTrainer, random_squares
from tfdepthviz.utils.constants import SHARE
from tfdepthviz.utils.errors import InputError
from trainers.cli import shared
from trainers.cli.data import Data
from trainers.cli.ending import conclude, same_networks
from trainers.cli.flags import main
from trainers.cli.program import command
from trainers.cli.target import Target
from trainers.cli.training import Training
from trainers.engine import cluster
from trainers.engine.card import run_card
from trainers.engine.fit import fit, keep_model
from trainers.engine.options import flat
from trainers.engine.run import open_run

FRAMES = 4


@dataclasses.dataclass(frozen=True)
class Options:
    """Evaluator N_e."""

    data: Data = Data()
    training: Training = Training(epochs=6)
    add_samples: bool = shared.add_samples()
    input_size: tuple | None = shared.input_size()
    target: Target = Target()


@cluster.watched()
def run(options):
    """Trains N_e and returns the work folder."""
    opened = open_run(
        "train_evaluator", flat(options), options.data, options.training, options.add_samples
    )
    with opened.scope.scope():
        target = options.target.build(options.input_size, in_graph=True)
        evaluator = options.target.build(options.input_size).net
        # Random weights were drawn twice.
        evaluator.set_weights(target.net.get_weights())
        evaluator.trainable = True
        if not evaluator.trainable_variables:
            raise InputError(
                f"--depth_net={options.target.depth_net}: has no weights that can be trained"
            )
        trainer = EvaluatorTrainer(target.folded(), evaluator, seed=options.training.seed)
        opened.compile(trainer)
    sizes = {"input_size": target.input_size, "depth_size": target.output_size}
    card = run_card("train_evaluator", options, opened, evaluator)
    reports = [card, ScalarSummaries(str(opened.workdir / "logs"))]
    with opened.source.named_files():
        fit(opened.plan(trainer, evaluator, sizes, reports=reports))
    keep_model(evaluator, opened.workdir / "evaluator.keras", opened.workers)
    if opened.workers.is_chief:
        _conclude(options, opened, target, evaluator, sizes)
    return opened.workdir


def _conclude(options, opened, target, evaluator, sizes):
    """Writes report.html, and prints what came out and what comes next."""
    folder, frames = opened.workdir, opened.raw["validation"]
    values = training_page.last_epoch(folder)
    result = (
        f"N_e is {values['val_fidelity/whole']:.3f} {target.unit} from N(I) on whole images, "
        f"{values['val_fidelity/pixels_36']:.3f} with 36 % random pixels and "
        f"{values['val_fidelity/blocks_36']:.3f} with 36 % of 8x8 blocks (validation images: "
        f"{len(frames)})."
    )
    commands = [
        (
            "audit a G with it",
            command(
                "audit_masks", f"--evaluator={folder / 'evaluator.keras'}", *same_networks(options)
            ),
        )
    ]
    image = pipeline.spread(frames, FRAMES, **sizes)["image"]
    masks = random_squares(tf.shape(image), (options.training.seed, 0), rate=SHARE, side=1)
    judge = dataclasses.replace(target, net=evaluator)
    page = training_page.write_page(
        folder,
        title=f"Training of an evaluator for {options.target.depth_net}",
        result=result,
        frames=[
            draw_frame(judge, *frame) for frame in zip(image.numpy(), masks.numpy(), strict=True)
        ],
        commands=commands,
    )
    conclude(result, pictures=page, commands=commands)


if __name__ == "__main__":
    main(run, Options)
