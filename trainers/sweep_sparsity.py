"""Trains and rates a mask generator for each of several lambdas: Table 1 and Figure 4 of the paper.

    python -m trainers.sweep_sparsity --dataset=nyu --data_dir=/data/nyu \\
        --sparsity_weights=1,2,3,4,5,6 --epochs=4 --learning_rate=1e-3 --workdir=runs/sweep

--target_sparsenesses=0.1,0.2,0.36 asks for shares of the pixels in place of lambdas. The other
flags are those of train_mask and hold for every G. Each lies in a folder of its own, as train_mask
makes it; the same command continues where it was interrupted and does again nothing that is done.

Writes into --workdir: table1.txt, .md, .csv and .json, the published values beside ours;
figure4_curves.png and figure4_frameN.png; report.html; and hparams/ for `tensorboard --logdir`.
"""

import inspect
import json
import shlex
import sys

from tfdepthviz import evaluation
from tfdepthviz.data import pipeline
from tfdepthviz.evaluation import sweep as sweeps
from tfdepthviz.models import build_mask_net
from tfdepthviz.reports import hparams, html, sweep_figures, wording
from tfdepthviz.reports.rendering import save_png
from tfdepthviz.reports.strips import frame_maps
from tfdepthviz.training.teacher_cache import TeacherCache
from tfdepthviz.utils.constants import THRESHOLD
from tfdepthviz.utils.errors import InputError
from tfdepthviz.utils.files import write_whole
from trainers import evaluate, train_mask
from trainers.cli import data as datasets
from trainers.cli import flags
from trainers.engine import cluster
from trainers.engine.strategy import prepare
from trainers.engine.workdir import open_workdir

DEFAULTS = {p.name: p.default for p in inspect.signature(train_mask.run).parameters.values()}
FOLDERS = {"sparsity_weight": "lambda", "target_sparseness": "sparseness"}
# What TensorBoard shows beside the parameter that is swept.
SHOWN_OPTIONS = ("depth_net", "mask_net", "dataset", "epochs", "learning_rate", "optimizer", "seed")
READING = (
    "A mask generator was trained for each value; each was rated on images that it had not seen. "
    "RMSE is the distance from measured depth, fidelity the distance from N(I), what the network "
    "says of the whole image. M is the mask with its grey levels, M' is binarised and is the one "
    "to trust. Sparseness is the share of pixels that M' keeps. Edges and random are controls: in "
    "each image exactly as many pixels as M' keeps."
)
THE_PAPERS = (
    "The paper's N is hu_resnet50, trained on 50K pairs of NYU-v2, its G drn_d_22, and its data "
    "the 654 test images of NYU-v2."
)


@flags.with_flags_of(train_mask.run, without=("target_sparseness",))
def run(
    *, sparsity_weights=None, target_sparsenesses=None, threshold=THRESHOLD, workdir=None, **options
):
    """Trains and rates what is not done yet and returns the `sweeps.Sweep`."""
    options = DEFAULTS | options
    if options["strategy"] == cluster.MULTI_WORKER:
        raise InputError(
            f"--strategy={cluster.MULTI_WORKER}: sweep_sparsity runs on one machine; run "
            "train_mask once for each value"
        )
    parameter, values = _swept(sparsity_weights, target_sparsenesses, options)
    given = {parameter: values, "threshold": threshold, **flags.flat(options), "workdir": workdir}
    folder = open_workdir(workdir, "sweep_sparsity", given)
    folders = {value: folder / f"{FOLDERS[parameter]}_{value:g}" for value in values}
    for number, (value, its_folder) in enumerate(folders.items(), start=1):
        print(f"{number}/{len(values)}  {sweeps.NAMES[parameter]} {value:g}", flush=True)
        _train(its_folder, {**options, parameter: value, "workdir": str(its_folder)})
    sweep, pictures = _rate(parameter, folders, options, threshold)
    notes = _notes(sweep, options)
    sweeps.write_sweep(sweep, folder, notes)
    shown = {name: flags.flat(options)[name] for name in SHOWN_OPTIONS}
    hparams.write_hparams(folder, sweep, shown, list(folders.values()))
    curves = sweep_figures.curves(sweep)
    save_png(folder / "figure4_curves.png", curves)
    for number, picture in enumerate(pictures):
        save_png(folder / f"figure4_frame{number}.png", picture)
    _write_page(folder / "report.html", sweep, notes, curves, pictures)
    print(sweeps.format_sweep(sweep), *notes, sep="\n")
    print(f"wrote {folder / 'report.html'}", flush=True)
    return sweep


