"""Page of a check: a data set and a depth network, before a training."""

import dataclasses
import math

import numpy as np
from matplotlib import ticker
from matplotlib.figure import Figure
from PIL import Image, ImageOps

from tfdepthviz.data import transforms
from tfdepthviz.reports import colours, grids, html, panels, training_page
from tfdepthviz.reports.rendering import DPI, rendered

# Size of the pictures in grids, (width, height), and number of columns.
PICTURE, COLUMNS = (240, 180), 4
SPLIT_HEADINGS = (
    *("", "frames", "read here", "not readable", "sizes, width x height", "orientation"),
    "seen by the networks",
)
DEPTH_HEADINGS = ("", "frames with depth", "valid pixels", "median", "98 % from", "to")
# Errors against measured depth: name of a column -> heading.
ERRORS = {
    "rmse": "RMSE, m",
    "mae": "MAE, m",
    "rel": "relative error",
    "log10": "log10 error",
    "delta1": "within 1.25",
    "delta2": "within 1.25²",
    "delta3": "within 1.25³",
}
ERROR_HEADINGS = ("", *ERRORS.values())


@dataclasses.dataclass(frozen=True)
class Section:
    """One section of the page.

    Attributes:
      texts: paragraphs.
      headings, rows: texts of a table; no rows: no table.
      pictures: (caption, (H, W, 3) uint8) of each.
    """

    texts: tuple = ()
    headings: tuple = ()
    rows: tuple = ()
    pictures: tuple = ()


def write_page(path, *, title, verdict, findings, sections, commands):
    """Writes the page.

    Args:
      path: the file to write.
      title: one line.
      verdict: the main figures, in a sentence or two.
      findings: what to mend or to know before a training, in sentences; may be empty.
      sections: heading -> Section.
      commands: (purpose, command line) of what a reader would run next.
    """
    html.write_page(
        path,
        title,
        [
            html.section(
                "Result",
                html.paragraph(verdict, "verdict"),
                html.bullets(findings) if findings else "",
            ),
            *(html.section(heading, *_parts(section)) for heading, section in sections.items()),
            html.section("Next", html.command_lines(commands)),
            html.versions(),
        ],
    )


def _parts(section):
    table = html.table(section.headings, section.rows) if section.rows else ""
    return [*map(html.paragraph, section.texts), table, html.pictures(section.pictures)]


def draw_frames(examples, names, notes):
    """Frames in columns: the image, and below it its depth, where any frame has some.

    Args:
      examples: raw examples of NumPy arrays, at most COLUMNS.
      names: of the frames, which only the caption holds: matplotlib's font has not every letter.
      notes: for each frame lines to show above it.
    Returns:
      (caption, picture), whose depth maps have one colour scale.
    """
    low, high = colours.depth_range(*(example["depth"] for example in examples))
    rows, caption = [[_fitted(example["image"]) for example in examples]], _numbered(names)
    if any(example["depth"].any() for example in examples):
        depths = (colours.colourise_depth(example["depth"], low, high) for example in examples)
        rows.append([_fitted(depth, Image.Resampling.NEAREST) for depth in depths])
        caption += f" Depth: bright is {low:.2g} m, dark is {high:.2g} m, grey is missing."
    titles = ["\n".join([*lines, str(number)]) for number, lines in enumerate(notes, 1)]
    return caption, grids.grid(rows, titles, width=PICTURE[0])


def draw_pairs(pairs, names):
    """Frames of one split above those of another that show the same.

    Args:
      pairs: (validation image, training image), (H, W, 3) uint8, at most COLUMNS.
      names: of both, for each pair.
    Returns:
      (caption, picture).
    """
    rows = [[_fitted(image) for image in row] for row in zip(*pairs, strict=True)]
    titles = [str(number) for number in range(1, 1 + len(pairs))]
    caption = "Validation frames above, training frames that show the same below."
    caption += f" {_numbered(f'{one} and {other}' for one, other in names)}"
    return caption, grids.grid(rows, titles, width=PICTURE[0])


