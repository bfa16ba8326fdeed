"""Fills the gaps of sparse depth maps from their images, by colorization.

    python -m trainers.complete_depth --dataset=kitti --data_dir=KITTI --split=train \\
        --output_dir=KITTI_completed --workers=2 --known_pixels=blend

A KITTI frame of 1216x352 takes 2 s of one core (AMD EPYC, Zen 5; 2026-11-22).

Writes each depth map, dense, at its own relative path below --output_dir: a 16-bit grey PNG in the
unit of the data set's 16-bit files. Pictures of the first frames lie in preview/: look at them,
because where nothing near was measured, as in the sky, the depth is a guess. The same command
continues where it was interrupted; results depend neither on the order nor on --workers. For KITTI,
--depth_dir of other commands takes the output folder.
"""

import dataclasses
import functools
import io
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image

from tfdepthviz.data import completion, image_files
from tfdepthviz.data.frame_files import FrameFiles
from tfdepthviz.reports.completion_preview import preview
from tfdepthviz.reports.rendering import save_png
from tfdepthviz.utils.errors import InputError, WriteError
from tfdepthviz.utils.files import write_whole
from trainers.cli import flag_types, shared
from trainers.cli.data import Data
from trainers.cli.ending import conclude
from trainers.cli.flags import flag, main
from trainers.cli.program import command
from trainers.engine.options import changed
from trainers.engine.output_folder import check_output, check_results, keep_options
from trainers.engine.progress import bar
from trainers.engine.source import Source

# NYU's Kinect gives 10 m for everything beyond its reach.
SATURATION_METRES = {"nyu": 10.0}
PREVIEWS = 4
GREATEST_INTEGER = 2**16 - 1


@dataclasses.dataclass(frozen=True)
class Job:
    """One depth map to complete: FrameFiles of one frame, and where the results go."""

    frame: FrameFiles
    output: Path
    preview: Path | None


@dataclasses.dataclass(frozen=True)
class Options:
    """Completion."""

    output_dir: str | None = shared.output_dir()
    split: str = flag("train", "Part of the data set.", flag_types.enum(("train", "validation")))
    known_pixels: str = flag(
        "blend",
        "blend pulls measured depth halfway to the depth of its neighbours, as the NYU toolbox "
        "does; keep leaves it unchanged.",
        flag_types.enum(completion.KNOWN_PIXELS),
    )
    workers: int = flag(
        2,
        "Images at a time; one takes a core and 0.7 GB (1216x352).",
        flag_types.positive_integer,
    )
    data: Data = Data()


def run(options):
    """Completes one split and returns the output folder."""
    data, split, output_dir = options.data, options.split, options.output_dir
    check_output(output_dir, "the completed depth maps")
    source = Source(data)
    jobs = plan(source.open(split), data, split, output_dir)
    check_results(output_dir, "the completed depth maps")
    waiting = [job for job in jobs if not job.output.exists()]
    deciding = {"dataset": data.dataset, "known_pixels": options.known_pixels}
    keep_options(Path(output_dir) / "completion.json", deciding, "depth completed")
    work = functools.partial(
        _completed,
        known_pixels=options.known_pixels,
        saturation=SATURATION_METRES.get(data.dataset),
        skip_bad_examples=data.skip_bad_examples,
        max_depth=data.max_depth,
    )
    with source.named_files():
        problems = _all_done(work, waiting, options.workers)
        source.skipped += [problem for problem in problems if problem]
    written = len(waiting) - len(source.skipped)
    folder = Path(output_dir)
    text = f"wrote {written} depth maps to {folder}; {len(jobs) - len(waiting)} were there"
    conclude(text, pictures=folder / "preview", commands=_next(data, folder))
    return folder


def _next(data, folder):
    """(purpose, command line) of what to do with completed depth; kitti alone takes it as it is."""
    if data.dataset != "kitti":
        return []
    completed = dataclasses.replace(data, depth_dir=str(folder))
    training = command("train_depth", *changed(completed), "--workdir=runs/depth")
    return [("train N on the completed depth, once the pictures look right", training)]


