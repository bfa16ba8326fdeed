"""Asks a served model which pixels of your photographs N looks at, and draws the answer.

    python -m trainers.explain_image photo.jpg photos/ --server=http://localhost:8501 --model=NAME

The server is TensorFlow Serving or trainers.serve; --savedmodel=savedmodels/NAME/1 needs none.

For each image, OUTPUT_DIR/<its name>/ gets strip.png (image, masks and depth side by side, with
scales), mask.png, binary_mask.png, overlay.png, depth.png, masked_depth.png, maps.npz (float32
arrays as the model gave them) and result.json; OUTPUT_DIR/results.csv lists sparseness and fidelity
of all. Folders are searched for JPEG and PNG files in any depth. The same command skips images that
are done; one that cannot be explained is named, and the others go on.

--keep=0.05,0.2,0.36 also shows N these shares of the pixels: shares.png has the pixels kept at each
share, N's depth from them and its distance from N(I), and results.csv gets a row for each share.
"""

import dataclasses
import json
import os
import sys
from pathlib import Path

from tqdm import tqdm

from tfdepthviz.data.folder import image_paths
from tfdepthviz.reports.explanation import read_upright, write_explanation
from tfdepthviz.serving.client import MaskClient, ServingError
from tfdepthviz.utils.errors import InputError, WriteError
from tfdepthviz.utils.tables import write_csv
from trainers.cli import flag_types, shared
from trainers.cli.flags import arguments, flag, main
from trainers.engine.output_folder import check_output, keep_options

COLUMNS = ("image", "sparseness", "fidelity_rmse", "mask_mean", "depth_kind")
# Columns in a row of a share; without --keep there are no such rows.
SHARE_COLUMNS = ("share", "sparseness", "fidelity_rmse")
# Statuses about a single image: it cannot be read, is too large, or the model fails on it.
ABOUT_THE_IMAGE = frozenset({400, 413, 500})


@dataclasses.dataclass(frozen=True)
class Options:
    """Images and model."""

    images: tuple = arguments("Image files, and folders of images.")
    server: str | None = flag(None, "Address of the REST API, such as http://localhost:8501.")
    model: str | None = flag(None, "Name under which the server has the model.")
    savedmodel: str | None = flag(
        None, "Exported model to load instead of asking a server, such as savedmodels/NAME/1."
    )
    threshold: float = shared.threshold()
    keep: tuple | None = flag(
        None,
        "Shares of the pixels to keep as well, each by the highest scores of G.",
        flag_types.numbers(0.01, 1.0, example="0.05,0.2,0.36"),
    )
    output_dir: str = shared.output_dir("explained")


def run(options):
    """Explains image files and folders of them, and returns the rows of results.csv."""
    threshold, output_dir = options.threshold, options.output_dir
    if threshold > 1:
        raise InputError(f"--threshold={threshold:g}: must be from 0 to 1, as masks are")
    folder = Path(output_dir)
    check_output(output_dir, "explanations")
    jobs = plan(options.images, folder)
    waiting = {target: path for target, path in jobs.items() if not target.exists()}
    problems = []
    try:
        explainer, version = _opened(options.server, options.model, options.savedmodel)
        with explainer:
            deciding = {"model": version, "threshold": threshold}
            if options.keep:
                deciding["keep"] = list(options.keep)
            keep_options(folder / "explained.json", deciding, "explanations")
            about = {
                "threshold": threshold,
                "keep": options.keep or (),
                "depth_kind": explainer.card().get("depth_kind"),
            }
            for target, path in _progress(waiting.items()):
                try:
                    name = target.relative_to(folder).as_posix()
                    _explain(explainer, path, target, name=name, **about)
                except WriteError:
                    raise  # the next image would fail in the same way
                except InputError as error:
                    problems.append(str(error))
                    tqdm.write(f"skipped {error}", file=sys.stderr)
    except ServingError as error:
        raise InputError(str(error)) from error
    finally:
        rows = _write_table(jobs, folder)
    written = len(waiting) - len(problems)
    print(f"wrote {written} explanations to {output_dir}, {len(jobs) - len(waiting)} were there")
    if problems:
        for problem in problems:
            print(f"  {problem}", file=sys.stderr)
        raise InputError(f"{len(problems)} of {len(jobs)} images could not be explained, see above")
    return rows


