"""Table 1 of the paper: accuracy and sparseness for several lambdas, next to the published ones."""

import dataclasses
import math
import pathlib

from tfdepthviz.metrics import alignment
from tfdepthviz.utils.files import write_whole
from tfdepthviz.utils.tables import text_table, without_nan, write_csv, write_json

# lambda -> RMSE(M), RMSE(M'), sparseness; None is the whole image. NYU-v2, hu_resnet50, metres.
# Source: Hu et al. 2019 (ICCV), table 1.
PUBLISHED = {
    None: (0.555, 0.555, 1.0),
    1.0: (0.605, 0.568, 0.920),
    2.0: (0.668, 0.617, 0.746),
    3.0: (0.699, 0.668, 0.589),
    4.0: (0.731, 0.733, 0.425),
    5.0: (0.740, 0.758, 0.361),
    6.0: (0.772, 0.882, 0.215),
}
PUBLISHED_COLUMNS = ("paper_rmse_mask", "paper_rmse_binary_mask", "paper_sparseness")
# The rows of an evaluation that a sweep takes, and the columns that they become.
RATED = ("mask", "binary_mask", "sobel", "random")
OURS = (
    *("rmse_mask", "rmse_binary_mask", "sparseness", "rmse_sobel", "rmse_random"),
    *(f"fidelity_rmse_{row}" for row in RATED),
)
# Headings of the parameters in tables and pictures.
NAMES = {"sparsity_weight": "lambda", "target_sparseness": "target share"}


@dataclasses.dataclass(frozen=True)
class Sweep:
    """One mask generator for each value of a parameter, rated on one data set with one N.

    Attributes:
      parameter: "sparsity_weight" (lambda) or "target_sparseness".
      rows: one dict for each value: the parameter (None: the whole image), OURS, and for
        lambdas PUBLISHED_COLUMNS, None where the paper has no such lambda. RMSE in metres, NaN
        where there is no ground truth; fidelity in `alignment.unit`. Controls of the whole image
        are NaN.
      images: number of images.
      threshold: the grey level up to which the binarised mask removes a pixel.
      depth_kind: what N's output means, one of `alignment.KINDS`.
    """

    parameter: str
    rows: tuple
    images: int
    threshold: float
    depth_kind: str = "metric"

    @property
    def has_truth(self):
        return not math.isnan(self.rows[0]["rmse_mask"])


def gather(parameter, tables):
    """Builds the sweep from the tables of its mask generators.

    Args:
      parameter: "sparsity_weight" or "target_sparseness".
      tables: dict of value -> content of table.json, as `evaluation.write_table` writes it.
    Returns:
      Sweep; its first row is the whole image.
    """
    first = next(iter(tables.values()))
    image = _row(first, "image")
    whole = {"rows": [image | {"row": row} for row in ("mask", "binary_mask")]}
    rows = [_sweep_row(parameter, value, table) for value, table in {None: whole, **tables}.items()]
    return Sweep(parameter, tuple(rows), first["images"], first["threshold"], first["depth_kind"])


def columns(sweep):
    """The columns of the sweep's table, without empty ones."""
    published = PUBLISHED_COLUMNS if sweep.parameter == "sparsity_weight" else ()
    return (
        sweep.parameter,
        *(c for c in OURS if sweep.has_truth or not c.startswith("rmse")),
        *published,
    )


def texts(sweep):
    """Headings and rows of the table as a person reads it."""
    name, unit = NAMES[sweep.parameter], alignment.unit(sweep.depth_kind)
    shown = {
        sweep.parameter: name,
        "sparseness": "sparseness",
        "rmse_mask": "RMSE(M)",
        "rmse_binary_mask": "RMSE(M')",
        "rmse_sobel": "RMSE edges",
        "rmse_random": "RMSE random",
        "fidelity_rmse_mask": f"fidelity M, {unit}",
        "fidelity_rmse_binary_mask": f"fidelity M', {unit}",
        "fidelity_rmse_sobel": f"fidelity edges, {unit}",
        "fidelity_rmse_random": f"fidelity random, {unit}",
        "paper_rmse_mask": "paper: RMSE(M)",
        "paper_rmse_binary_mask": "paper: RMSE(M')",
        "paper_sparseness": "paper: sparseness",
    }
    names = columns(sweep)
    rows = [[value_text(row[names[0]]), *(_text(row[c]) for c in names[1:])] for row in sweep.rows]
    return [shown[c] for c in names], rows


def value_text(value):
    """A value of the parameter; None is the whole image."""
    return "original" if value is None else f"{value:g}"


def format_sweep(sweep, style="text"):
    """The table as text: "text" for a terminal, "markdown" for a README."""
    return text_table(*texts(sweep), style)


def write_sweep(sweep, folder, notes):
    """Writes table1.txt, table1.md, table1.csv and table1.json.

    Args:
      sweep: Sweep.
      folder: made if it is not there; files of these names are replaced.
      notes: sentences below the table: what was measured, on which data, and where that differs
        from the paper.
    """
    folder = pathlib.Path(folder)
    below = "\n" + "\n".join(notes) + "\n"
    write_whole(folder / "table1.txt", format_sweep(sweep) + below)
    write_whole(folder / "table1.md", format_sweep(sweep, "markdown") + below)
    rows = [without_nan({c: row[c] for c in columns(sweep)}) for row in sweep.rows]
    write_csv(folder / "table1.csv", columns(sweep), rows)
    header = {k: v for k, v in dataclasses.asdict(sweep).items() if k != "rows"}
    write_json(folder / "table1.json", {**header, "notes": list(notes), "rows": rows})


def _row(table, name):
    return next((row for row in table["rows"] if row["row"] == name), {})


def _sweep_row(parameter, value, table):
    row = {parameter: value, "sparseness": _row(table, "mask")["sparseness"]}
    for name in RATED:
        for figure in ("rmse", "fidelity_rmse"):
            number = _row(table, name).get(figure)
            row[f"{figure}_{name}"] = math.nan if number is None else number
    if parameter == "sparsity_weight":
        published = PUBLISHED.get(value, (None,) * 3)
        row |= dict(zip(PUBLISHED_COLUMNS, published, strict=True))
    return row


def _text(value):
    return "" if value is None or math.isnan(value) else f"{value:.3f}"
