"""Draws which pixels N looks at in your photographs.

    python -m trainers.explain photo.jpg photos/

takes the N and G that come with the package. These take others:

    --mask_weights=runs/photos/mask_net.keras     what train_mask trained, with its N
    --savedmodel=savedmodels/NAME/1               what export_savedmodel exported
    --server=http://localhost:8501 --model=NAME   what TensorFlow Serving or trainers.serve serves

Folders are searched for images in any depth. OUTPUT_DIR/index.html shows all images.
Each image gets a folder of its name with strip.png (the image, the mask M, the pixels of each share
of --keep, and below them N's depth from each), mask.png, binary_mask.png, overlay.png, depth.png,
masked_depth.png, maps.npz (float32 arrays as the model gave them) and result.json. results.csv and
results.json list sparseness and fidelity of all images in OUTPUT_DIR.

The same command skips images that are done; one that cannot be explained is named, and the others
go on.
"""

import collections
import dataclasses
import sys
from pathlib import Path

from tqdm import tqdm

from tfdepthviz.data.listing import images_in
from tfdepthviz.evaluation.audit import NOT_AUDITED
from tfdepthviz.reports.explanation import in_window, read_upright, write_explanation
from tfdepthviz.reports.explanation_page import read_result, write_results
from tfdepthviz.serving.client import ServingError
from tfdepthviz.utils.errors import InputError, WriteError
from tfdepthviz.utils.files import sha256
from trainers.cli import flag_types, shared
from trainers.cli.ending import conclude
from trainers.cli.explained_model import Exported, Masks, network_flags, opened
from trainers.cli.flags import arguments, flag, main
from trainers.cli.program import command
from trainers.cli.target import Target
from trainers.engine.output_folder import check_results, keep_options
from trainers.engine.progress import bar

# Statuses about a single image: it cannot be read, is too large, or the model fails on it.
ABOUT_THE_IMAGE = frozenset({400, 413, 500})


@dataclasses.dataclass(frozen=True)
class Options:
    """Images and pictures."""

    images: tuple = arguments("Image files, and folders of images.")
    keep: tuple = flag(
        (0.05, 0.2, 0.36),
        "Shares of the pixels to show N, each by the highest scores of G.",
        flag_types.numbers(0.01, 1.0, example="0.05,0.2,0.36"),
    )
    threshold: float = shared.threshold()
    output_dir: str = shared.output_dir("explained")
    masks: Masks = Masks()
    target: Target = Target(depth_net=None)
    exported: Exported = Exported()


def run(options):
    """Explains image files and folders of them, and returns the rows of results.csv."""
    if options.threshold > 1:
        raise InputError(f"--threshold={options.threshold:g}: must be from 0 to 1, as masks are")
    folder = Path(options.output_dir)
    check_results(options.output_dir, "explanations")
    jobs = plan(options.images, folder)
    waiting = {target: job for target, job in jobs.items() if not _done(target, *job)}
    commands, rows = _next(options), []
    try:
        model, name = opened(options.masks, options.target, options.exported)
        with model:
            deciding = {"model": name, "threshold": options.threshold, "keep": list(options.keep)}
            keep_options(folder / "explained.json", deciding, "explanations")
            card = model.card()
            try:
                problems = _explain_all(model, card, waiting, options)
            finally:
                rows = write_results(folder, f"Model: {name}.", commands, **_of_card(card))
    except ServingError as error:
        raise InputError(str(error)) from error
    for problem in problems:
        print(f"  {problem}", file=sys.stderr)
    if rows:
        written, there = len(waiting) - len(problems), len(jobs) - len(waiting)
        text = f"explained {written} {'image' if written == 1 else 'images'}"
        if there:
            text += f"; {there} {'was' if there == 1 else 'were'} there"
        conclude(text, pictures=folder / "index.html", commands=commands)
    if problems:
        raise InputError(f"{len(problems)} of {len(jobs)} images could not be explained, see above")
    return rows


