"""Explains N's depth at places of a photograph: which pixels does it stand on?

    python -m trainers.explain_region photo.jpg --point=120,80 --keep=0.05,0.2
    python -m trainers.explain_region photo.jpg --box=40,60,90,140 --depth_range=4,5.5

For each place a search finds pixels from which alone N gives the same depth there, and without
which it does not. It takes any N, needs no mask generator, and starts twice, since other pixels
might have done as well.

Writes index.html with an answer in words for each place; strip_1.png, strip_2.png, ... (the pixels
of each share of --keep, N's depth from them, and N's depth from all others), controls_1.png, ...
(as many edges nearest to the place, nearest pixels, random areas and random pixels), results.csv,
results.json and masks.npz (masks, scores and depth maps) into --output_dir.
"""

import dataclasses
from pathlib import Path

import numpy as np
import tensorflow as tf

from tfdepthviz.data import image_files
from tfdepthviz.data.transforms import normalise
from tfdepthviz.reports import region_report
from tfdepthviz.reports.rendering import save_png
from tfdepthviz.training import explain_regions
from tfdepthviz.training.region_explanation import COLUMNS
from tfdepthviz.training.region_search import region_search
from tfdepthviz.utils.arrays import write_arrays
from tfdepthviz.utils.errors import InputError
from tfdepthviz.utils.tables import write_csv, write_json
from trainers.cli import flag_types, region_networks, shared
from trainers.cli.ending import conclude
from trainers.cli.explained_net import completed
from trainers.cli.flags import arguments, command_line, flag, main
from trainers.cli.places import Places, named_places, region_of, window_of
from trainers.cli.program import command
from trainers.cli.target import Target
from trainers.engine.output_folder import check_results, mark_output
from trainers.engine.progress import bar
from trainers.engine.strategy import prepare


@dataclasses.dataclass(frozen=True)
class Options:
    """Search and pictures."""

    image: tuple = arguments("The photograph.")
    places: Places = Places()
    radius: float | None = flag(
        None,
        "Radius of a point, pixels of the photograph. Default: a fortieth of its longer side.",
        flag_types.rate,
    )
    keep: tuple = flag(
        (0.05, 0.2),
        "Shares of the pixels from which N shall give the same depth.",
        flag_types.numbers(0.001, 0.99, example="0.05,0.2"),
    )
    steps: int = flag(24, "Steps of a search, at most.", flag_types.positive_integer)
    restarts: int = flag(2, "Searches of each place.", flag_types.positive_integer)
    logit_stride: int | None = flag(
        None,
        "Image pixels between the numbers that are searched; more pixels: smoother masks. "
        "Default: a 28th of the image's shorter side, 8 for 228x304.",
        flag_types.positive_integer,
    )
    region_net: str | None = region_networks.region_net()
    seed: int = flag(0, "Fixes the starts of the searches.", flag_types.seed)
    output_dir: str = shared.output_dir("explained_regions")
    input_size: tuple | None = shared.input_size()
    target: Target = Target(depth_net=None)


def run(options):
    """Explains places of one photograph, and returns the rows of results.csv."""
    options = completed(options, [options.region_net])
    if len(options.image) != 1:
        raise InputError(
            f"needs one photograph, such as photo.jpg. Received: {len(options.image)} names"
        )
    (path,) = options.image
    named = named_places(options.places)
    check_results(options.output_dir, "answers")
    photograph = image_files.read(path)
    prepare("float32", options.seed)
    target = options.target.build(options.input_size).folded()
    window = window_of(photograph.shape[:2], target.input_size)
    seen = _cut(photograph, window)
    image = _as_input(seen, target.input_size)
    depth = np.asarray(target.net(image[tf.newaxis], training=False))[0, ..., 0]
    weights = {}
    for name, (kind, numbers) in named.items():
        try:
            weights[name] = region_of(
                kind, numbers, photograph.shape[:2], window, depth, options.radius
            )
        except InputError as error:
            raise InputError(f"{name}: {error}") from error
    answers = _answers(target, image, weights, options)
    return _write(options, path, seen, answers, target.depth_kind)


def _cut(photograph, window):
    top, left, height, width = window
    return photograph[top : top + height, left : left + width]


def _as_input(seen, size):
    """(h, w, 3) uint8 -> (H, W, 3) normalised, as exported models prepare their images."""
    resized = tf.image.resize(seen, size, "bilinear", antialias=True)
    return normalise(tf.ensure_shape(resized, (*size, 3)) / 255.0)


def _answers(target, image, weights, options):
    """Name of the place -> RegionExplanation."""
    settings = {"steps": options.steps, "restarts": options.restarts, "seed": options.seed}
    if options.logit_stride:
        settings["logit_stride"] = options.logit_stride
    search = region_search(target.input_size, **settings)
    net = region_networks.opened(options.region_net, target.input_size)
    total = len(weights) * search.restarts * search.steps
    with bar(total=total, desc="searching", unit="step", disable=net is not None) as steps:
        answers = explain_regions(
            target,
            image[tf.newaxis],
            list(weights.values()),
            options.keep,
            search=search,
            seed=options.seed,
            step=steps.update,
            region_net=net,
        )
    return dict(zip(weights, answers, strict=True))


def _write(options, path, seen, answers, depth_kind):
    """Writes all files; returns the rows of results.csv."""
    folder = Path(options.output_dir)
    mark_output(folder)
    # Pictures of an earlier command with more places would seem to belong to this page.
    for old in (*folder.glob("strip_*.png"), *folder.glob("controls_*.png")):
        old.unlink()
    rows, parts, arrays = [], [], {}
    for number, (name, answer) in enumerate(answers.items(), 1):
        files = f"strip_{number}.png", f"controls_{number}.png"
        save_png(folder / files[0], region_report.draw_answer(seen, answer, depth_kind))
        save_png(folder / files[1], region_report.draw_controls(seen, answer, depth_kind))
        parts.append((name, answer, files))
        rows += [{"place": name, **row} for row in answer.rows]
        arrays |= {
            f"region_{number}": answer.region,
            f"scores_{number}": answer.scores,
            f"depth_{number}": answer.depth,
            f"masks_{number}": answer.masks[answer.mask_name],
            f"kept_depth_{number}": answer.kept_depth[answer.mask_name],
            f"deleted_depth_{number}": answer.deleted_depth[answer.mask_name],
        }
    summary = [
        {"place": name, "unit": a.unit, "blank_rmse": a.blank_rmse, "steps": a.steps}
        for name, a in answers.items()
    ]
    write_csv(folder / "results.csv", ("place", *COLUMNS), rows)
    write_json(folder / "results.json", {"image": str(path), "places": summary, "rows": rows})
    write_arrays(folder / "masks.npz", arrays)
    title = f"Why this depth here? {Path(path).name}"
    region_report.write_page(folder / "index.html", title, parts, command_line("explain_region"))
    words = "\n".join(
        f"{name}: {' '.join(region_report.in_words(answer))}" for name, answer in answers.items()
    )
    conclude(words, pictures=folder / "index.html", commands=_next(options, path))
    return rows


def _next(options, path):
    """(purpose, command line) of what to do after looking at the page."""
    commands = []
    if not options.region_net:
        more = f"--steps={4 * options.steps} --restarts={max(4, options.restarts)}"
        longer = f"{command_line('explain_region')} {more}"
        commands.append(("search longer and from more starts", longer))
    if options.target == Target():
        whole = command("explain", path)
        commands.append(("see the pixels that N needs for the whole photograph", whole))
    return commands


if __name__ == "__main__":
    main(run, Options, continues=False)
