"""Draws which pixels N looks at in a video, frame by frame, as a film.

    python -m trainers.explain_video clip.mp4 --keep=0.2

takes a video file, or a folder of frames in the order of their names. N and G are those that come
with the package, unless flags name others, as for trainers.explain. OUTPUT_DIR gets film.mp4 (each
frame, the pixels of the share --keep, and N's depth from all and from these), index.html,
curves.png, frames.csv, summary.json, and maps/NUMBER.npz with the binary mask and both depth maps
of each frame.

The same command continues where it was stopped.
"""

import dataclasses
import itertools
import math
import statistics
from pathlib import Path

import numpy as np

from tfdepthviz import metrics
from tfdepthviz.data import video
from tfdepthviz.evaluation.audit.subject import above_chance, overlap
from tfdepthviz.metrics import alignment
from tfdepthviz.reports import clip_video, colours, strips
from tfdepthviz.reports.explanation import in_window
from tfdepthviz.reports.rendering import png, save_png
from tfdepthviz.serving.client import Cut, ServingError
from tfdepthviz.utils.arrays import evenly, read_arrays, write_arrays
from tfdepthviz.utils.errors import InputError
from tfdepthviz.utils.tables import without_nan, write_csv, write_json
from trainers.cli import flag_types, shared
from trainers.cli.ending import conclude
from trainers.cli.explained_model import Exported, Masks, opened
from trainers.cli.flags import arguments, command_line, flag, main
from trainers.cli.program import command
from trainers.cli.target import Target
from trainers.engine.output_folder import check_results, keep_options
from trainers.engine.progress import bar

COLUMNS = (
    *("frame", "seconds", "sparseness", "fidelity_rmse"),
    # From the frame before to this one; empty in the first.
    *("mask_overlap", "depth_change", "masked_depth_change"),
)
# Frames whose depth decides the colours of all, and those that the page shows as pictures.
COLOURED_BY, SHOWN = 50, 3


@dataclasses.dataclass(frozen=True)
class Options:
    """Clip and film."""

    clip: tuple = arguments("The video file, or the folder of frames.")
    keep: float = flag(
        0.2,
        "Share of the pixels to show N, by the highest scores of G.",
        flag_types.share,
    )
    every: int = flag(1, "Take every so many-th frame.", flag_types.positive_integer)
    max_frames: int | None = flag(
        None, "Take no more frames than this. Default: all.", flag_types.positive_integer
    )
    output_dir: str = shared.output_dir("explained_video")
    masks: Masks = Masks()
    target: Target = Target(depth_net=None)
    exported: Exported = Exported()


def run(options):
    """Explains a clip, and returns the rows of frames.csv."""
    if len(options.clip) != 1:
        raise InputError(
            "needs one video file or folder of frames, such as clip.mp4. Received: "
            f"{len(options.clip)} names"
        )
    (path,) = options.clip
    clip = video.every(video.open_clip(path), options.every)
    video.load_av()  # the film needs it, even where the frames do not
    folder = Path(options.output_dir)
    check_results(options.output_dir, "a film")
    try:
        model, name = opened(options.masks, options.target, options.exported)
        with model:
            deciding = {
                "clip": clip.name,
                "content": clip.identity,
                "model": name,
                "keep": options.keep,
                "every": options.every,
            }
            keep_options(folder / "video.json", deciding, "a film")
            card = model.card()
            count = _explain_all(model, clip, folder / "maps", options)
    except ServingError as error:
        raise InputError(str(error)) from error
    about = {"depth_kind": card.get("depth_kind", "metric"), "removal": card.get("removal", "mean")}
    return _write(clip, name, count, folder, options, **about)


def _frames(clip, options):
    return itertools.islice(clip.frames(), options.max_frames)


def _explain_all(model, clip, maps, options):
    """Writes the maps of each frame that has none yet; returns the number of frames."""
    maps.mkdir(exist_ok=True)
    total = min(clip.count or math.inf, options.max_frames or math.inf)
    frames = bar(
        _frames(clip, options),
        total=None if math.isinf(total) else total,
        desc="explaining",
        unit="frame",
    )
    number = -1
    for number, rgb in enumerate(frames):
        path = _maps_of(maps, number)
        if not path.exists():
            write_arrays(path, _maps(model, rgb, options.keep))
    if number < 0:
        raise InputError(f"{clip.name}: holds no frames")
    return number + 1


def _maps(model, rgb, share):
    contents = png(rgb)
    cut = model.keep(contents, share)
    return {
        **dataclasses.asdict(cut),
        "binary_mask": cut.binary_mask.astype(bool),
        "depth": model.explain(contents).depth,
    }


