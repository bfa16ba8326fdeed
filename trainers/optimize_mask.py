"""Optimises a mask for each image through N by equation (3) (Figure 3).

    python -m trainers.optimize_mask --dataset=nyu --data_dir=/data/nyu \\
        --frames=4 --keep=0.36 --output_dir=runs/optimized

A step of one image takes 0.06 s on a free core and 0.2 s on a busy one (compact N, 228x304; two
cores of an AMD EPYC, Zen 5; 2026-11-22): 60 steps from each of two starts take 7 to 25 s an image.

Writes figure_3.png (a row for each image: the image, its mask by (3), and the mask of each G of
--mask_weights), each mask as a 16-bit PNG, strips, masks.npz (logits, masks, all restarts),
masks.csv and masks.json (losses, sparseness, fidelity, disagreement of the restarts, steps), and
report.html with controls of the same sparseness, into --output_dir. The same command continues
where it was interrupted. --dataset=folder takes all images of the folder, other data sets their
validation split.
"""

import dataclasses
import json
from pathlib import Path

from tfdepthviz import evaluation
from tfdepthviz.data import pipeline
from tfdepthviz.models import build_mask_net
from tfdepthviz.reports import optimization_report
from tfdepthviz.reports.optimization_report import SEARCHED
from tfdepthviz.reports.optimized_masks import rate_and_draw, with_masks
from tfdepthviz.reports.rendering import save_png
from tfdepthviz.training import MaskOptimizer, Objective, Search
from tfdepthviz.utils.arrays import write_arrays
from tfdepthviz.utils.errors import InputError
from trainers.cli import flag_types, shared, trained_masks
from trainers.cli.data import Data
from trainers.cli.ending import conclude, same_networks
from trainers.cli.explained_net import completed, mask_net_of
from trainers.cli.flags import command_line, flag, main
from trainers.cli.program import command
from trainers.cli.target import Target
from trainers.engine.batch_store import BatchStore
from trainers.engine.mask_search import search_all
from trainers.engine.options import flat
from trainers.engine.output_folder import check_results
from trainers.engine.source import Source
from trainers.engine.strategy import prepare

# Flags that do not change the search.
DRAWN_ONLY = ("output_dir", "mask_net", "mask_weights", "strips")


@dataclasses.dataclass(frozen=True)
class Options:
    """Search."""

    output_dir: str | None = shared.output_dir()
    frames: int = flag(
        8, "Number of images to search, evenly spread over the set.", flag_types.positive_integer
    )
    keep: float | None = flag(
        None,
        "Share of the pixels that each mask keeps, exactly. Default: --sparsity_weight decides.",
        flag_types.share,
    )
    sparsity_weight: float = flag(
        Objective.sparsity_weight,
        "lambda: the price of a kept pixel, or of a deleted one with --objective=delete; not used "
        "with --keep.",
        flag_types.rate,
    )
    objective: str = shared.objective()
    loss: tuple = shared.loss(Objective.terms)
    steps: int = flag(
        Search.steps, "Steps of Adam on each mask, at most.", flag_types.positive_integer
    )
    patience: int = flag(
        Search.patience,
        "Steps without gain after which the search of a mask ends.",
        flag_types.positive_integer,
    )
    restarts: int = flag(
        Search.restarts,
        "Searches of each mask, each from newly drawn logits.",
        flag_types.positive_integer,
    )
    learning_rate: float = flag(Search.learning_rate, "Learning rate of Adam.", flag_types.rate)
    logit_stride: int = flag(
        Search.logit_stride,
        "Image pixels between logits; more pixels: smoother masks.",
        flag_types.positive_integer,
    )
    seed: int = flag(0, "Fixes the logits that a search starts from.", flag_types.seed)
    threshold: float = shared.threshold()
    mask_weights: str | None = flag(
        None, "Weights of mask generators to draw next to the searched masks, separated by commas."
    )
    mask_net: str | None = shared.mask_net()
    strips: int = shared.strips(8)
    split: str | None = shared.split()
    input_size: tuple | None = shared.input_size()
    batch_size: int = shared.batch_size(4)
    data: Data = Data()
    target: Target = Target(depth_net=None)


