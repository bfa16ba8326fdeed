"""Compares masks with controls at equal numbers of pixels (Figure 5, and more).

    python -m trainers.compare_masks --dataset=nyu --data_dir=/data/nyu --depth_weights=nyu \\
        --mask_weights=runs/a/mask_net.keras,runs/b/mask_net.keras --mask_names=A,B \\
        --max_images=64 --output_dir=runs/compared

Controls are random pixels, edges, the centre, three gradients of N, and masks searched for each
image by equation (3) in --steps steps; without masks they are compared alone. --saved_masks adds
the masks that optimize_mask found for the same frames (its masks.npz; --frames there as
--max_images here).

Writes per_image.csv (every figure of every image), curves.csv, summary.json, figures and strips as
PNG, and report.html, into --output_dir. The same command continues where it was interrupted.
--help lists the flags.
"""

import functools
import shlex
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from tfdepthviz import masks
from tfdepthviz.data import pipeline
from tfdepthviz.evaluation import comparison, comparison_files, controls, summary
from tfdepthviz.models import build_mask_net
from tfdepthviz.reports import comparison_figures, comparison_report
from tfdepthviz.reports.rendering import save_png
from tfdepthviz.reports.strips import frame_maps
from tfdepthviz.training import MaskOptimizer, Objective, Search
from tfdepthviz.utils import arrays
from tfdepthviz.utils.constants import THRESHOLD
from tfdepthviz.utils.errors import InputError
from tfdepthviz.utils.files import sha256
from trainers.cli import data as datasets
from trainers.cli import flags, mask_files
from trainers.cli import target as targets
from trainers.engine.batch_store import BatchStore
from trainers.engine.output_folder import check_output
from trainers.engine.strategy import prepare

# Flags that do not change what is measured.
SHOWN_ONLY = ("output_dir", "strips", "resamples")


def run(
    *,
    data=datasets.Data(),
    input_size=None,
    batch_size=8,
    max_images=64,
    target=targets.Target(),
    mask_nets=("compact",),
    mask_weights=None,
    saved_masks=None,
    mask_names=(),
    threshold=THRESHOLD,
    strips=4,
    strip_share=0.36,
    steps=60,
    resamples=1000,
    seed=0,
    output_dir=None,
):
    """Compares on the validation split; returns what `summary.summarise` gives."""
    options = flags.flat(locals())
    check_output(output_dir, "tables, pictures and the report")
    if max_images < 1:
        raise InputError(f"--max_images={max_images}: needs at least one image to compare on")
    prepare("float32", seed)
    explained = target.build(input_size).folded()
    n, size = explained.net, explained.input_size
    source = datasets.Source(data)
    # optimize_mask, to which no image is known, counts all of a folder's.
    split = None if data.dataset == "folder" and saved_masks else "validation"
    frames, places = pipeline.evenly(source.load(split), max_images)
    functions = _masks(mask_nets, mask_weights, saved_masks, mask_names, n.input_shape[1:], places)
    scores = controls.control_scores(n)
    scores["optimised"] = functools.partial(
        controls.optimised, _optimizer(explained, strip_share, steps, seed)
    )
    kept = BatchStore(output_dir, _deciding(options), "measurements")
    batches = pipeline.evaluation_batches(
        frames, input_size=size, depth_size=size, batch_size=batch_size
    )
    views = comparison.forward_passes(len(functions), len(scores))
    print(
        f"{len(places)} images: N runs {views * len(places):,} times, and takes "
        f"{(controls.gradient_passes() + steps) * len(places):,} gradients",
        flush=True,
    )
    bar = tqdm(desc="comparing", total=views * len(places), unit="image", file=sys.stderr)
    with source.named_files(), bar:
        measured = comparison.compare(
            explained,
            batches,
            mask_functions=functions,
            scores=scores,
            images=places,
            threshold=threshold,
            progress=bar.update,
            store=lambda number, measure: kept(
                number, measure, lambda arrays: bar.update(views * len(arrays["image/"]))
            ),
        )
        firsts = pipeline.evenly(frames, strips)[1]
        shown = pipeline.spread(frames, strips, input_size=size, depth_size=size)["image"]
    result = summary.summarise(measured, resamples=resamples, seed=seed)
    folder = Path(output_dir)
    comparison_files.write_per_image(measured, folder / "per_image.csv")
    comparison_files.write_summary(result, folder)
    pictures = draw_strips(explained, shown, firsts, functions | scores, strip_share)
    captions = [f"validation frame {places[first]}" for first in firsts]
    drawn = comparison_figures.pictures(result)
    for name, picture in (drawn | {f"strip_{i}": p for i, p in enumerate(pictures)}).items():
        save_png(folder / f"{name}.png", picture)
    comparison_report.write_report(
        folder / "report.html",
        title=f"Masks and controls for {target.depth_net} on {data.dataset}",
        summary=result,
        pictures=drawn,
        strips=list(zip(captions, pictures, strict=True)),
        command=shlex.join(["python", "-m", "trainers.compare_masks", *sys.argv[1:]]),
        notes=[f"{len(places)} images, evenly spread over the validation split."],
    )
    print("\n".join(comparison_report.verdict(result)))
    print(f"wrote {folder / 'report.html'}", flush=True)
    return result


