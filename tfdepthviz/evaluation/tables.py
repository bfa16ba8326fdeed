"""Tables of an evaluation: text for a person, CSV and JSON for programs."""

import math
import pathlib

from tfdepthviz.evaluation.evaluate import COLUMNS
from tfdepthviz.evaluation.paired import best_control, differences
from tfdepthviz.utils.errors import InputError
from tfdepthviz.utils.tables import text_table, without_nan, write_csv, write_json

WITHOUT_UNIT = (
    "N's output has no unit: errors in metres are after scale and shift, image by image;\n"
    "fidelity_rmse is in standard deviations of N(I)\n"
)


def format_table(result, style="text"):
    """The rows as text with a heading; blank where there is no ground truth.

    Args:
      result: Evaluation.
      style: "text" for a terminal, "markdown" for a README.
    Returns:
      str, its lines ending in a line feed.
    Raises:
      InputError: another style.
    """
    if style not in ("text", "markdown"):
        raise InputError(f"style must be text or markdown. Received: {style!r}")
    rows = [[row["row"], *(_text(row[c]) for c in COLUMNS)] for row in result.rows]
    table = text_table(["row", *COLUMNS], rows, style)
    return table if result.depth_kind == "metric" or style != "text" else table + WITHOUT_UNIT


def write_table(result, folder):
    """Writes table.csv, table.json and per_image.csv; without ground truth blank, in JSON null.

    table.json also holds the control of least fidelity_rmse, and the paired differences of M' to
    each control with their intervals (`paired.differences`). The last column of the CSV files is
    `depth_kind`, which says what the errors are in.

    Args:
      result: Evaluation.
      folder: made if it is not there; files of these names are replaced.
    """
    folder = pathlib.Path(folder)
    content = {
        "images": result.images,
        "images_with_truth": result.images_with_truth,
        "threshold": result.threshold,
        "depth_kind": result.depth_kind,
        **without_nan(
            {"binarisation_gap": result.binarisation_gap, "mask_entropy": result.mask_entropy}
        ),
        "random_seeds": result.random_seeds,
        "best_control": best_control(result),
        "differences": differences(result),
        "rows": [without_nan(row) for row in result.rows],
    }
    write_json(folder / "table.json", content)
    for name, first, rows in (
        ("table.csv", ("row",), result.rows),
        ("per_image.csv", ("image", "row"), result.per_image),
    ):
        rows = [{**without_nan(row), "depth_kind": result.depth_kind} for row in rows]
        write_csv(folder / name, (*first, *COLUMNS, "depth_kind"), rows)


def _text(value):
    return "" if math.isnan(value) else f"{value:.3f}"
