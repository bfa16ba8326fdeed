"""Parts of an HTML page that needs nothing beside it: pictures are inside, there is no script."""

import base64
import datetime
import importlib.metadata
import platform
from html import escape

from tfdepthviz.reports import rendering
from tfdepthviz.reports.wording import STYLE
from tfdepthviz.utils.errors import InputError
from tfdepthviz.utils.files import write_whole

PACKAGES = ("tfdepthviz", "tensorflow", "keras", "numpy")


def write_page(path, title, parts):
    """Writes one page.

    Args:
      path: the file to write, beside and renamed.
      title: one line.
      parts: sequence of HTML, as the functions below make it; "" is left out.
    """
    body = "\n".join(part for part in [f"<h1>{escape(title)}</h1>", *parts] if part)
    write_whole(
        path,
        "<!DOCTYPE html>\n<html lang='en'>\n<head>\n<meta charset='utf-8'>\n"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>\n"
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n"
        f"<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n",
    )


def section(heading, *parts):
    """A box with a heading; parts are HTML."""
    return f"<section>\n<h2>{escape(heading)}</h2>\n" + "\n".join(parts) + "\n</section>"


def paragraph(text, kind=None):
    """A paragraph; kind: None, "lead", "verdict" or "small"."""
    return f"<p class='{kind}'>{escape(text)}</p>" if kind else f"<p>{escape(text)}</p>"


def table(headings, rows):
    """A table of texts; the first of each row names it."""
    head = "".join(f"<th scope='col'>{escape(heading)}</th>" for heading in headings)
    lines = [
        f"<tr><th scope='row'>{escape(name)}</th>"
        + "".join(f"<td>{escape(text)}</td>" for text in texts)
        + "</tr>"
        for name, *texts in rows
    ]
    return (
        f"<div class='wide'><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n"
        + "\n".join(lines)
        + "\n</tbody>\n</table></div>"
    )


def pictures(captioned):
    """A figure for each (caption, (H, W, 3) uint8 picture).

    Raises:
      InputError: a picture is not (H, W, 3) uint8.
    """
    return "\n".join(_picture(caption, picture) for caption, picture in captioned)


def bullets(items):
    """A list of texts."""
    return "<ul>\n" + "".join(f"<li>{escape(item)}</li>\n" for item in items) + "</ul>"


def command_lines(commands):
    """A block for each (what it does, command line)."""
    return "\n".join(
        f"<p>{escape(what)}</p>\n<pre><code>{escape(command)}</code></pre>"
        for what, command in commands
    )


def versions():
    """What wrote the page, and when."""
    found = [f"Python {platform.python_version()}"]
    for package in PACKAGES:
        try:
            found.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            # Run from its sources, or TensorFlow under another distribution's name.
            continue
    return paragraph(
        f"{', '.join(found)}. Written on {datetime.date.today().isoformat()}.", "small"
    )


def _picture(caption, picture):
    if picture.dtype != "uint8":
        raise InputError(f"picture {caption!r} must be uint8. Received: {picture.dtype}")
    height, width = picture.shape[:2]
    data = base64.b64encode(rendering.png(picture)).decode("ascii")
    return (
        f"<figure><figcaption>{escape(caption)}</figcaption>"
        f"<img alt='{escape(caption)}' width='{width}' height='{height}' "
        f"src='data:image/png;base64,{data}'></figure>"
    )
