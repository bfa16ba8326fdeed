"""Files of a comparison: per_image.csv, curves.csv and summary.json."""

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


def write_per_image(comparison, path):
    """Writes every figure of every image as CSV: PER_IMAGE_COLUMNS, blank where there is none.

    The column share is the share that is shown (insert) or removed (delete); for mask and
    binary_mask, the share above the threshold.

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
    """Writes curves.csv and summary.json.

    Args:
      summary: the dict of `summary.summarise`.
      folder: pathlib.Path, made if it is not there; files of these names are replaced.
    """
    rows = []
    for point in summary["curves"]:
        numbers = (point["share"], *(point[root][part] for root in ROOTS for part in PARTS))
        texts = ["" if number is None else f"{number:.6g}" for number in numbers]
        rows.append([point["method"], point["view"], *texts])
    _write_rows(folder / "curves.csv", CURVE_COLUMNS, rows)
    rest = {name: value for name, value in summary.items() if name != "curves"}
    write_json(folder / "summary.json", rest)


def _shares(comparison, method, view, place):
    """The share of each row of a view of one image."""
    if view in ("insert", "delete"):
        return comparison.shares
    if method:
        return [comparison.mask_shares[method][place]]
    return [{"image": 1.0, "nothing": 0.0}[view]]


def _write_rows(path, columns, rows):
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    write_whole(path, stream.getvalue())
