"""Demo: trains, rates, exports and reports a mask generator on real photographs.

    python -m trainers.demo

It takes 7 to 12 minutes on two cores (two Intel Xeon; 2026-11-28).

Loads the embedded compact depth network N (trained on NYU-v2), trains a compact mask generator G on
the embedded frames, rates it on frames that it did not see, exports a SavedModel, runs that on an
image file, and writes one HTML page. The same command continues where it was interrupted.
"""

import dataclasses
import os
import sys
import time
from pathlib import Path

import tensorflow as tf

from tfdepthviz import evaluation, export
from tfdepthviz.data import pipeline, samples
from tfdepthviz.export.card import validation_figures
from tfdepthviz.models import build_mask_net
from tfdepthviz.reports import evaluation_report
from tfdepthviz.reports.strips import draw_strip, draw_strips
from tfdepthviz.reports.training_curves import training_curves
from tfdepthviz.serving.local_model import LocalModel
from tfdepthviz.utils.constants import INPUT_SIZE
from trainers.cli import flag_types, shared
from trainers.cli.flags import flag, main
from trainers.cli.mask_training import MaskTraining
from trainers.cli.progress import progress_bar
from trainers.cli.target import Target
from trainers.engine import mask_run
from trainers.engine.options import replaced

TRAINING = {
    "mask_net": "compact_edges",
    "mask_weights": "depth_net",
    "target_sparseness": 0.36,
    "relaxation": "concrete",
    "sparsity_weight": 1.0,
    "loss": ("l2",),
    "epochs": 10,
    "learning_rate": 3e-4,
    "learning_rate_decay": "cosine",
}
NEXT_COMMANDS = (
    (
        "Look at the training and its masks in TensorBoard",
        "{bin}tensorboard --logdir {workdir}/logs",
    ),
    (
        "Train on your own images, no ground truth needed",
        "{bin}python -m trainers.train_mask --dataset=folder --data_dir=YOUR_IMAGES {flags} "
        "--workdir=runs/own",
    ),
)


@dataclasses.dataclass(frozen=True)
class Options:
    """Demo."""

    workdir: str = flag("runs/demo", "Folder of the run: checkpoints, logs, results, report.html.")
    output_dir: str = flag("savedmodels/demo", "Folder of the exported model's versions.")
    epochs: int = flag(TRAINING["epochs"], "Epochs to train in all.", flag_types.positive_integer)
    seed: int = shared.seed()


def run(options):
    """Runs the whole job and returns the path of the report."""
    started = time.monotonic()
    training = {**TRAINING, "epochs": options.epochs}
    print(f"1/4  training a mask generator on {len(samples.files('train'))} frames", flush=True)
    folder = _train(training, options)
    mask_weights = str(folder / "mask_net.keras")
    print("2/4  rating it on frames that it did not see", flush=True)
    target = Target().build(INPUT_SIZE)
    mask_net = build_mask_net(TRAINING["mask_net"], (*INPUT_SIZE, 3), weights=mask_weights)
    raw = samples.files("validation").examples()
    sizes = {"input_size": INPUT_SIZE, "depth_size": INPUT_SIZE}
    batches = pipeline.evaluation_batches(raw, **sizes, batch_size=8)
    folded = target.folded()
    table = evaluation.evaluate_masks(folded, mask_net, batches, progress=progress_bar)
    evaluation.write_table(table, folder)
    print("3/4  exporting a SavedModel and running it on an image file", flush=True)
    card = _card(options.output_dir, mask_weights, training, table, len(raw))
    version, photo = _export_and_try(target, mask_net, options.output_dir, card)
    print("4/4  writing the report", flush=True)
    frames = pipeline.spread(raw, 6, **sizes)
    strips = draw_strips(folded, mask_net, frames["image"])
    commands = next_commands(folder, training)
    report = folder / "report.html"
    evaluation_report.write_report(
        report,
        title="Which pixels does the compact depth network look at?",
        table=table,
        strips=[
            *((f"Frame {i + 1}, not trained on", strip) for i, strip in enumerate(strips)),
            ("An image file through the exported SavedModel", photo),
        ],
        curves=training_curves(folder / "history.csv"),
        commands=[("This page", "make demo"), *commands],
        notes=[
            f"{table.images} held-out frames of the two embedded sequences. SavedModel: {version}. "
            f"The whole run took {(time.monotonic() - started) / 60:.1f} minutes."
        ],
    )
    print("\n" + evaluation.format_table(table))
    print(f"report: {report}\n\nnext:")
    for text, command in commands:
        print(f"  # {text}\n  {command}")
    return report


def _train(training, options):
    """Trains G on the embedded frames and returns the work folder."""
    values = {**training, "workdir": options.workdir, "seed": options.seed}
    share = values.pop("target_sparseness")
    return mask_run.train(replaced(MaskTraining(), **values), share)


def next_commands(folder, training):
    """(purpose, command line) of the commands that a reader would run next."""
    options = {k: v for k, v in training.items() if k != "epochs"}
    options["loss"] = ",".join(options["loss"])
    text = " ".join(f"--{name}={value}" for name, value in options.items())
    # The environment that runs this need not be active in the reader's shell.
    bin_folder = os.path.relpath(os.path.dirname(sys.executable)) + os.sep
    return [
        (what, command.format(bin=bin_folder, workdir=folder, flags=text))
        for what, command in NEXT_COMMANDS
    ]


def _card(base_path, mask_weights, training, table, images_in_set):
    """The exported model's card."""
    measured = validation_figures(table, data="samples", images_in_set=images_in_set)
    return {
        "name": Path(base_path).name,
        "depth_net": {"name": "compact", "weights": "nyu", "input": "imagenet"},
        "mask_net": {"name": TRAINING["mask_net"], "weights": "mask_net.keras"},
        "lambda": training.get("sparsity_weight"),
        "target_sparseness": training["target_sparseness"],
        "training": training,
        "validation": {"measured": True, **measured},
        "rounding": None,
    }


def _export_and_try(target, mask_net, base_path, card):
    """Exports, loads back, explains one image file; returns the version's folder and a picture."""
    version = export.export_savedmodel(target, mask_net, base_path, card=card)
    contents = Path(samples.files("validation").images[0]).read_bytes()
    answer = LocalModel(version).explain(contents)
    image = tf.image.resize(tf.io.decode_image(contents), INPUT_SIZE) / 255.0
    picture = draw_strip(image.numpy(), answer.mask, answer.depth, answer.masked_depth, columns=3)
    return version, picture


if __name__ == "__main__":
    main(run, Options)