def draw_depth_range(frames_of_splits):
    """Median and range of depth, frame by frame.

    Args:
      frames_of_splits: name of a split -> data.survey.Frame's in the order of the data set.
    Returns:
      (height, width, 3) uint8 RGB; None if no frame has depth.
    """
    known = {
        split: [(place, frame) for place, frame in enumerate(frames) if frame.median]
        for split, frames in frames_of_splits.items()
    }
    known = {split: frames for split, frames in known.items() if frames}
    if not known:
        return None
    figure = Figure(figsize=(1000 / DPI, 300 / DPI), dpi=DPI, facecolor="white", layout="tight")
    axes = figure.subplots(1, len(known), sharey=True, squeeze=False)[0]
    for ax, (split, frames) in zip(axes, known.items(), strict=True):
        places = [place for place, _ in frames]
        low, median, high = np.array([(f.low, f.median, f.high) for _, f in frames]).T
        # A single frame has no width.
        style = {"marker": "."} if len(frames) == 1 else {}
        ax.fill_between(places, low, high, color="#2b6cb0", alpha=0.25, lw=0, label="98 %")
        ax.plot(places, median, color="#2b6cb0", lw=1, label="median", **style)
        ax.set(title=split, xlabel="frame, in the order of the data set", yscale="log")
        ax.grid(color="#d9dfe5", lw=0.6)
    axes[0].set_ylabel("depth, m")
    axes[0].yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    axes[0].yaxis.set_minor_locator(ticker.NullLocator())
    axes[0].yaxis.set_major_formatter("{x:g}")
    axes[0].legend(fontsize=8)
    return rendered(figure)


def split_row(split, frames, total, unreadable, covered):
    """A row of the table of frames.

    Args:
      split: its name.
      frames: data.survey.Frame's that were read.
      total: frames of the whole split.
      unreadable: how many could not be read.
      covered: share of the image that the networks see, mean over the frames.
    """
    sizes = [f"{frame.width}x{frame.height}" for frame in frames]
    counts = sorted({size: sizes.count(size) for size in sizes}.items(), key=lambda c: -c[1])
    listed = ", ".join(f"{size} ({count})" for size, count in counts[:3])
    more = f" and {len(counts) - 3} more" if len(counts) > 3 else ""
    portrait = sum(frame.height > frame.width for frame in frames)
    formats = f"{len(frames) - portrait} landscape, {portrait} portrait"
    cells = (f"{total:,}", f"{len(frames):,}", f"{unreadable:,}", listed + more, formats)
    return (split, *cells, f"{covered:.0%}")


def depth_row(split, frames):
    """A row of the table of depth; see `split_row`."""
    known = [frame for frame in frames if frame.median]
    if not known:
        return (split, "0", "", "", "", "")
    valid = np.mean([frame.valid for frame in frames])
    metres = (
        np.median([frame.median for frame in known]),
        np.median([frame.low for frame in known]),
        np.median([frame.high for frame in known]),
    )
    return (split, f"{len(known):,}", f"{valid:.1%}", *(f"{value:.3g} m" for value in metres))


def error_row(name, row):
    """A row of the table of N's errors.

    Args:
      name: what the row shows.
      row: of evaluation.Evaluation.
    """
    return (name, *("" if math.isnan(row[error]) else f"{row[error]:.3f}" for error in ERRORS))


def step_headings(on_gpu, epochs):
    """Headings of the table of a training step."""
    memory = "memory of the GPU" if on_gpu else "memory of the process"
    return ("", "a step", "the first step", memory, "steps", f"{epochs} epochs without validation")


def draw_estimates(target, batch):
    """Frames with N's depth, and with the measured depth where there is some.

    Args:
      target: N, a DepthTarget.
      batch: {"image": (B, H, W, 3) normalised, "depth": (B, h, w, 1) metres}, h, w N's output size.
    Returns:
      list of pictures, (height, width, 3) uint8 RGB.
    """
    image, truth = np.asarray(batch["image"]), np.asarray(batch["depth"])
    output = target.net.predict_on_batch(image)
    if truth.any():
        return training_page.draw_depth(image, np.asarray(target.in_metres(truth, output)), truth)
    depth = np.asarray(target.drawable(output, output)[0])
    rgb = np.clip(np.asarray(transforms.denormalise(image)), 0, 1)
    pictures = []
    for picture, estimate in zip(rgb, depth, strict=True):
        scale = colours.depth_range(estimate)
        foot = (colours.DEPTH_COLOURS, *scale, f"depth, {target.unit}")
        shown = [
            ("image I", colours.rgb(picture), None),
            ("depth N(I)", colours.colourise_depth(estimate, *scale), foot),
        ]
        pictures.append(panels.draw_panels(shown, rgb.shape[1:3], 2))
    return pictures


def _fitted(picture, resampling=Image.Resampling.LANCZOS):
    """A picture of any shape in a white frame of PICTURE."""
    return np.asarray(ImageOps.pad(Image.fromarray(picture), PICTURE, resampling, color="white"))


def _numbered(names):
    return f"{'; '.join(f'{number}: {name}' for number, name in enumerate(names, 1))}."