def _deciding(options):
    """What decides about the measurements; of files of masks, what they hold."""
    about = {name: value for name, value in options.items() if name not in SHOWN_ONLY}
    for flag in ("mask_weights", "saved_masks"):
        about[flag] = [sha256(file) for file in mask_files.listed(options[flag])]
    return about


def draw_strips(target, image, firsts, scores, share):
    """A picture for each frame: the top share by each of `scores`, and N's depth from it."""
    predict = _compiled(target.net)
    pictures = []
    for place, first in enumerate(firsts):
        one = image[place : place + 1]
        y_full = predict(one)
        kept, depths = {}, {}
        for method, score in scores.items():
            method, _, draw = method.partition("/")
            if draw not in ("", "0"):
                continue
            mask = masks.top_share_mask(np.asarray(score(one, first)), share)
            maps = frame_maps(target, one, mask, y_full=y_full, predict=predict)
            rgb, kept[method], depths[""], depths[method] = (batch[0] for batch in maps)
        pictures.append(comparison_figures.kept_pixels(rgb, kept, depths, share, target.unit))
    return pictures


def _optimizer(target, share, steps, seed):
    """Of smooth masks: in as many steps they come closer to N(I) than with a logit a pixel."""
    search = Search(steps=steps, restarts=1, logit_stride=4, seed=seed)
    return MaskOptimizer(target, Objective(share=share), search)


def _masks(nets, weights, saved, names, input_shape, places):
    """Name -> function of (image, first), as `comparison.compare` takes it."""
    files, archives = mask_files.listed(weights), mask_files.listed(saved)
    names = names or [mask_files.name_of(file) for file in files + archives]
    nets = nets * len(files) if len(nets) == 1 else nets
    for flag, values, count in (
        ("mask_nets", nets, len(files)),
        ("mask_names", names, len(files + archives)),
    ):
        if len(values) != count:
            raise InputError(f"--{flag}: expected {count}, one a mask. Received: {len(values)}")
    taken = {"image", *comparison_figures.NAMES}
    if len(set(names)) < len(names) or taken & set(names) or any("/" in n for n in names):
        raise InputError(
            f"--mask_names: expected a name of its own for each mask, none of a control and "
            f"without a slash. Received: {', '.join(names)}"
        )
    generators = [
        build_mask_net(net, input_shape, weights=file)
        for net, file in zip(nets, files, strict=True)
    ]
    functions = [_compiled(g) for g in generators]
    functions += [_saved(file, input_shape[:2], places) for file in archives]
    return dict(zip(names, functions, strict=True))


def _compiled(net):
    """Function of an image batch, and of the place of its first image, which a network ignores."""
    predict = tf.function(lambda image: net(image, training=False), reduce_retracing=True)
    return lambda image, first=0: predict(image)


def _saved(path, size, places):
    """Function of (image, first) -> the masks of an archive with `frame` and `mask`."""
    try:
        archive = arrays.read_arrays(path, ["frame", "mask"])
        frame, mask = archive["frame"], archive["mask"]
    except arrays.UNREADABLE as error:
        raise InputError(
            f"--saved_masks: expected an .npz file with the arrays frame and mask. "
            f"Received: {path} ({error})"
        ) from error
    missing = [place for place in places if place not in frame]
    if missing or mask.shape[1:] != (*size, 1):
        raise InputError(
            f"--saved_masks: expected masks of {size[0]}x{size[1]} for frames "
            f"{places[0]}, ..., {places[-1]}. Received: {path}, masks {mask.shape}, without frame "
            f"{missing[0] if missing else 'of this size'}"
        )
    rows = [int(np.flatnonzero(frame == place)[0]) for place in places]
    return lambda image, first: mask[rows[first : first + len(image)]].astype("float32")


if __name__ == "__main__":
    flags.main(run)
