"""Table 1 of the paper: accuracy and fidelity for several lambdas, or for several shares of pixels.

A sweep over lambda has one mask generator for each value, next to the published figures. A sweep
over shares rates one ranking at each of them.
"""

import dataclasses
import math
import pathlib

from tfdepthviz.evaluation.summary import figure_at
from tfdepthviz.metrics import alignment
from tfdepthviz.utils.files import write_whole
from tfdepthviz.utils.shown import Shown
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
# Column -> heading.
PUBLISHED_COLUMNS = {
    "paper_rmse_mask": "paper: RMSE(M)",
    "paper_rmse_binary_mask": "paper: RMSE(M')",
    "paper_sparseness": "paper: sparseness",
}
# Headings of the parameters in tables and pictures.
NAMES = {"sparsity_weight": "lambda", "share": "share"}
MASKS = {"mask": "M", "binary_mask": "M'"}
FIGURES = ("rmse", "fidelity_rmse")


@dataclasses.dataclass(frozen=True, repr=False)
class Sweep(Shown):
    """Figures for each value of a parameter, rated on one data set with one N.

    Attributes:
      parameter: "sparsity_weight" (lambda, a mask generator for each) or "share" (one ranking).
      methods: what was rated: "mask" and "binary_mask", or the latter alone, then controls.
      rows: one dict for each value: the parameter (None: the whole image), "sparseness", and of
        each method "rmse_METHOD" and "fidelity_rmse_METHOD"; for lambdas PUBLISHED_COLUMNS, None
        where the paper has no such lambda. RMSE in metres, NaN where there is no ground truth;
        fidelity in `alignment.unit`. Controls of the whole image are NaN.
      images: number of images.
      threshold: the grey level up to which the binarised mask of a lambda removes a pixel.
      depth_kind: what N's output means, one of `alignment.KINDS`.
    """

    parameter: str
    methods: tuple
    rows: tuple
    images: int
    threshold: float
    depth_kind: str = "metric"

    @property
    def has_truth(self):
        return not math.isnan(self.rows[0]["rmse_binary_mask"])

    @property
    def controls(self):
        return tuple(method for method in self.methods if method not in MASKS)


def gather(tables):
    """The sweep over lambda, from the tables of its mask generators.

    Args:
      tables: dict of lambda -> content of table.json, as `evaluation.write_table` writes it.
    Returns:
      Sweep; its first row is the whole image.
    """
    first = next(iter(tables.values()))
    methods = tuple(row["row"] for row in first["rows"] if row["row"] != "image")
    image = _row(first, "image")
    whole = {"rows": [image | {"row": row} for row in MASKS]}
    rows = [
        _row_of_lambda(value, table, methods) for value, table in {None: whole, **tables}.items()
    ]
    return Sweep(
        "sparsity_weight",
        methods,
        tuple(rows),
        first["images"],
        first["threshold"],
        first["depth_kind"],
    )


def gather_shares(summary, ranking):
    """The sweep over shares, from the summary of a comparison.

    Args:
      summary: result of `summary.summarise`.
      ranking: name of the ranking in it; all other methods are controls.
    Returns:
      Sweep; its first row is the whole image.
    """
    methods = {"binary_mask": ranking, **{m: m for m in summary["methods"] if m != ranking}}
    whole = {"binary_mask": ranking}
    rows = [_row_of_share(summary, share, methods) for share in summary["shares"]]
    rows.insert(0, _row_of_share(summary, 1.0, whole, methods) | {"share": None})
    return Sweep(
        "share",
        tuple(methods),
        tuple(rows),
        summary["images"],
        summary["threshold"],
        summary["depth_kind"],
    )


def columns(sweep):
    """The columns of the sweep's table, without empty ones."""
    masks = [method for method in sweep.methods if method in MASKS]
    if sweep.parameter == "share":
        names = [f"{figure}_{m}" for m in masks for figure in FIGURES]
        names += [f"{figure}_{m}" for figure in FIGURES for m in sweep.controls]
    else:
        names = [*(f"rmse_{m}" for m in masks), "sparseness"]
        names += [f"rmse_{m}" for m in sweep.controls]
        names += [f"fidelity_rmse_{m}" for m in sweep.methods]
        names += PUBLISHED_COLUMNS
    if not sweep.has_truth:
        names = [name for name in names if not name.startswith("rmse")]
    return (sweep.parameter, *names)


