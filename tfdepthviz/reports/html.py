"""Parts of HTML pages. Pictures are embedded unless a page links to them; there are no scripts."""

import base64
import datetime
import importlib.metadata
import platform
from html import escape

from tfdepthviz.reports import rendering
from tfdepthviz.utils.errors import InputError
from tfdepthviz.utils.files import write_whole

PACKAGES = ("tfdepthviz", "tensorflow", "keras", "numpy")

STYLE = """
:root { color-scheme: light; --ink: #1d2733; --soft: #5b6773; --line: #d9dfe5; --blue: #2b6cb0; }
* { box-sizing: border-box; }
body { margin: 0; background: #f4f6f8; color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .75rem; }
h2 { font-size: 1.2rem; margin: 0 0 .75rem; }
section { background: #fff; border: 1px solid var(--line); border-radius: 8px;
  padding: 1.25rem 1.5rem; margin: 1.25rem 0; }
p { margin: 0 0 .75rem; max-width: 75ch; }
.lead { font-size: 1.08rem; }
.verdict { border-left: 4px solid var(--blue); padding-left: .9rem; font-size: 1.05rem; }
.small { color: var(--soft); font-size: .88rem; margin: .5rem 0 0; }
.wide { overflow-x: auto; }
.wide + figure { margin-top: 1rem; }
table { border-collapse: collapse; width: 100%; font-size: .92rem;
  font-variant-numeric: tabular-nums; }
th, td { padding: .45rem .5rem; text-align: right; border-bottom: 1px solid var(--line);
  white-space: nowrap; }
thead th { color: var(--soft); font-weight: 600; vertical-align: bottom; white-space: normal; }
th:first-child { text-align: left; }
tbody th { font-weight: 500; }
tr.binary_mask { background: #eaf2fa; }
.bar { display: block; height: 4px; margin-top: 3px; background: #e6eaee; border-radius: 2px; }
.bar span { display: block; height: 4px; background: var(--blue); border-radius: 2px; }
dl { display: grid; grid-template-columns: minmax(9rem, max-content) 1fr; gap: .4rem 1.2rem;
  margin: 0; }
dt { font-weight: 600; }
dd { margin: 0; max-width: 75ch; }
ul { margin: 0; padding-left: 1.2rem; }
li { margin-bottom: .5rem; max-width: 75ch; }
figure { margin: 0 0 1.5rem; }
figcaption { color: var(--soft); margin-bottom: .4rem; }
img, video { display: block; max-width: 100%; height: auto; }
pre { background: #1d2733; color: #f0f3f6; padding: .8rem 1rem; border-radius: 6px;
  overflow-x: auto; font-size: .88rem; margin: 0 0 1rem; }
@media (max-width: 40rem) { dl { grid-template-columns: 1fr; } dd { margin-bottom: .5rem; }
  section { padding: 1rem; } }
@media print { body { background: #fff; } section { break-inside: avoid; } }
"""


def write_page(path, title, parts):
    """Writes one page.

    Args:
      path: the file to write; it is complete or not there at all.
      title: one line.
      parts: sequence of HTML texts, as the functions below return them; "" is left out.
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
    """A table of texts; the first text of each row is the row's heading."""
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


def linked_picture(path, alt):
    """A picture in a file of its own, which a click shows at its full size.

    Args:
      path: address relative to the page, quoted as in URLs.
      alt: text for those who do not see it.
    """
    source, alt = escape(path), escape(alt)
    return f"<a href='{source}'><img alt='{alt}' src='{source}' loading='lazy'></a>"


def film(path):
    """A film in a file of its own, which the reader starts.

    Args:
      path: as for `linked_picture`.
    """
    source = escape(path)
    return f"<video controls loop muted playsinline preload='metadata' src='{source}'></video>"


def bullets(items):
    """A bulleted list of texts."""
    return "<ul>\n" + "".join(f"<li>{escape(item)}</li>\n" for item in items) + "</ul>"


def command_lines(commands):
    """A block for each (what it does, command line)."""
    return "\n".join(
        f"<p>{escape(what)}</p>\n<pre><code>{escape(command)}</code></pre>"
        for what, command in commands
    )


def versions():
    """A paragraph with the versions of Python and the packages, and today's date."""
    texts = [f"Python {platform.python_version()}"]
    for package in PACKAGES:
        try:
            texts.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            # tfdepthviz may run from its sources, TensorFlow may be installed under another name.
            continue
    return paragraph(
        f"{', '.join(texts)}. Written on {datetime.date.today().isoformat()}.", "small"
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
