"""The page a person reads: one HTML file that needs nothing beside it."""

from html import escape

from tfdepthviz.metrics import alignment
from tfdepthviz.reports import html as page
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
      path: the file to write, beside and renamed.
      title: one line.
      table: evaluation.Evaluation.
      strips: sequence of (caption, (H, W, 3) uint8 picture), as `strips.draw_strips`
        makes them.
      curves: (H, W, 3) uint8 picture, as `training_curves` makes it, or None.
      commands: sequence of (what it does, command line).
      notes: sequence of paragraphs about this run: data, networks, how long it took.
      question: what was asked, in plain words.
    Raises:
      InputError: a picture is not (H, W, 3) uint8.
    """
    page.write_page(
        path,
        title,
        [
            page.paragraph(question, "lead"),
            *(page.paragraph(note) for note in notes),
            page.section(
                "What came out",
                page.paragraph(verdict(table), "verdict"),
                _table(table),
                page.paragraph(binarisation(table)) if binarisation(table) else "",
            ),
            page.section("How to read the table", _guide(table)),
            page.section("Pictures", page.pictures(strips)) if strips else "",
            page.section("Training", page.pictures([("training curves", curves)]))
            if curves is not None
            else "",
            page.section("What a mask does not prove", page.bullets(LIMITS)),
            page.section("Commands", page.command_lines(commands)) if commands else "",
            page.section("Versions", page.versions()),
        ],
    )


def _columns(table):
    """Columns that hold a figure; without ground truth only those that need none."""
    needs_none = ("sparseness", "fidelity_rmse")
    return [c for c in COLUMN_GUIDE if table.images_with_truth or c in needs_none]


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
    }
    terms = "".join(
        f"<dt>{escape(name.format(**words))}</dt><dd>{escape(text.format(**words))}</dd>\n"
        for name, text in (*rows, *columns)
    )
    return f"<dl>\n{terms}</dl>"
