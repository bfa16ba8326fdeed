"""Trains and rates a mask generator for each of several lambdas: Table 1 and Figure 4 of the paper.

    python -m trainers.sweep_sparsity --dataset=nyu --data_dir=/data/nyu \\
        --sparsity_weights=1,2,3,4,5,6 --epochs=4 --learning_rate=1e-3 --workdir=runs/sweep

--target_sparsenesses=0.1,0.2,0.36 asks for shares of the pixels instead of lambdas. The other
flags are those of train_mask and hold for every G. Each lies in a folder of its own, as train_mask
makes it; the same command continues where it was interrupted and repeats nothing that is done.

Writes into --workdir: table1.txt, .md, .csv and .json, the published values next to ours;
figure4_curves.png and figure4_frameN.png; report.html; and hparams/ for `tensorboard --logdir`.
"""

import dataclasses
import sys

from tfdepthviz.data import pipeline
from tfdepthviz.evaluation import sweep as sweeps
from tfdepthviz.models import build_mask_net
from tfdepthviz.reports import hparams, sweep_figures, sweep_report
from tfdepthviz.reports.rendering import save_png
from tfdepthviz.reports.strips import frame_maps
from tfdepthviz.utils.errors import InputError
from trainers.cli import flag_types, shared
from trainers.cli.flags import command_line, flag, main
from trainers.cli.mask_training import MaskTraining
from trainers.cli.progress import progress_bar
from trainers.engine import cluster, mask_run
from trainers.engine.options import flat, replaced
from trainers.engine.rating import stored_table
from trainers.engine.source import Source
from trainers.engine.strategy import prepare
from trainers.engine.teacher import with_teacher
from trainers.engine.workdir import open_workdir

FOLDERS = {"sparsity_weight": "lambda", "target_sparseness": "sparseness"}
# Options that TensorBoard shows next to the parameter that is swept.
SHOWN_OPTIONS = ("depth_net", "mask_net", "dataset", "epochs", "learning_rate", "optimizer", "seed")


@dataclasses.dataclass(frozen=True)
class Options:
    """Values to sweep over."""

    sparsity_weights: tuple | None = flag(
        None,
        "The values of lambda, one G for each.",
        flag_types.numbers(0.0, sys.float_info.max, "1,2,3,4,5,6"),
    )
    target_sparsenesses: tuple | None = flag(
        None,
        "The shares of the pixels to keep, one G for each.",
        flag_types.numbers(*flag_types.SHARES, "0.1,0.2,0.36"),
    )
    threshold: float = shared.threshold()
    mask_training: MaskTraining = MaskTraining()


def run(options):
    """Trains and rates what is not done yet and returns the `sweeps.Sweep`."""
    training = options.mask_training
    if training.training.strategy == cluster.MULTI_WORKER:
        raise InputError(
            f"--strategy={cluster.MULTI_WORKER}: sweep_sparsity runs on one machine; run "
            "train_mask once for each value"
        )
    parameter, values = _swept(options)
    workdir = training.training.workdir
    config = {"threshold": options.threshold, **mask_run.config(training)}
    folder = open_workdir(workdir, "sweep_sparsity", config)
    folders = {value: folder / f"{FOLDERS[parameter]}_{value:g}" for value in values}
    for number, (value, its_folder) in enumerate(folders.items(), start=1):
        print(f"{number}/{len(values)}  {sweeps.NAMES[parameter]} {value:g}", flush=True)
        _train(its_folder, training, parameter, value)
    sweep, pictures = _rate(parameter, folders, training, options.threshold)
    _write(folder, sweep, pictures, list(folders.values()), training)
    return sweep