def _swept(sparsity_weights, target_sparsenesses, options):
    """Name and values of what is swept."""
    lists = {"sparsity_weight": sparsity_weights, "target_sparseness": target_sparsenesses}
    given = {name: values for name, values in lists.items() if values}
    if len(given) != 1:
        raise InputError(
            "--sparsity_weights, --target_sparsenesses: expected exactly one of the two lists, "
            f"such as --sparsity_weights=1,2,3,4,5,6; received {'both' if given else 'none'}"
        )
    ((parameter, values),) = given.items()
    flag = "sparsity_weights" if parameter == "sparsity_weight" else "target_sparsenesses"
    names = [f"{value:g}" for value in values]
    if len(set(names)) < len(names):
        raise InputError(f"--{flag}={','.join(names)}: a value stands there twice")
    weight = options["sparsity_weight"]
    if parameter == "sparsity_weight" and weight != DEFAULTS["sparsity_weight"]:
        raise InputError(f"--sparsity_weight={weight}: --sparsity_weights gives every lambda")
    return parameter, tuple(values)


def _train(folder, options):
    """train_mask, unless it has finished in this folder with these options."""
    open_workdir(folder, "train_mask", flags.flat(options))
    if (folder / "mask_net.keras").exists():
        print(f"{folder / 'mask_net.keras'} is there", flush=True)
    else:
        train_mask.run(**options)


def _rate(parameter, folders, options, threshold):
    """The sweep, and a picture of each of some validation frames."""
    prepare("float32", seed=0)
    explained = options["target"].build(options["input_size"]).folded()
    n, size = explained.net, explained.input_size
    source = datasets.Source(options["data"])
    raw = source.load("validation")
    # As in the paper, accuracy is measured at the image's resolution.
    sizes = {"input_size": size, "depth_size": size}
    batches = pipeline.evaluation_batches(raw, **sizes, batch_size=options["batch_size"])
    # N(I) is the same for every G.
    batches = TeacherCache(n, options["teacher_cache"]).taught(batches)
    tables, maps = {}, []
    with source.named_files():
        image = pipeline.spread(raw, options["strips"], **sizes)["image"]
        y_full = n.predict_on_batch(image)
        for value, folder in folders.items():
            weights = folder / "mask_net.keras"
            g = build_mask_net(options["mask_net"], n.input_shape[1:], weights=weights)
            tables[value] = _table(folder, explained, g, batches, threshold)
            mask = g.predict_on_batch(image)
            maps.append(frame_maps(explained, image, mask, y_full=y_full))
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


def _table(folder, target, g, batches, threshold):
    """What evaluation.write_table writes, measured unless it has been of this very G."""
    state = (folder / "mask_net.keras").stat()
    rated = {"threshold": threshold, "mask_net": [state.st_size, state.st_mtime_ns]}
    folder = folder / "evaluation"
    mark = folder / "rated.json"
    table = _read(folder / "table.json")
    if table is None or _read(mark) != rated:
        result = evaluation.evaluate_masks(
            target, g, batches, threshold=threshold, progress=evaluate.progress_bar
        )
        evaluation.write_table(result, folder)
        write_whole(mark, json.dumps(rated) + "\n")
        table = _read(folder / "table.json")
    return table


def _read(path):
    """What a JSON file holds; None if it is not there, or damaged, and is to be made again."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _notes(sweep, options):
    target, data = options["target"], options["data"]
    weights = target.depth_weights or ("nyu" if target.depth_net == "compact" else "its own")
    notes = [
        f"Ours: N is {target.depth_net} (weights: {weights}), G is {options['mask_net']}, rated on "
        f"{sweep.images} images of {data.dataset}; M' = M > {sweep.threshold:g}."
    ]
    if sweep.has_truth:
        notes.append(THE_PAPERS)
        same = (
            target.depth_net == "hu_resnet50"
            and options["mask_net"] == "drn_d_22"
            and data.dataset.startswith("nyu")
            and sweep.images == 654
        )
        if not same:
            notes.append(
                "Ours is another experiment: compare how the columns run and their ratio to the "
                "first row, not their values."
            )
    return notes


def _write_page(path, sweep, notes, curves, pictures):
    headings, rows = sweeps.texts(sweep)
    frames = [(f"validation frame {i}", picture) for i, picture in enumerate(pictures)]
    html.write_page(
        path,
        "How many pixels does the depth network need?",
        [
            html.paragraph(wording.QUESTION, "lead"),
            html.section(
                "Table 1",
                html.table(headings, rows),
                *(html.paragraph(note, "small") for note in notes),
            ),
            html.section("How to read it", html.paragraph(READING)),
            html.section("Figure 4, the curves", html.pictures([("the rows of Table 1", curves)])),
            html.section("Figure 4, the masks", html.pictures(frames)),
            html.section("What a mask does not prove", html.bullets(wording.LIMITS)),
            html.section("Commands", html.command_lines([("This page", _command())])),
            html.section("Versions", html.versions()),
        ],
    )


def _command():
    return shlex.join(["python", "-m", "trainers.sweep_sparsity", *sys.argv[1:]])


if __name__ == "__main__":
    flags.main(run)
