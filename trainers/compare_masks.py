"""Compares masks with controls at equal numbers of pixels (Figure 5, and more).

    python -m trainers.compare_masks --dataset=nyu --data_dir=/data/nyu \\
        --mask_weights=runs/a/mask_net.keras,runs/b/mask_net.keras --mask_names=A,B \\
        --max_images=64 --output_dir=runs/compared

Controls are random pixels and blocks, edges, blurred edges, the centre, G before training, N's mean
map, three gradients of N, and masks searched for each image by equation (3) in --steps steps;
without masks they are compared alone. --saved_masks adds the masks that optimize_mask searched for
the same frames (its masks.npz; --frames there as --max_images here). --maps adds maps that other
programs wrote, as further controls; without masks, they are what is compared with the controls.

The controls that take neither gradients nor searches, at six shares: N runs 65 times an image.

    python -m trainers.compare_masks --dataset=nyu --data_dir=/data/nyu \\
        --mask_weights=runs/a/mask_net.keras --max_images=654 --shares=0.05,0.1,0.2,0.36,0.5,0.6 \\
        --controls=sobel,blurred_edges,random,random_blocks,untrained,mean_map --views=insert \\
        --output_dir=runs/compared

Writes per_image.csv (every figure of every image), curves.csv, differences.csv (each mask against
each control, with intervals), summary.json, figures and strips as PNG, and report.html, into
--output_dir. The same command continues where it was interrupted.
"""

import dataclasses
import functools
from pathlib import Path

from tfdepthviz.data import pipeline
from tfdepthviz.evaluation import comparison, comparison_files, controls, summary
from tfdepthviz.evaluation.measurement import CURVES, top_shares
from tfdepthviz.evaluation.ranking import ranking
from tfdepthviz.reports import comparison_figures, comparison_report, comparison_verdict
from tfdepthviz.reports.comparison_strips import draw_strips
from tfdepthviz.reports.rendering import save_png
from tfdepthviz.training import MaskOptimizer, Objective, Search
from tfdepthviz.utils.errors import InputError
from tfdepthviz.utils.files import sha256
from trainers.cli import flag_types, shared, trained_masks
from trainers.cli.data import Data
from trainers.cli.ending import conclude, same_networks
from trainers.cli.explained_net import completed, mask_net_of
from trainers.cli.flags import command_line, flag, main
from trainers.cli.mask_functions import MaskFunctions, mask_functions
from trainers.cli.program import command
from trainers.cli.score_maps import files_of, map_functions
from trainers.cli.target import Target
from trainers.cli.untrained import untrained_nets
from trainers.engine.batch_store import BatchStore
from trainers.engine.options import changed, flat
from trainers.engine.output_folder import check_results
from trainers.engine.progress import bar
from trainers.engine.source import Source
from trainers.engine.strategy import prepare
from trainers.engine.training_frames import mean_map_of