def plan(frames, data, split, output_dir):
    """One Job for each depth map of a split.

    Raises:
      InputError: no files, no depth, or depth that has no place below `output_dir`.
    """
    if not isinstance(frames, FrameFiles) or frames.depths is None:
        raise InputError(f"--dataset={data.dataset}: holds no files of depth to complete")
    if 16 not in frames.metres_per_unit:
        raise InputError(f"--dataset={data.dataset}: has no 16-bit files, whose unit is needed")
    folders = [folder for folder in (data.depth_dir, data.data_dir) if folder]
    bases = [_absolute(folder) for folder in folders or [os.path.commonpath(frames.depths)]]
    output = _absolute(output_dir)
    if any(output.is_relative_to(base) for base in bases):
        raise InputError(f"--output_dir={output_dir}: lies in the data set; give another folder")
    jobs = {}
    for number, (image, depth) in enumerate(zip(frames.images, frames.depths, strict=True)):
        relative = _relative(depth, bases)
        jobs[relative] = Job(
            dataclasses.replace(frames, images=[image], depths=[depth]),
            output / relative,
            output / f"preview/{split}_{number}.png" if number < PREVIEWS else None,
        )
    return list(jobs.values())


def _relative(path, bases):
    for base in bases:
        if _absolute(path).is_relative_to(base):
            return _absolute(path).relative_to(base)
    raise InputError(f"{path}: lies outside of {bases[-1]}, so it has no relative path there")


def _absolute(path):
    """Without `..`, unlike Path.absolute."""
    return Path(os.path.abspath(path))


def _all_done(work, jobs, workers):
    """Results of `work` for each job, in order; threads suffice, as SuperLU releases Python."""
    if not jobs:
        return []
    pool = ThreadPoolExecutor(workers)
    bar_format = "{l_bar}{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}, {rate_noinv_fmt}]"
    completed = bar(total=len(jobs), desc="completing", unit="image", bar_format=bar_format)
    try:
        with completed:
            futures = [pool.submit(work, job) for job in jobs]
            return [_counted(future, completed) for future in futures]
    finally:
        # After an error or Ctrl-C only frames under way are finished, which takes seconds.
        pool.shutdown(cancel_futures=True)


def _counted(future, completed):
    result = future.result()
    completed.update()
    return result


def _completed(job, known_pixels, saturation, skip_bad_examples, max_depth):
    """Completes one depth map; None, or the line that says why it is skipped."""
    path = job.frame.depths[0]
    try:
        image, depth = _read(job.frame)
        if max_depth is not None:
            depth = np.where(depth > max_depth, 0, depth)
        try:
            options = {"known_pixels": known_pixels, "saturation": saturation}
            dense = completion.complete(image, depth, **options)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
        _write(job, image, depth, dense)
    except WriteError:
        raise
    except InputError as error:
        if not skip_bad_examples:
            raise
        return str(error)
    except MemoryError as error:
        raise InputError(f"{path}: too little memory; try fewer --workers") from error
    except Exception as error:
        raise RuntimeError(f"{path}: could not be completed") from error
    return None


def _read(frame):
    image = image_files.read_paired(frame.images[0])
    try:
        depth = frame.read_depth(frame.depths[0])
    except tf.errors.OpError:
        frame.check()
        raise
    return image, depth.numpy()


def _write(job, image, depth, dense):
    unit = job.frame.metres_per_unit[16]
    integers = np.rint(dense[..., 0] / unit)
    if integers.max() > GREATEST_INTEGER:
        raise InputError(
            f"{job.frame.depths[0]}: depth of {dense.max():g} m is more than a 16-bit file in "
            f"steps of {unit:g} m holds ({unit * GREATEST_INTEGER:g} m)"
        )
    stream = io.BytesIO()
    Image.fromarray(integers.astype("uint16")).save(stream, format="PNG")
    # The preview comes first: a frame counts as done once its depth map exists.
    if job.preview:
        save_png(job.preview, preview(image, depth, dense))
    write_whole(job.output, stream.getvalue())


if __name__ == "__main__":
    main(run, Options)
