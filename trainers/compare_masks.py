"""Compares masks with controls at equal numbers of pixels (Figure 5, and more).

    python -m trainers.compare_masks --dataset=nyu --data_dir=/data/nyu --depth_weights=nyu \\
        --mask_weights=runs/a/mask_net.keras,runs/b/mask_net.keras --mask_names=A,B \\
        --max_images=64 --output_dir=runs/compared

Controls are random pixels, edges, the centre, three gradients of N, and masks searched for each
image by equation (3) in --steps steps; without masks they are compared alone. --saved_masks adds
the masks that optimize_mask searched for the same frames (its masks.npz; --frames there as
--max_images here).

Writes per_image.csv (every figure of every image), curves.csv, summary.json, figures and strips as
PNG, and report.html, into --output_dir. The same command continues where it was interrupted.
"""

import dataclasses
import functools
import sys
from pathlib import Path

from tqdm import tqdm

from tfdepthviz.data import pipeline
from tfdepthviz.evaluation import comparison, comparison_files, controls, summary
from tfdepthviz.reports import comparison_figures, comparison_report
from tfdepthviz.reports.comparison_strips import draw_strips
from tfdepthviz.reports.rendering import save_png
from tfdepthviz.training import MaskOptimizer, Objective, Search
from tfdepthviz.utils.errors import InputError
from tfdepthviz.utils.files import sha256
from trainers.cli import flag_types, shared, trained_masks
from trainers.cli.data import Data
from trainers.cli.flags import command_line, flag, main
from trainers.cli.mask_functions import mask_functions
from trainers.cli.target import Target
from trainers.engine.batch_store import BatchStore
from trainers.engine.options import flat
from trainers.engine.output_folder import check_output
from trainers.engine.source import Source
from trainers.engine.strategy import prepare

# Flags that do not change the measurements.
SHOWN_ONLY = ("output_dir", "strips", "resamples")


@dataclasses.dataclass(frozen=True)
class Options:
    """Comparison."""

    mask_weights: str | None = flag(
        None,
        "Weights of mask generators, separated by commas: .keras or .weights.h5 files, or "
        "published checkpoints.",
    )
    mask_nets: tuple = shared.mask_nets()
    mask_names: tuple = shared.mask_names()
    saved_masks: str | None = flag(
        None,
        "masks.npz of optimize_mask for the compared frames; several are separated by commas.",
    )
    output_dir: str | None = shared.output_dir()
    max_images: int = flag(
        64,
        "Images to compare on at most, evenly spread over the set.",
        flag_types.whole_number,
    )
    threshold: float = shared.threshold()
    steps: int = flag(
        Search.steps,
        "Steps of Adam on each optimised mask, at most.",
        flag_types.positive_integer,
    )
    resamples: int = flag(
        1000, "Bootstrap samples of the images, for confidence.", flag_types.positive_integer
    )
    strips: int = shared.strips(4)
    strip_share: float = flag(
        0.36, "Share of the pixels that the strips show of each method.", flag_types.share
    )
    seed: int = flag(0, "Fixes random pixels, searches and bootstrap samples.", flag_types.seed)
    input_size: tuple | None = shared.input_size()
    batch_size: int = shared.batch_size()
    data: Data = Data()
    target: Target = Target()


def run(options):
    """Compares on the validation split; returns the result of `summary.summarise`."""
    check_output(options.output_dir, "tables, pictures and the report")
    if options.max_images < 1:
        raise InputError(
            f"--max_images={options.max_images}: needs at least one image to compare on"
        )
    prepare("float32", options.seed)
    target = options.target.build(options.input_size).folded()
    source = Source(options.data)
    # optimize_mask holds no image of a folder out, so its masks.npz counts all of them.
    whole = options.data.dataset == "folder" and options.saved_masks
    frames, places = pipeline.evenly(
        source.load(None if whole else "validation"), options.max_images
    )
    functions = mask_functions(options, target.net.input_shape[1:], places)
    scores = controls.control_scores(target.net)
    scores["optimised"] = functools.partial(controls.optimised, _optimizer(target, options))
    sizes = {"input_size": target.input_size, "depth_size": target.input_size}
    with source.named_files():
        measured = _measured(target, frames, places, functions, scores, sizes, options)
        firsts = pipeline.evenly(frames, options.strips)[1]
        shown = pipeline.spread(frames, options.strips, **sizes)["image"]
    result = summary.summarise(measured, resamples=options.resamples, seed=options.seed)
    folder = Path(options.output_dir)
    comparison_files.write_per_image(measured, folder / "per_image.csv")
    comparison_files.write_summary(result, folder)
    strips = draw_strips(target, shown, firsts, functions | scores, options.strip_share)
    captions = [f"validation frame {places[first]}" for first in firsts]
    _write_report(folder, result, list(zip(captions, strips, strict=True)), len(places), options)
    print("\n".join(comparison_report.verdict(result)))
    print(f"wrote {folder / 'report.html'}", flush=True)
    return result


def _optimizer(target, options):
    """Optimiser of smooth masks: in as many steps they come closer to N(I) than a logit a pixel."""
    search = Search(steps=options.steps, restarts=1, logit_stride=4, seed=options.seed)
    return MaskOptimizer(target, Objective(share=options.strip_share), search)


def _measured(target, frames, places, functions, scores, sizes, options):
    """Measurements of all images; batches that are stored already are read."""
    store = BatchStore(options.output_dir, _deciding(options), "measurements")
    batches = pipeline.evaluation_batches(frames, **sizes, batch_size=options.batch_size)
    views = comparison.forward_passes(len(functions), len(scores))
    gradients = controls.gradient_passes() + options.steps
    print(
        f"{len(places)} images: N runs {views * len(places):,} times, and takes "
        f"{gradients * len(places):,} gradients",
        flush=True,
    )
    bar = tqdm(desc="comparing", total=views * len(places), unit="image", file=sys.stderr)

    def stored(number, measure):
        return store(number, measure, lambda arrays: bar.update(views * len(arrays["image/"])))

    with bar:
        return comparison.compare(
            target,
            batches,
            mask_functions=functions,
            scores=scores,
            images=places,
            threshold=options.threshold,
            progress=bar.update,
            store=stored,
        )


def _deciding(options):
    """Options that decide the measurements; of files of masks, their contents."""
    deciding = {name: v for name, v in flat(options).items() if name not in SHOWN_ONLY}
    for name in ("mask_weights", "saved_masks"):
        deciding[name] = [sha256(file) for file in trained_masks.listed(deciding[name])]
    return deciding


def _write_report(folder, result, strips, images, options):
    """Pictures and the report."""
    pictures = comparison_figures.pictures(result)
    numbered = {f"strip_{number}": picture for number, (_, picture) in enumerate(strips)}
    for name, picture in (pictures | numbered).items():
        save_png(folder / f"{name}.png", picture)
    comparison_report.write_report(
        folder / "report.html",
        title=f"Masks and controls for {options.target.depth_net} on {options.data.dataset}",
        summary=result,
        pictures=pictures,
        strips=strips,
        command=command_line("compare_masks"),
        notes=[f"{images} images, evenly spread over the validation split."],
    )


if __name__ == "__main__":
    main(run, Options)
