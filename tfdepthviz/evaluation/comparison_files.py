"""Files of a comparison: per_image.csv, curves.csv, differences.csv and summary.json."""

import csv
import io
import math

from tfdepthviz.evaluation.measurement import FIGURES
from tfdepthviz.evaluation.summary import PARTS, ROOTS
from tfdepthviz.utils.files import write_whole
from tfdepthviz.utils.tables import write_json

PER_IMAGE_COLUMNS = ("image", "method", "view", "share", "entropy", *FIGURES)
CURVE_COLUMNS = (
    *("method", "view", "share"),
    *(f"{root}{end}" for root in ROOTS for end in ("", "_low", "_high")),
)
DIFFERENCE_COLUMNS = (
    *("mask", "control", "share"),
    *(f"{name}{end}" for name in ("difference", "ratio") for end in ("", "_low", "_high")),
    "best_control",
)


def write_per_image(comparison, path):
    """Writes every figure of every image as CSV: PER_IMAGE_COLUMNS, blank where there is none.

    The column share is the share that is shown (insert) or removed (delete); for mask and
    binary_mask, the share above the threshold; for a prediction 0.

    Args:
      comparison: comparison.Comparison.
      path: the file; its folder is made.
    """
    rows = []
    for place, image in enumerate(comparison.images):
        for (method, view), squares in comparison.squares.items():
            entropy = comparison.entropy[method][place] if view == "mask" else math.nan
            shares = _shares(comparison, method, view, place)
            for share, figures in zip(shares, squares[place], strict=True):
                numbers = (share, entropy, *figures)
                texts = ["" if math.isnan(number) else f"{number:.9g}" for number in numbers]
                rows.append([image, method, view, *texts])
    _write_rows(path, PER_IMAGE_COLUMNS, rows)


def write_summary(summary, folder):
    """Writes curves.csv, differences.csv and summary.json.

    differences.csv has a row for each mask, control and share: F of the mask minus and over F of
    the control, with intervals, and 1 in the column best_control if no control is closer to N(I) at
    that share.

    Args:
      summary: the dict of `summary.summarise`.
      folder: pathlib.Path, made if it is not there; files of these names are replaced.
    """
    rows = []
    for point in summary["curves"]:
        numbers = (point["share"], *(point[root][part] for root in ROOTS for part in PARTS))
        rows.append([point["method"], point["view"], *map(_text, numbers)])
    _write_rows(folder / "curves.csv", CURVE_COLUMNS, rows)
    _write_rows(folder / "differences.csv", DIFFERENCE_COLUMNS, _difference_rows(summary))
    rest = {name: value for name, value in summary.items() if name != "curves"}
    write_json(folder / "summary.json", rest)


def _difference_rows(summary):
    for mask, controls in summary["against"].items():
        for control, differences in controls.items():
            figures = zip(differences, summary["ratios"][mask][control], strict=True)
            for place, pair in enumerate(figures):
                numbers = [figure[part] for figure in pair for part in PARTS]
                best = bool(summary["best_control"]) and summary["best_control"][place] == control
                share = summary["shares"][place]
                yield [mask, control, *map(_text, (share, *numbers)), int(best)]


def _text(number):
    return "" if number is None else f"{number:.6g}"


def _shares(comparison, method, view, place):
    """The share of each row of a view of one image."""
    if view in ("insert", "delete"):
        return comparison.shares
    if view in ("mask", "binary_mask"):
        return [comparison.mask_shares[method][place]]
    return [1.0 if view == "image" else 0.0]


def _write_rows(path, columns, rows):
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    write_whole(path, stream.getvalue())