# Least and greatest of --shares.
SHARES = (0.001, 0.999)
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
    maps: str | None = flag(
        None,
        "Folders of maps by other programs, separated by commas: NUMBER.npy for each compared "
        "frame, HxW numbers at the size that N sees, high = kept first.",
    )
    output_dir: str | None = shared.output_dir()
    max_images: int = flag(
        64,
        "Images to compare on at most, evenly spread over the set.",
        flag_types.whole_number,
    )
    shares: tuple = flag(
        comparison.SHARES,
        "Shares of the pixels to compare at.",
        flag_types.numbers(*SHARES, "0.05,0.1,0.36"),
    )
    controls: tuple | None = flag(
        None,
        f"Controls to compare with: some of {','.join(controls.CONTROLS)}. Default: all.",
        flag_types.some_of(controls.CONTROLS),
    )
    views: tuple = flag(
        CURVES,
        "insert shows N the top pixels, delete removes them: insert, or insert,delete.",
        flag_types.some_of(CURVES),
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
    split: str | None = shared.split()
    strip_share: float = flag(
        0.36, "Share of the pixels that the strips show of each method.", flag_types.share
    )
    seed: int = flag(0, "Fixes random pixels, searches and bootstrap samples.", flag_types.seed)
    input_size: tuple | None = shared.input_size()
    batch_size: int = shared.batch_size()
    data: Data = Data()
    target: Target = Target(depth_net=None)


def run(options):
    """Compares on the validation split; returns the result of `summary.summarise`."""
    files = trained_masks.listed(options.mask_weights)
    options = dataclasses.replace(
        completed(options, files),
        controls=options.controls or controls.CONTROLS,
        mask_nets=options.mask_nets or tuple(map(mask_net_of, files)),
    )
    check_results(options.output_dir, "tables, pictures and the report")
    if options.max_images < 1:
        raise InputError(
            f"--max_images={options.max_images}: needs at least one image to compare on"
        )
    if options.target.removal == "linear" and controls.FITTED in options.controls:
        raise InputError(
            f"--removal=linear: the control {controls.FITTED} needs gradients, which it has not; "
            "name the others in --controls"
        )
    if "insert" not in options.views:
        raise InputError(f"--views={','.join(options.views)}: needs insert, for the verdict")
    prepare("float32", options.seed)
    unfolded = options.target.build(options.input_size)
    target = unfolded.folded()
    source = Source(options.data)
    # optimize_mask holds no image of a folder out, so its masks.npz counts all of them.
    usual = options.data.usual_split if options.saved_masks else "validation"
    split = options.split or usual
    frames, places = pipeline.evenly(source.load(split), options.max_images)
    functions = mask_functions(options, target.net.input_shape[1:], places)
    maps = map_functions(options.maps, target.input_size, places, functions.masks)
    scores = _scores(target, unfolded, functions.trained, options)
    if functions.masks:
        scores |= maps
    else:
        functions = _as_masks(maps, options.strip_share)
    predictions, notes = _predictions(source, target, options)
    sizes = {"input_size": target.input_size, "depth_size": target.input_size}
    with source.named_files():
        measured = _measured(target, frames, places, functions, scores, predictions, options)
        firsts = pipeline.evenly(frames, options.strips)[1]
        shown = pipeline.spread(frames, options.strips, **sizes)["image"]
    result = summary.summarise(measured, resamples=options.resamples, seed=options.seed)
    folder = Path(options.output_dir)
    comparison_files.write_per_image(measured, folder / "per_image.csv")
    comparison_files.write_summary(result, folder)
    ranked = functions.masks | functions.rankings | scores
    # The mean map alone has no pixels to draw.
    strips = draw_strips(target, shown, firsts, ranked, options.strip_share) if ranked else []
    captions = [f"frame {places[first]} of {split}" for first in firsts]
    frames_of = "all frames" if split == "all" else "the validation split"
    notes = [f"{len(places)} images, evenly spread over {frames_of}.", *source.sentences, *notes]
    _write_report(folder, result, list(zip(captions, strips, strict=False)), notes, options)
    text = "\n".join([*comparison_verdict.verdict(result), *notes])
    conclude(text, pictures=folder / "report.html", commands=_next(options))
    return result


def _as_masks(maps, share):
    """Maps of other programs as MaskFunctions: their masks keep a share of the pixels."""
    masks = {
        name: lambda image, first, scores=scores: top_shares(scores(image, first))(share)
        for name, scores in maps.items()
    }
    return MaskFunctions(masks, maps, {})


def _next(options):
    """(purpose, command line) of what to do after a comparison."""
    files = trained_masks.listed(options.mask_weights)
    if not files:
        training = command("train_mask", *same_networks(options), "--workdir=runs/mask")
        return [("train a G to compare", training)]
    weights = f"--mask_weights={files[0]}"
    explained = command("explain", "photos", weights, *changed(options.target))
    return [("see the pixels of each share of your photographs", explained)]


def _scores(target, unfolded, trained, options):
    """Functions of the controls that --controls names, in the order of tables."""
    scored = [name for name in controls.SCORED if name in options.controls]
    scores = controls.control_scores(target.net, scored)
    if "untrained" in options.controls:
        nets = untrained_nets(trained, options.target, unfolded)
        scores |= {name: ranking(net) for name, net in nets.items()}
    if controls.FITTED in options.controls:
        search = functools.partial(controls.optimised, _optimizer(target, options))
        scores[controls.FITTED] = search
    return scores


def _predictions(source, target, options):
    """Predictions that need no pixels, by name, and sentences about them."""
    if "mean_map" not in options.controls:
        return {}, []
    mean_map, sentence = mean_map_of(source, target, options.batch_size)
    return ({} if mean_map is None else {"mean_map": mean_map}), [sentence]


def _optimizer(target, options):
    """Optimiser of smooth masks: in as many steps they come closer to N(I) than a logit a pixel."""
    search = Search(steps=options.steps, restarts=1, logit_stride=4, seed=options.seed)
    return MaskOptimizer(target, Objective(share=options.strip_share), search)


def _measured(target, frames, places, functions, scores, predictions, options):
    """Measurements of all images; batches that are stored already are read."""
    shares = tuple(sorted(set(options.shares)))
    views = [view for view in CURVES if view in options.views]
    deciding = _deciding(options) | {"controls": [*scores, *predictions]}
    folders = trained_masks.listed(options.maps)
    deciding["maps"] = [sha256(file) for folder in folders for file in files_of(folder, places)]
    store = BatchStore(options.output_dir, deciding, "measurements")
    sizes = {"input_size": target.input_size, "depth_size": target.input_size}
    batches = pipeline.evaluation_batches(frames, **sizes, batch_size=options.batch_size)
    passes = comparison.forward_passes(len(functions.masks), len(scores), shares, views)
    gradients = controls.gradient_passes(options.controls)
    gradients += options.steps * (controls.FITTED in options.controls)
    print(
        f"{len(places)} images: N runs {passes * len(places):,} times, and takes "
        f"{gradients * len(places):,} gradients",
        flush=True,
    )
    compared = bar(desc="comparing", total=passes * len(places), unit="image")

    def stored(number, measure):
        return store(
            number, measure, lambda arrays: compared.update(passes * len(arrays["image/"]))
        )

    with compared:
        return comparison.compare(
            target,
            batches,
            mask_functions=functions.masks,
            rankings=functions.rankings,
            scores=scores,
            predictions=predictions,
            shares=shares,
            views=views,
            images=places,
            threshold=options.threshold,
            progress=compared.update,
            store=stored,
        )


def _deciding(options):
    """Options that decide the measurements; of files of masks, their contents."""
    deciding = {name: v for name, v in flat(options).items() if name not in SHOWN_ONLY}
    for name in ("mask_weights", "saved_masks"):
        files = trained_masks.listed(deciding[name])
        deciding[name] = [file if file == "default" else sha256(file) for file in files]
    return deciding


def _write_report(folder, result, strips, notes, options):
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
        notes=notes,
    )


if __name__ == "__main__":
    main(run, Options)
