"""Rates a trained mask generator: N on its pixels, and on equally many others.

    python -m trainers.evaluate --dataset=nyu --data_dir=/data/nyu \\
        --mask_weights=runs/mask/mask_net.keras --output_dir=runs/mask/evaluation

N runs 12 times an image: on the image, on M and M', and on as many pixels of each control: Sobel
edges, blurred edges, random pixels and blocks (three draws each), and G before training. One more
control needs no pixel: N's mean map over training frames.

Writes table.csv, table.json, per_image.csv, strips of some frames as PNG, and report.html, into
--output_dir. N, its flags and the image size are those of the run that trained G; flags that say
otherwise are refused. Without --mask_weights it rates N alone.
"""

import dataclasses
from pathlib import Path

from tfdepthviz import evaluation
from tfdepthviz.data import eigen_crop, pipeline
from tfdepthviz.models import DEFAULT_MASK_NET, build_mask_net
from tfdepthviz.reports import evaluation_report, wording
from tfdepthviz.reports.rendering import save_png
from tfdepthviz.reports.strips import draw_strips
from trainers.cli import flag_types, shared
from trainers.cli.data import Data
from trainers.cli.ending import conclude, same_networks
from trainers.cli.explained_net import completed, mask_net_of
from trainers.cli.flags import command_line, flag, main
from trainers.cli.program import command
from trainers.cli.progress import progress_bar
from trainers.cli.target import Target
from trainers.cli.untrained import start_of, untrained_net
from trainers.engine.output_folder import check_results, mark_output
from trainers.engine.source import Source
from trainers.engine.strategy import prepare
from trainers.engine.teacher import with_teacher
from trainers.engine.training_frames import mean_map_of


@dataclasses.dataclass(frozen=True)
class Options:
    """Evaluation."""

    mask_weights: str | None = flag(
        None, "Weights of G: a .keras or .weights.h5 file, or a published checkpoint."
    )
    mask_net: str | None = shared.mask_net()
    output_dir: str | None = shared.output_dir()
    threshold: float = shared.threshold()
    crop: str = flag(
        "none",
        "eigen rates rows 45 to 470 and columns 41 to 600 of NYU's 480x640, as is usual there.",
        flag_types.enum(("none", "eigen")),
    )
    input_size: tuple | None = shared.input_size()
    batch_size: int = shared.batch_size()
    strips: int = shared.strips(8)
    split: str = shared.split("validation")
    teacher_cache: str | None = shared.teacher_cache()
    data: Data = Data()
    target: Target = Target(depth_net=None)


def run(options):
    """Evaluates and returns the `evaluation.Evaluation`."""
    check_results(options.output_dir, "tables, pictures and the report")
    options = _completed(options)
    prepare("float32", seed=0)
    unfolded = options.target.build(options.input_size)
    target, source = unfolded.folded(), Source(options.data)
    raw = source.load(options.split)
    mask_net, controls, notes = None, {}, []
    if options.mask_weights:
        shape = target.net.input_shape[1:]
        mask_net = build_mask_net(options.mask_net, shape, weights=options.mask_weights)
        start = start_of(options.mask_net, options.mask_weights)
        controls["untrained"] = untrained_net(start, options.target, unfolded)
        controls["mean_map"], note = mean_map_of(source, target, options.batch_size)
        notes.append(note)
    result, frames = _rated(target, mask_net, controls, raw, source, options)
    pictures = []
    if mask_net:
        pictures = draw_strips(target, mask_net, frames["image"], options.threshold)
    folder = Path(options.output_dir)
    mark_output(folder)
    commands = _next(options, folder)
    _write(result, pictures, [*source.sentences, *notes], folder, commands, options)
    print(evaluation.format_table(result), end="")
    text = "\n".join([wording.verdict(result), *notes])
    conclude(text, pictures=folder / "report.html", commands=commands)
    return result


def _next(options, folder):
    """(purpose, command line) of what to do after an evaluation."""
    group = same_networks(options)
    if not options.mask_weights:
        training = command("train_mask", *group, "--workdir=runs/mask")
        return [("train a G that shows which pixels N needs", training)]
    weights = [f"--mask_weights={options.mask_weights}"]
    if options.mask_net != DEFAULT_MASK_NET:
        weights.append(f"--mask_net={options.mask_net}")
    comparison = [*weights[:1], *(f.replace("mask_net=", "mask_nets=") for f in weights[1:])]
    if options.split == "all":
        comparison.append("--split=all")
    return [
        (
            "compare with more controls at equal shares of the pixels",
            command("compare_masks", *comparison, *group, f"--output_dir={folder}_compared"),
        ),
        (
            "export a SavedModel that serves these masks",
            command("export_savedmodel", *weights, *group, "--name=masks"),
        ),
    ]


def _completed(options):
    """Options with N and G of the run that trained G where the user gave none."""
    file = options.mask_weights
    mask_net = mask_net_of(file, options.mask_net) if file else options.mask_net
    return dataclasses.replace(completed(options, [file]), mask_net=mask_net)


def _rated(target, mask_net, controls, raw, source, options):
    """The Evaluation, and frames to draw."""
    if options.crop == "eigen":
        raw = raw.map(eigen_crop.eigen_crop)
    # As in the paper, accuracy is measured at the image's resolution.
    sizes = {"input_size": target.input_size, "depth_size": target.input_size}
    batches = pipeline.evaluation_batches(raw, **sizes, batch_size=options.batch_size)
    if options.teacher_cache:
        batches = with_teacher(batches, target.net, options.teacher_cache)
    with source.named_files(), eigen_crop.refusals("--crop=eigen"):
        result = evaluation.evaluate_masks(
            target,
            mask_net,
            batches,
            threshold=options.threshold,
            progress=progress_bar,
            **controls,
        )
        return result, pipeline.spread(raw, options.strips, **sizes)


def _write(result, pictures, notes, folder, commands, options):
    """Tables, strips and the report."""
    evaluation.write_table(result, folder)
    for number, picture in enumerate(pictures):
        save_png(folder / f"strip_{number}.png", picture)
    evaluation_report.write_report(
        folder / "report.html",
        title=f"Masks for {options.target.depth_net} on {options.data.dataset}",
        table=result,
        strips=[(f"frame {i} of {options.split}", picture) for i, picture in enumerate(pictures)],
        curves=None,
        notes=notes,
        commands=[("This page", command_line("evaluate")), *commands],
    )


if __name__ == "__main__":
    main(run, Options, continues=False)