def _swept(options):
    """Name and values of the parameter that is swept."""
    lists = {
        "sparsity_weight": options.sparsity_weights,
        "target_sparseness": options.target_sparsenesses,
    }
    chosen = {name: values for name, values in lists.items() if values}
    if len(chosen) != 1:
        raise InputError(
            "--sparsity_weights, --target_sparsenesses: expected exactly one of the two lists, "
            f"such as --sparsity_weights=1,2,3,4,5,6; received {'both' if chosen else 'none'}"
        )
    ((parameter, values),) = chosen.items()
    flag_name = "sparsity_weights" if parameter == "sparsity_weight" else "target_sparsenesses"
    names = [f"{value:g}" for value in values]
    if len(set(names)) < len(names):
        raise InputError(f"--{flag_name}={','.join(names)}: names a value twice")
    weight = options.mask_training.sparsity_weight
    if parameter == "sparsity_weight" and weight != MaskTraining.sparsity_weight:
        raise InputError(f"--sparsity_weight={weight}: --sparsity_weights gives every lambda")
    return parameter, tuple(values)


def _train(folder, training, parameter, value):
    """A run of train_mask, unless it has finished in this folder with these options."""
    training = replaced(training, workdir=str(folder))
    share = value if parameter == "target_sparseness" else None
    if parameter == "sparsity_weight":
        training = replaced(training, sparsity_weight=value)
    open_workdir(folder, mask_run.COMMAND, mask_run.config(training, share))
    if (folder / "mask_net.keras").exists():
        print(f"{folder / 'mask_net.keras'} is there", flush=True)
    else:
        mask_run.train(training, share)


def _rate(parameter, folders, training, threshold):
    """The sweep, and a picture of each of some validation frames."""
    prepare("float32", seed=0)
    target = training.target.build(training.input_size).folded()
    depth_net, size = target.net, target.input_size
    source = Source(training.data)
    raw = source.load("validation")
    # As in the paper, accuracy is measured at the image's resolution.
    sizes = {"input_size": size, "depth_size": size}
    batch_size = training.training.batch_size
    batches = pipeline.evaluation_batches(raw, **sizes, batch_size=batch_size)
    # N(I) is the same for every G.
    batches = with_teacher(batches, depth_net, training.teacher_cache)
    tables, maps = {}, []
    with source.named_files():
        image = pipeline.spread(raw, training.strips, **sizes)["image"]
        y_full = depth_net.predict_on_batch(image)
        for value, folder in folders.items():
            mask_net = build_mask_net(
                training.mask_net,
                depth_net.input_shape[1:],
                weights=folder / "mask_net.keras",
            )
            tables[value] = stored_table(folder, target, mask_net, batches, threshold, progress_bar)
            mask = mask_net.predict_on_batch(image)
            maps.append(frame_maps(target, image, mask, y_full=y_full))
    sweep = sweeps.gather(parameter, tables)
    # The image and N(I) are the same for every G.
    (rgb, *_), (_, masks, depths, masked_depths) = maps[0], zip(*maps, strict=True)
    pictures = [
        sweep_figures.frame(
            sweep,
            rgb[i],
            [mask[i] for mask in masks],
            depths[0][i],
            [masked_depth[i] for masked_depth in masked_depths],
        )
        for i in range(len(rgb))
    ]
    return sweep, pictures


def _write(folder, sweep, pictures, folders, training):
    """Tables, figures, TensorBoard's hyper-parameters and the report."""
    notes = sweep_report.notes(
        sweep,
        depth_net=training.target.depth_net,
        depth_weights=training.target.weights,
        mask_net=training.mask_net,
        dataset=training.data.dataset,
    )
    sweeps.write_sweep(sweep, folder, notes)
    shown = {name: flat(training)[name] for name in SHOWN_OPTIONS}
    hparams.write_hparams(folder, sweep, shown, folders)
    curves = sweep_figures.curves(sweep)
    save_png(folder / "figure4_curves.png", curves)
    for number, picture in enumerate(pictures):
        save_png(folder / f"figure4_frame{number}.png", picture)
    report = folder / "report.html"
    sweep_report.write_report(
        report, sweep, notes, curves, pictures, command_line("sweep_sparsity")
    )
    print(sweeps.format_sweep(sweep), *notes, sep="\n")
    print(f"wrote {report}", flush=True)


if __name__ == "__main__":
    main(run, Options)