def run(options):
    """Optimises masks and returns the rows of masks.csv."""
    check_results(options.output_dir, "masks, pictures and tables")
    files = trained_masks.listed(options.mask_weights)
    options = completed(options, files)
    folder, threshold = Path(options.output_dir), options.threshold
    goal = Objective(
        options.objective,
        tuple(options.loss),
        options.sparsity_weight,
        options.keep,
    )
    search = Search(
        options.steps,
        options.learning_rate,
        options.patience,
        options.restarts,
        options.logit_stride,
        options.seed,
    )
    prepare("float32", options.seed)
    target = options.target.build(options.input_size, in_graph=True).folded()
    generators = _generators(options.mask_weights, options.mask_net, target.input_size)
    source = Source(options.data)
    batches, places = _batches(source, target.input_size, options)
    deciding = {name: v for name, v in flat(options).items() if name not in DRAWN_ONLY}
    store = BatchStore(folder, deciding, "masks")
    with source.named_files():
        optimizer = MaskOptimizer(target, goal, search)
        arrays = search_all(store, batches, places, optimizer, threshold)
        rows, pictures = rate_and_draw(
            batches, arrays, target, generators, goal, threshold, options.strips
        )
        table = evaluation.evaluate_masks(
            target, None, with_masks(batches, arrays["mask"]), threshold=threshold
        )
    summary = optimization_report.summarise(rows)
    write_arrays(folder / "masks.npz", arrays)
    optimization_report.write_tables(folder, deciding, rows, summary, table)
    _write_pictures(folder, arrays, rows, summary, table, pictures, target.unit, options)
    print(evaluation.format_table(table), end="")
    text = optimization_report.in_words(summary[SEARCHED], table.images, target.unit)
    conclude(text, pictures=folder / "report.html", commands=_next(options, folder))
    return rows


def _next(options, folder):
    """(purpose, command line) of what to do after a search."""
    group = same_networks(options)
    saved = f"--saved_masks={folder / 'masks.npz'}"
    images = f"--max_images={options.frames}"
    return [
        (
            "compare the searched masks with controls",
            command("compare_masks", saved, images, *group, f"--output_dir={folder}_compared"),
        ),
        (
            "train a G that needs no search for a new image",
            command("train_mask", *group, "--workdir=runs/mask"),
        ),
    ]


def _batches(source, size, options):
    """Batches of the images to search, and their places in the set."""
    # A search has seen no image before: nothing of a folder needs to be held out.
    raw = source.load(options.split or options.data.usual_split)
    frames, places = pipeline.evenly(raw, options.frames)
    batches = pipeline.evaluation_batches(
        frames, input_size=size, depth_size=size, batch_size=options.batch_size
    )
    return batches, places


def _generators(mask_weights, mask_net, size):
    """Column title -> G, for each of the files."""
    generators = {}
    for file in trained_masks.listed(mask_weights):
        net = build_mask_net(mask_net_of(file, mask_net), (*size, 3), weights=file)
        name = f"{_equation(Path(file).parent)} {trained_masks.name_of(file)}".strip()
        if name in generators:
            raise InputError(f"--mask_weights: two masks are called {name!r}; rename one")
        generators[name] = net
    return generators


def _equation(workdir):
    """The equation that a run of train_mask minimised; "" if it is not known."""
    try:
        config = json.loads((workdir / "config.json").read_text(encoding="utf-8"))
        # Before there was a choice, it was (4).
        return "(5)" if config["options"].get("objective") == "delete" else "(4)"
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return ""


def _write_pictures(folder, arrays, rows, summary, table, pictures, unit, options):
    """Masks, strips, Figure 3 and the report."""
    frames = arrays["frame"]
    for frame, mask in zip(frames, arrays["mask"], strict=True):
        optimization_report.save_mask(folder / f"mask_{frame:04d}.png", mask)
    for frame, (_, _, strip) in zip(frames, pictures, strict=False):
        save_png(folder / f"strip_{frame:04d}.png", strip)
    figure = optimization_report.figure_3([picture[:2] for picture in pictures], rows, unit)
    save_png(folder / "figure_3.png", figure)
    optimization_report.write_page(
        folder / "report.html",
        title=f"Masks by equation (3) for {options.target.depth_net} on {options.data.dataset}",
        table=table,
        summary=summary,
        objective=options.objective,
        figure=figure,
        strips=[(f"frame {f}", p[2]) for f, p in zip(frames, pictures, strict=False)],
        command=command_line("optimize_mask"),
    )


if __name__ == "__main__":
    main(run, Options)