def plan(images, output_dir):
    """Folder of an image's files -> path of the image, for all images.

    Raises:
      InputError: no images, one that does not exist, or two that would get one folder.
    """
    if not images:
        raise InputError("needs images or folders of images to explain, such as photo.jpg photos/")
    jobs = {}
    for argument in images:
        base = Path(argument)
        if not base.exists():
            raise InputError(f"{argument}: no such file or folder")
        inside = base.is_dir()
        for path in map(Path, image_paths(argument) if inside else [argument]):
            target = output_dir / (path.relative_to(base) if inside else path.name)
            if jobs.setdefault(target, path) != path:
                raise InputError(
                    f"{jobs[target]} and {path} would both become {target}; explain one of them "
                    "with another --output_dir"
                )
    if not jobs:
        raise InputError(f"{', '.join(map(str, images))}: holds no JPEG or PNG files")
    return jobs


def _opened(server, model, savedmodel):
    """The model to ask, and its name/version, with which a later run recognises it."""
    if bool(server) == bool(savedmodel):
        raise InputError("--server=http://HOST:PORT or --savedmodel=FOLDER: needs one of them")
    if savedmodel:
        from tfdepthviz.serving.local_model import LocalModel

        return LocalModel(savedmodel), "/".join(Path(os.path.abspath(savedmodel)).parts[-2:])
    if not model:
        raise InputError(f"--model: needs the name under which {server} has the model")
    try:
        with MaskClient(server, model) as client:
            states = {int(status["version"]): status["state"] for status in client.status()}
    except ValueError as error:
        raise InputError(f"--{error}") from error
    ready = [version for version, state in states.items() if state == "AVAILABLE"]
    if not ready:
        listed = ", ".join(f"version {version} is {state}" for version, state in states.items())
        raise InputError(f"--model={model}: no version is available ({listed})")
    # A folder holds answers of one version, even if the server loads another one meanwhile.
    return MaskClient(server, model, max(ready)), f"{model}/{max(ready)}"


def _explain(explainer, path, target, *, threshold, keep, **about):
    contents, rgb = read_upright(path)
    try:
        answers = (
            explainer.explain(contents, threshold),
            explainer.cut(contents, threshold),
            explainer.overlay(contents),
        )
        cuts = dict(zip(keep, explainer.keep(contents, keep), strict=True))
    except ServingError as error:
        # Other errors are the server's: the next image would fail in the same way.
        if error.status not in ABOUT_THE_IMAGE:
            raise
        raise InputError(f"{path}: {error}") from error
    write_explanation(target, rgb, *answers, threshold=threshold, cuts_at_shares=cuts, **about)


def _write_table(jobs, output_dir):
    """Writes results.csv of all images that are done, by earlier runs too."""
    rows = [row for target in jobs if target.exists() for row in _rows(target / "result.json")]
    if rows:
        # The share comes second, and only where there are rows with one.
        shares = [c for c in SHARE_COLUMNS if c not in COLUMNS and any(c in row for row in rows)]
        write_csv(output_dir / "results.csv", (COLUMNS[0], *shares, *COLUMNS[1:]), rows)
    return rows


def _rows(path):
    """The row of an image's mask at the threshold, then one for each share."""
    try:
        result = json.loads(path.read_text("utf-8"))
        row = {column: result[column] for column in COLUMNS}
        shares = [{c: at[c] for c in SHARE_COLUMNS} for at in result.get("shares", ())]
        return [row | ({"share": None} if shares else {}), *(row | at for at in shares)]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(
            f"{path}: cannot be read ({error!r}); remove its folder, and the same command makes it "
            "again"
        ) from error


def _progress(items):
    return tqdm(items, desc="explaining", unit="image", file=sys.stderr)


if __name__ == "__main__":
    main(run, Options)
