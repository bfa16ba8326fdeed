"""The page a person reads: one HTML file that needs nothing beside it."""

import base64
import datetime
import importlib.metadata
import platform
from html import escape

from tfdepthviz import depth_kinds, figures
from tfdepthviz.errors import InputError
from tfdepthviz.files import write_whole
from tfdepthviz.report_text import (
    ALIGNED,
    COLUMN_GUIDE,
    LIMITS,
    QUESTION,
    ROW_GUIDE,
    STYLE,
    UNITS_IN_WORDS,
    verdict,
)

PACKAGES = ("tfdepthviz", "tensorflow", "keras", "numpy")


def write_report(path, *, title, table, strips, curves, commands, notes=()):
    """Writes the report of one run as a single HTML page.

    Args:
      path: the file to write, beside and renamed.
      title: one line.
      table: evaluation.Evaluation.
      strips: sequence of (caption, (H, W, 3) uint8 picture), as `figures.strip(..., columns=3)`
        makes them.
      curves: (H, W, 3) uint8 picture, as `figures.training_curves` makes it, or None.
      commands: sequence of (what it does, command line).
      notes: sequence of paragraphs about this run: data, networks, how long it took.
    Raises:
      InputError: a picture is not (H, W, 3) uint8.
    """
    sections = [
        f"<h1>{escape(title)}</h1>\n<p class='lead'>{escape(QUESTION)}</p>",
        *(f"<p>{escape(note)}</p>" for note in notes),
        _section(
            "What came out", f"<p class='verdict'>{escape(verdict(table))}</p>", _table(table)
        ),
        _section("How to read the table", _guide(table)),
        _section("Pictures", _pictures(strips)) if strips else "",
        _section("Training", _picture("training curves", curves)) if curves is not None else "",
        _section("What a mask does not prove", _list(LIMITS)),
        _section("Commands", _commands(commands)) if commands else "",
        _section("Versions", f"<p class='small'>{escape(_versions())}</p>"),
    ]
    body = "\n".join(section for section in sections if section)
    write_whole(
        path,
        "<!DOCTYPE html>\n<html lang='en'>\n<head>\n<meta charset='utf-8'>\n"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>\n"
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n"
        f"<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n",
    )


def _section(heading, *parts):
    return f"<section>\n<h2>{escape(heading)}</h2>\n" + "\n".join(parts) + "\n</section>"


def _columns(table):
    """Columns that hold a figure; without ground truth only those that need none."""
    needs_none = ("sparseness", "fidelity_rmse")
    return [c for c in COLUMN_GUIDE if table.images_with_truth or c in needs_none]


def _table(table):
    columns = _columns(table)
    unit = depth_kinds.unit(table.depth_kind)
    head = "".join(
        f"<th scope='col'>{escape(COLUMN_GUIDE[c][0].format(unit=unit))}</th>" for c in columns
    )
    worst = max((row["fidelity_rmse"] for row in table.rows), default=0) or 1
    lines = []
    for row in table.rows:
        cells = [f"<th scope='row'>{escape(ROW_GUIDE[row['row']][0])}</th>"]
        for column in columns:
            cells.append(f"<td>{_figure(column, row[column], worst)}</td>")
        lines.append(f"<tr class='{row['row']}'>{''.join(cells)}</tr>")
    count = f"{table.images} images, {table.images_with_truth} of them with ground truth."
    if table.depth_kind != "metric" and table.images_with_truth:
        count += f" {ALIGNED}"
    return (
        "<div class='wide'><table>\n<thead><tr><th scope='col'>what the network sees</th>"
        f"{head}</tr></thead>\n<tbody>\n" + "\n".join(lines) + "\n</tbody>\n</table></div>\n"
        f"<p class='small'>{escape(count)}</p>"
    )


def _figure(column, value, worst):
    if column == "sparseness":
        return f"{value:.1%}"
    if column != "fidelity_rmse":
        return f"{value:.3f}"
    share = 100 * value / worst
    return f"{value:.3f}<span class='bar'><span style='width:{share:.0f}%'></span></span>"


def _guide(table):
    rows = [ROW_GUIDE[row["row"]] for row in table.rows]
    columns = [COLUMN_GUIDE[column] for column in _columns(table)]
    unit = depth_kinds.unit(table.depth_kind)
    words = {
        "threshold": table.threshold,
        "unit": unit,
        "unit_in_words": UNITS_IN_WORDS[unit],
    }
    terms = "".join(
        f"<dt>{escape(name.format(**words))}</dt><dd>{escape(text.format(**words))}</dd>\n"
        for name, text in (*rows, *columns)
    )
    return f"<dl>\n{terms}</dl>"


def _pictures(strips):
    return "\n".join(_picture(caption, picture) for caption, picture in strips)


def _picture(caption, picture):
    if picture.dtype != "uint8":
        raise InputError(f"picture {caption!r} must be uint8. Received: {picture.dtype}")
    height, width = picture.shape[:2]
    data = base64.b64encode(figures.png(picture)).decode("ascii")
    return (
        f"<figure><figcaption>{escape(caption)}</figcaption>"
        f"<img alt='{escape(caption)}' width='{width}' height='{height}' "
        f"src='data:image/png;base64,{data}'></figure>"
    )


def _list(items):
    return "<ul>\n" + "".join(f"<li>{escape(item)}</li>\n" for item in items) + "</ul>"


def _commands(commands):
    return "\n".join(
        f"<p>{escape(what)}</p>\n<pre><code>{escape(command)}</code></pre>"
        for what, command in commands
    )


def _versions():
    found = [f"Python {platform.python_version()}"]
    for package in PACKAGES:
        try:
            found.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            # Run from its sources, or TensorFlow under another distribution's name.
            continue
    return f"{', '.join(found)}. Written on {datetime.date.today().isoformat()}."
