"""Trains, rates, exports and reports a ranking on the embedded photographs.

    python -m trainers.demo

Loads the compact depth network N that comes with the package and trains a mask generator G on the
embedded frames to rank the pixels for every share of them. Rates the ranking and its controls on
frames that G did not see, exports a SavedModel, runs that on an image file, and writes one HTML
page. The same command continues where it was interrupted.
"""

import dataclasses
import time
from pathlib import Path

import tensorflow as tf

from tfdepthviz import evaluation, export
from tfdepthviz.data import pipeline, samples
from tfdepthviz.evaluation import comparison_files
from tfdepthviz.evaluation import sweep as sweeps
from tfdepthviz.export.card import fidelity_at_shares, validation_figures
from tfdepthviz.reports import comparison_figures, ranking_report
from tfdepthviz.reports.ranking_frames import draw_frames
from tfdepthviz.reports.strips import draw_strip
from tfdepthviz.reports.training_curves import training_curves
from tfdepthviz.serving.local_model import LocalModel
from tfdepthviz.utils.constants import INPUT_SIZE
from trainers.cli import flag_types, recipes, shared
from trainers.cli.ending import conclude
from trainers.cli.flags import flag, main
from trainers.cli.mask_training import MaskTraining
from trainers.cli.program import command, tool
from trainers.cli.progress import progress_bar
from trainers.cli.rated_ranking import RANKING, rated_ranking
from trainers.engine import mask_run
from trainers.engine.options import flat, replaced
from trainers.engine.run_record import recorded

EPOCHS = 5
# Small batches: 142 frames are few steps otherwise.
BATCH_SIZE = 4
# Shares of the curves, of the pictures, and of the verdict.
SHARES = (0.05, 0.1, 0.2, 0.36, 0.6)
DRAWN = SHARES[:4]
CLAIMED = (0.2, 0.36)
# Frames to draw, evenly spread, and the place among them of the one that the page opens with.
FRAMES, OPENING = 4, 1


@dataclasses.dataclass(frozen=True)
class Options:
    """Demo."""

    workdir: str = flag("runs/demo", "Folder of the run: checkpoints, logs, results, report.html.")
    output_dir: str = flag("savedmodels/demo", "Folder of the exported model's versions.")
    epochs: int = flag(EPOCHS, "Epochs to train in all.", flag_types.positive_integer)
    seed: int = shared.seed()


def run(options):
    """Runs the whole job and returns the path of the report."""
    started = time.monotonic()
    chosen = {"workdir": options.workdir, "epochs": options.epochs, "seed": options.seed}
    training = replaced(MaskTraining(), **chosen, batch_size=BATCH_SIZE, strips=FRAMES)
    training = recipes.completed(training)
    print(f"1/4  training a ranking on {len(samples.files('train'))} frames", flush=True)
    folder = mask_run.train(training)
    print("2/4  rating it and the controls on frames that it did not see", flush=True)
    rated = rated_ranking(folder, training, str(folder / "mask_net.keras"), SHARES)
    sweep = sweeps.gather_shares(rated.summary, RANKING)
    sweeps.write_sweep(sweep, folder, rated.notes)
    comparison_files.write_per_image(rated.comparison, folder / "per_image.csv")
    comparison_files.write_summary(rated.summary, folder)
    print("3/4  exporting a SavedModel and running it on an image file", flush=True)
    card = _card(options.output_dir, training, rated, folder)
    version, photo = _export_and_try(rated.target, rated.mask_net, options.output_dir, card)
    print("4/4  writing the report", flush=True)
    commands = next_commands(folder, version)
    verdicts = [ranking_report.verdict(rated.summary, RANKING, share) for share in CLAIMED]
    minutes = (time.monotonic() - started) / 60
    report = _write_report(folder, rated, verdicts, photo, commands, minutes, version)
    print("\n" + sweeps.format_sweep(sweep))
    conclude("\n".join(verdicts), pictures=report, commands=commands)
    return report


def _write_report(folder, rated, verdicts, photo, commands, minutes, version):
    """The page; returns its path."""
    pictures = draw_frames(rated.target.folded(), rated.mask_net, rated.frames["image"], DRAWN)
    frames = [(f"Frame {i + 1}, not trained on", picture) for i, picture in enumerate(pictures)]
    opening = frames.pop(min(OPENING, len(frames) - 1))
    summary = rated.summary
    ranking_report.write_report(
        folder / "report.html",
        title="Which pixels does the compact depth network look at?",
        summary=summary,
        ranking=RANKING,
        opening=("A held-out frame: the top pixels of the ranking, and as many edges", opening[1]),
        verdicts=verdicts,
        pictures=[
            ("Distance from N(I), with intervals", comparison_figures.curve(summary)),
            ("RMSE against ground truth", comparison_figures.curve(summary, "rmse")),
        ],
        commands=[("This page", "make demo"), *commands],
        frames=[*frames, ("An image file through the exported SavedModel", photo)],
        curves=training_curves(folder / "history.csv"),
        notes=[
            f"Rated on {summary['images']} held-out frames of the two embedded sequences. They "
            "show the rooms of the training frames, so they say whether training worked, not how "
            "well it generalises.",
            *rated.notes,
            f"SavedModel: {version}. The whole run took {minutes:.1f} minutes.",
        ],
    )
    return folder / "report.html"


def next_commands(folder, version):
    """(purpose, command line) of the commands that a reader would run next."""
    return [
        (
            "explain photographs with this G",
            command("explain", "photos", f"--savedmodel={version}"),
        ),
        (
            "train on your own images, no ground truth needed",
            command("train_mask", "--dataset=folder", "--data_dir=photos", "--workdir=runs/photos"),
        ),
        (
            "look at the training and its masks in TensorBoard",
            tool("tensorboard", f"--logdir={folder}/logs"),
        ),
    ]


def _card(base_path, training, rated, folder):
    """The exported model's card, with the table of M' at its threshold, written on the way."""
    raw = samples.files("validation").examples()
    sizes = {"input_size": INPUT_SIZE, "depth_size": INPUT_SIZE}
    batches = pipeline.evaluation_batches(raw, **sizes, batch_size=8)
    target, mask_net = rated.target.folded(), rated.mask_net
    table = evaluation.evaluate_masks(target, mask_net, batches, progress=progress_bar)
    evaluation.write_table(table, folder)
    measured = validation_figures(table, data="samples", images_in_set=len(raw))
    return {
        "name": Path(base_path).name,
        "depth_net": {"name": "compact", "weights": training.target.weights, "input": "imagenet"},
        "mask_net": {"name": training.mask_net, "weights": "mask_net.keras"},
        "lambda": None,
        "keep": training.keep,
        "training": recorded(flat(training)),
        "validation": {"measured": True, **measured},
        "fidelity_at_shares": fidelity_at_shares(rated.comparison),
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