def plan(images, output_dir):
    """Folder of an image's files -> (path of the image, its name in tables), for all images.

    The folder has the image's name without its ending, or where two images would get one folder,
    such as a.jpg and a.png, with the ending after an underscore.

    Raises:
      InputError: no images, one that does not exist, or two that would get one folder.
    """
    if not images:
        raise InputError("needs images or folders of images to explain, such as photo.jpg photos/")
    paths = {}
    for argument in images:
        base = Path(argument)
        if not base.exists():
            raise InputError(f"{argument}: no such file or folder")
        inside = base.is_dir()
        for path in map(Path, _images_in(argument) if inside else [argument]):
            name = path.relative_to(base) if inside else Path(path.name)
            if paths.setdefault(name, path) != path:
                raise InputError(
                    f"{paths[name]} and {path} would both become {output_dir / name.stem}; explain "
                    "one of them with another --output_dir"
                )
    if not paths:
        raise InputError(f"{', '.join(map(str, images))}: holds no images")
    stems = collections.Counter(name.with_suffix("") for name in paths)
    jobs = {}
    for name, path in paths.items():
        short = name.with_suffix("")
        if stems[short] > 1:
            short = name.with_name(f"{name.stem}_{name.suffix[1:]}")
        jobs[output_dir / short] = path, name.as_posix()
    return jobs


def _images_in(folder):
    """Paths of a folder's images; says what is left out."""
    listing = images_in(folder)
    if left_out := listing.left_out_in_words():
        print(f"{folder}: {len(listing.images)} images; {left_out}", flush=True)
    return listing.images


def _done(target, path, name):
    """Whether the folder of an image is there; InputError if it belongs to another image."""
    if not target.exists():
        return False
    result = read_result(target)
    if result["image"] != name or result["sha256"] != sha256(path):
        raise InputError(
            f"{path}: {target} holds another image, {result['image']}; explain this one with "
            "another --output_dir"
        )
    return True


def _explain_all(model, card, waiting, options):
    """Explains images one after the other; returns a line for each that cannot be explained."""
    about = {
        "threshold": options.threshold,
        "keep": options.keep,
        "depth_kind": card.get("depth_kind"),
        "is_ranking": bool(card.get("keep")),
        "removal": card.get("removal", "mean"),
    }
    problems = []
    for target, (path, name) in bar(waiting.items(), desc="explaining", unit="image"):
        try:
            _explain(model, path, target, name=name, **about)
        except WriteError:
            raise  # the next image would fail in the same way
        except InputError as error:
            problems.append(str(error))
            tqdm.write(f"skipped {error}", file=sys.stderr)
    return problems


def _explain(model, path, target, *, threshold, keep, **about):
    contents, rgb = read_upright(path)
    try:
        answers = (
            model.explain(contents, threshold),
            model.cut(contents, threshold),
            model.overlay(contents),
        )
        cuts = dict(zip(keep, model.keep(contents, keep), strict=True))
    except ServingError as error:
        # Other errors are the server's: the next image would fail in the same way.
        if error.status not in ABOUT_THE_IMAGE:
            raise
        raise InputError(f"{path}: {error}") from error
    about |= {"threshold": threshold, "cuts_at_shares": cuts, "source": sha256(path)}
    write_explanation(target, in_window(rgb, answers[0]), *answers, **about)


def _of_card(card):
    """What the page says of a model's card; those of earlier versions have neither field."""
    return {
        "removal": card.get("removal", "mean"),
        "grade": card.get("audit", {}).get("grade", NOT_AUDITED),
    }


def _next(options):
    """(purpose, command line) of what to do after looking at the page."""
    folders = [image for image in options.images if Path(image).is_dir()]
    data = ("--dataset=folder", f"--data_dir={folders[0] if folders else 'photos'}")
    place = "these photographs" if folders else "a folder of photographs"
    training = (
        f"train a G of your own on {place}",
        command("train_mask", *data, "--workdir=runs/photos"),
    )
    if options.exported.savedmodel or options.exported.server:
        return [training]
    networks = network_flags(options.masks, options.target)
    output = "--output_dir=runs/evaluation"
    if options.masks.mask_weights in (None, "default"):
        # This G knows none of them, so all can be rated.
        rating = command("evaluate", *networks, *data, "--split=all", output)
        return [(f"compare M' with edges and random pixels of {place}", rating), training]
    rating = command("evaluate", *networks, *data, output)
    return [(f"compare M' with edges and random pixels of the last tenth of {place}", rating)]


if __name__ == "__main__":
    main(run, Options)
