"""The report of an evaluation: question, result, table, pictures and limits on one HTML page."""

from html import escape

from tfdepthviz.metrics import alignment
from tfdepthviz.removal import REMOVALS
from tfdepthviz.reports import html
from tfdepthviz.reports.wording import (
    ALIGNED,
    COLUMN_GUIDE,
    LIMITS,
    QUESTION,
    ROW_GUIDE,
    UNITS_IN_WORDS,
    binarisation,
    verdict,
)


def write_report(path, *, title, table, strips, curves, commands, notes=(), question=QUESTION):
    """Writes the report of one run as a single HTML page.

    Args:
      path: the file to write; it is complete or not there at all.
      title: one line.
      table: evaluation.Evaluation.
      strips: sequence of (caption, picture (H, W, 3) uint8), such as `strips.draw_strips`.
      curves: (H, W, 3) uint8 picture of `training_curves`, or None.
      commands: sequence of (what it does, command line).
      notes: sequence of paragraphs about this run: data, networks, duration.
      question: the opening paragraph, the question that the run answers.
    Raises:
      InputError: a picture is not (H, W, 3) uint8.
    """
    html.write_page(
        path,
        title,
        [
            html.paragraph(question, "lead"),
            *(html.paragraph(note) for note in notes),
            html.section(
                "Result",
                html.paragraph(verdict(table), "verdict"),
                _table(table),
                html.paragraph(binarisation(table)) if binarisation(table) else "",
            ),
            html.section("How to read the table", _guide(table)),
            html.section("Pictures", html.pictures(strips)) if strips else "",
            html.section("Training", html.pictures([("Training curves", curves)]))
            if curves is not None
            else "",
            html.section("What a mask does not prove", html.bullets(LIMITS)),
            html.section("Commands", html.command_lines(commands)) if commands else "",
            html.section("Versions", html.versions()),
        ],
    )


def _columns(table):
    """The columns of the table; without ground truth only those that do not need it."""
    without_truth = ("sparseness", "fidelity_rmse")
    return [c for c in COLUMN_GUIDE if table.images_with_truth or c in without_truth]


def _table(table):
    columns = _columns(table)
    unit = alignment.unit(table.depth_kind)
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
    unit = alignment.unit(table.depth_kind)
    words = {
        "threshold": table.threshold,
        "unit": unit,
        "unit_in_words": UNITS_IN_WORDS[unit],
        "removal": REMOVALS[table.removal],
    }
    terms = "".join(
        f"<dt>{escape(name.format(**words))}</dt><dd>{escape(text.format(**words))}</dd>\n"
        for name, text in (*rows, *columns)
    )
    return f"<dl>\n{terms}</dl>"
