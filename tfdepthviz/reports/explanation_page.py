"""Page and tables over all images in an output folder of trainers.explain."""

import json
import statistics
import urllib.parse

from tfdepthviz.evaluation.audit import NOT_AUDITED, RULES
from tfdepthviz.metrics import alignment
from tfdepthviz.removal import REMOVALS
from tfdepthviz.reports import html
from tfdepthviz.utils.errors import InputError
from tfdepthviz.utils.tables import write_csv, write_json

COLUMNS = ("image", "share", "sparseness", "fidelity_rmse", "mask_mean", "depth_kind")
GUIDE = (
    "Each strip shows, from left to right, the image, the mask M of the mask generator G or the "
    "order of its pixels, and the pixels that N is shown. Below each picture is the depth that the "
    "depth network N estimates from it. A removed pixel becomes {removal}.",
    "M' holds the pixels to which G gives the highest scores. The less the depth below M' differs "
    "from N(I), the depth from the whole image, the better these pixels explain N.",
    "The distance is the root mean squared difference from N(I). Whether it is small is a question "
    "of comparison: trainers.evaluate rates as many edge pixels and random pixels, too.",
)


def read_result(folder):
    """Content of result.json in the folder of one image, checked.

    Raises:
      InputError: the file cannot be read.
    """
    path = folder / "result.json"
    try:
        result = json.loads(path.read_text("utf-8"))
        _rows(result)
        return result
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(
            f"{path}: cannot be read ({error!r}); remove its folder, and the same command makes it "
            "again"
        ) from error


def write_results(output_dir, about, commands, removal="mean", grade=NOT_AUDITED):
    """Writes results.csv, results.json and index.html of all images in an output folder.

    Args:
      output_dir: pathlib.Path; folders of images lie in it in any depth.
      about: sentence that names N and G.
      commands: (purpose, command line) of what a reader would run next.
      removal: what N sees of a removed pixel, out of `removal.REMOVALS`.
      grade: of the masks, a key of `audit.RULES`.
    Returns:
      list of dicts with the keys COLUMNS: for each image a row of the mask at its threshold, whose
      share is None, then one for each share. Nothing is written where there are none.
    Raises:
      InputError: a result cannot be read.
      WriteError: a file cannot be written.
    """
    folders = sorted(path.parent for path in output_dir.rglob("result.json"))
    folders = [folder.relative_to(output_dir) for folder in folders]
    # A killed command leaves hidden folders.
    folders = [f for f in folders if not any(part.startswith(".") for part in f.parts)]
    results = {folder: read_result(output_dir / folder) for folder in folders}
    rows = [row for result in results.values() for row in _rows(result)]
    if rows:
        write_csv(output_dir / "results.csv", COLUMNS, rows)
        write_json(output_dir / "results.json", {"about": about, "audit": grade, "rows": rows})
        about += (
            " These masks are not audited: no test has tried to prove them wrong."
            if grade == NOT_AUDITED
            else f" Audit of these masks: grade {grade}; {RULES[grade]}"
        )
        _write_page(output_dir / "index.html", results, rows, about, commands, REMOVALS[removal])
    return rows


def _rows(result):
    """The row of an image's mask at the threshold, then one for each share."""
    row = {column: result[column] for column in COLUMNS if column != "share"} | {"share": None}
    shares = [
        {column: at[column] for column in ("share", "sparseness", "fidelity_rmse")}
        for at in result["shares"]
    ]
    return [row, *(row | at for at in shares)]


def _write_page(path, results, rows, about, commands, removal):
    images = f"{len(results)} photograph{'s' if len(results) > 1 else ''}"
    parts = [
        html.paragraph(about, "lead"),
        html.section(
            "How to read a strip", *(html.paragraph(text.format(removal=removal)) for text in GUIDE)
        ),
        _distances(rows),
        *(
            html.section(
                result["image"],
                html.linked_picture(
                    urllib.parse.quote(f"{folder.as_posix()}/strip.png"), result["image"]
                ),
            )
            for folder, result in results.items()
        ),
        html.section("Next", html.command_lines(commands)),
        html.versions(),
    ]
    html.write_page(path, f"Which pixels does N look at in {images}?", parts)


def _distances(rows):
    """Table of the distance from N(I) at each share, over the images."""
    unit = alignment.unit(rows[0]["depth_kind"])
    shares = sorted({row["share"] for row in rows if row["share"] is not None})
    lines = []
    for share in shares:
        distances = [row["fidelity_rmse"] for row in rows if row["share"] == share]
        figures = (statistics.mean(distances), min(distances), max(distances))
        lines.append([f"{100 * share:g} %", *(f"{figure:.3g} {unit}" for figure in figures)])
    headings = ["pixels shown to N", "mean", "smallest", "largest"]
    return html.section("Distance from N(I)", html.table(headings, lines))