def tables(sweep):
    """The tables that a page or a terminal has room for.

    Over lambda the first has the paper's columns. Then RMSE and fidelity have a table each, of all
    methods.

    Args:
      sweep: Sweep.
    Returns:
      list of (title, headings, rows), all texts.
    """
    chosen = []
    if sweep.parameter == "sparsity_weight":
        masks = {f"rmse_{m}": f"RMSE({text})" for m, text in MASKS.items() if sweep.has_truth}
        chosen.append(("", masks | {"sparseness": "sparseness"} | PUBLISHED_COLUMNS))
    titles = {
        "rmse": "RMSE against ground truth, m",
        "fidelity_rmse": f"fidelity: RMSE against N(I), {alignment.unit(sweep.depth_kind)}",
    }
    for figure, title in titles.items():
        if figure != "rmse" or sweep.has_truth:
            chosen.append((title, {f"{figure}_{m}": method_text(m) for m in sweep.methods}))
    return [
        (
            title,
            [NAMES[sweep.parameter], *shown.values()],
            [[value_text(sweep, row), *(_text(row[c]) for c in shown)] for row in sweep.rows],
        )
        for title, shown in chosen
    ]


def value_text(sweep, row):
    """A row's value of the parameter; of the whole image "original"."""
    value = row[sweep.parameter]
    if value is None:
        return "original"
    return f"{value:g}" if sweep.parameter != "share" else f"{100 * value:g} %"


def method_text(method):
    """A method as a heading: "M'", "edges", "blurred edges"."""
    return MASKS.get(method, {"sobel": "edges"}.get(method, method.replace("_", " ")))


def format_sweep(sweep, style="text"):
    """The tables as text: "text" for a terminal, "markdown" for a README."""
    parts = []
    for title, headings, rows in tables(sweep):
        heading = f"{title}\n\n" if title and style == "markdown" else title and f"{title}\n"
        parts.append(heading + text_table(headings, rows, style))
    return "\n".join(parts)


def write_sweep(sweep, folder, notes, more=None):
    """Writes table1.txt, table1.md, table1.csv and table1.json.

    Args:
      sweep: Sweep.
      folder: made if it is not there; files of these names are replaced.
      notes: sentences below the table: what was measured, on which data, and where that differs
        from the paper.
      more: further content of table1.json.
    """
    folder = pathlib.Path(folder)
    below = "\n" + "\n".join(notes) + "\n"
    write_whole(folder / "table1.txt", format_sweep(sweep) + below)
    write_whole(folder / "table1.md", format_sweep(sweep, "markdown") + below)
    rows = [without_nan({c: row[c] for c in columns(sweep)}) for row in sweep.rows]
    write_csv(folder / "table1.csv", columns(sweep), rows)
    header = {k: v for k, v in dataclasses.asdict(sweep).items() if k != "rows"}
    write_json(
        folder / "table1.json", {**header, "notes": list(notes), "rows": rows, **(more or {})}
    )


def _row(table, name):
    return next((row for row in table["rows"] if row["row"] == name), {})


def _row_of_lambda(value, table, methods):
    row = {"sparsity_weight": value, "sparseness": _row(table, "mask")["sparseness"]}
    for method in methods:
        for figure in FIGURES:
            number = _row(table, method).get(figure)
            row[f"{figure}_{method}"] = math.nan if number is None else number
    published = PUBLISHED.get(value, (None,) * 3)
    return row | dict(zip(PUBLISHED_COLUMNS, published, strict=True))


def _row_of_share(summary, share, rated, methods=()):
    row = {"share": share, "sparseness": share}
    for figure in FIGURES:
        row |= {f"{figure}_{method}": math.nan for method in methods}
        for column, method in rated.items():
            number = figure_at(summary, method, share, figure)["value"]
            row[f"{figure}_{column}"] = math.nan if number is None else number
    return row


def _text(value):
    return "" if value is None or math.isnan(value) else f"{value:.3f}"