def _read(maps, number):
    """N(I), and the Cut of one frame."""
    held = read_arrays(_maps_of(maps, number))
    depth, mask = held.pop("depth"), held.pop("binary_mask").astype("float32")
    numbers = {key: float(held.pop(key)) for key in ("sparseness", "fidelity_rmse", "covered")}
    return depth, Cut(binary_mask=mask, binary_depth=held["binary_depth"], **numbers)


def _maps_of(maps, number):
    return maps / f"{number:06d}.npz"


def _rows(clip, maps, count, depth_kind):
    """The row of each frame."""
    rows, before = [], None
    for number in range(count):
        depth, cut = _read(maps, number)
        now = {"depth": depth, "masked_depth": cut.binary_depth}
        row = {
            "frame": number,
            "seconds": float(number / clip.rate),
            "sparseness": cut.sparseness,
            "fidelity_rmse": cut.fidelity_rmse,
            **dict.fromkeys(COLUMNS[4:], math.nan),
        }
        if before:
            iou = overlap(before["mask"][None], cut.binary_mask[None])[0]
            row["mask_overlap"] = float(above_chance(iou, cut.sparseness))
            for key, y in now.items():
                row[f"{key}_change"] = _distance(depth_kind, before[key], y)
        rows.append(row)
        before = {"mask": cut.binary_mask, **now}
    return rows


def _distance(depth_kind, one, other):
    """Root mean squared difference of two maps, aligned where N's output has no unit."""
    pair = alignment.comparable(depth_kind, *(y[None, ..., None] for y in (one, other)))
    return float(np.sqrt(metrics.fidelity_mse(*pair)[0]))


def _write(clip, name, count, folder, options, *, depth_kind, removal):
    """Writes tables, curves, film and page from the maps; returns the rows."""
    maps, unit = folder / "maps", alignment.unit(depth_kind)
    rows = _rows(clip, maps, count, depth_kind)
    summary = _summary(rows, clip, name, options, unit)
    write_csv(folder / "frames.csv", COLUMNS, map(without_nan, rows))
    write_json(folder / "summary.json", summary)
    curves = clip_video.draw_curves(rows, unit)
    save_png(folder / "curves.png", curves)
    shown = dict.fromkeys(evenly(count, SHOWN))

    def pictures():
        about = {"depth_kind": depth_kind, "removal": removal, "share": options.keep}
        about["scale"] = _scale(maps, count, depth_kind)
        frames = bar(_frames(clip, options), total=count, desc="drawing", unit="frame")
        for number, rgb in enumerate(frames):
            depth, cut = _read(maps, number)
            picture = clip_video.draw_frame(in_window(rgb, cut), depth, cut, **about)
            if number in shown:
                shown[number] = picture
            yield picture

    clip_video.write_video(folder / "film.mp4", pictures(), clip.rate)
    verdict = _in_words(summary, unit)
    clip_video.write_page(
        folder / "index.html",
        f"Which pixels does N look at in {clip.name}?",
        [verdict, f"Model: {name}."],
        "film.mp4",
        [("Over time", curves), *((f"Frame {n}", picture) for n, picture in shown.items())],
        rows,
        [("This page", command_line("explain_video"))],
    )
    own = command("train_mask", "--dataset=folder", "--data_dir=photos", "--workdir=runs/photos")
    commands = [("train a G of your own, for --mask_weights", own)]
    conclude(verdict, pictures=folder / "index.html", commands=commands)
    return rows


def _scale(maps, count, depth_kind):
    """(low, high) of the colours of depth, the same for all frames."""
    depths = (_read(maps, number)[0] for number in evenly(count, COLOURED_BY))
    return colours.depth_range(*(strips.drawable_pair(depth_kind, y, y)[0] for y in depths))


def _summary(rows, clip, name, options, unit):
    means = {
        column: statistics.fmean(values)
        for column in COLUMNS[2:]
        if (values := [row[column] for row in rows if not math.isnan(row[column])])
    }
    about = {"clip": clip.name, "frames": len(rows), "rate": float(clip.rate), "model": name}
    return without_nan({**about, "keep": options.keep, "unit": unit, "means": means})


def _in_words(summary, unit):
    means, share = summary["means"], f"{100 * summary['keep']:g} %"
    count = f"{summary['frames']} frame{'s' if summary['frames'] > 1 else ''}"
    text = (
        f"{count} of {summary['clip']}: from {share} of the pixels N is "
        f"{means['fidelity_rmse']:.3g} {unit} from N(I), on average."
    )
    if "depth_change" not in means:
        return text
    return (
        f"{text} From a frame to the next N(I) changes by {means['depth_change']:.3g} {unit}, "
        f"N(I * M') by {means['masked_depth_change']:.3g} {unit}, and the masks overlap by "
        f"{means['mask_overlap']:.2f} (1: the same pixels, 0: as many random ones)."
    )


if __name__ == "__main__":
    main(run, Options)
