"""Tables as aligned text, Markdown, CSV and JSON."""

import csv
import io
import json
import math

from tfdepthviz.utils.constants import COLUMNS
from tfdepthviz.utils.files import write_whole


def text_table(headings, rows, style="text"):
    """A table with its first column aligned left and the others right.

    Args:
      headings: sequence of str.
      rows: sequences of str, one per heading.
      style: "text" for a terminal, where headings of a wide table take several lines; "markdown"
        for a README.
    Returns:
      str, its lines ending in a line feed.
    """
    lines = [headings, *rows]
    padded, widths = _padded(lines)
    if style == "text":
        if sum(widths) + 2 * len(widths) > COLUMNS:
            padded, widths = _padded([*_stacked(headings), *rows])
        return "".join("  ".join(line).rstrip() + "\n" for line in padded)
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "".join(f"| {' | '.join(line)} |\n" for line in [padded[0], rule, *padded[1:]])


def _padded(lines):
    """Lines with their texts padded to the widths of the columns, and these widths."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    padded = [
        [line[0].ljust(widths[0]), *(t.rjust(w) for t, w in zip(line[1:], widths[1:], strict=True))]
        for line in lines
    ]
    return padded, widths


def _stacked(headings):
    """The headings on several lines, a word on each."""
    words = [heading.split(" ") for heading in headings]
    count = max(map(len, words))
    stacked = [[""] * (count - len(column)) + column for column in words]
    return [list(line) for line in zip(*stacked, strict=True)]


def write_csv(path, columns, rows):
    """Writes dicts as CSV, whole or not at all; None becomes a blank."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_whole(path, stream.getvalue())


def write_json(path, content):
    """Writes a value as JSON, whole or not at all; NaN is refused."""
    write_whole(path, json.dumps(content, indent=2, allow_nan=False) + "\n")


def without_nan(row):
    """A dict with None instead of NaN, which CSV shows as a blank and JSON as null."""
    return {k: None if is_nan(v) else v for k, v in row.items()}


def is_nan(value):
    """Whether a value of any type is the float NaN."""
    return isinstance(value, float) and math.isnan(value)
