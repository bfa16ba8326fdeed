"""Clip video: the explanation of a clip as a film, its curves over time, and its page."""

import math

import numpy as np
from matplotlib.figure import Figure

from tfdepthviz.data.video import load_av
from tfdepthviz.metrics import alignment
from tfdepthviz.reports import colours, html, panels, strips
from tfdepthviz.reports.rendering import DPI, rendered
from tfdepthviz.utils.errors import InputError
from tfdepthviz.utils.files import whole_file, writing

# Codecs that browsers play, best first; which of them are there depends on the build of FFmpeg.
CODECS = ("libx264", "libopenh264", "libvpx-vp9", "mpeg4")
GUIDE = (
    "The film shows the clip, the pixels that G ranks highest, N's depth from the whole frame, and "
    "N's depth from these pixels alone, all depth in one colour scale.",
    "The upper curve is the distance of the two depths, frame by frame. The lower ones tell what "
    "changes from a frame to the next: how far N's depth moves, and how many pixels stay. The "
    "camera moves, too, so a mask that moves with the scene changes as well; a mask that jumps "
    "while N's depth stays deserves doubt.",
)


def draw_frame(rgb, depth, cut, *, share, depth_kind, scale, removal="mean"):
    """Draws one frame in four panels: image, kept pixels, N(I), N(I * M').

    Args:
      rgb: (h, w, 3) uint8, the part of the frame that the networks see.
      depth: (H, W) float, N(I).
      cut: `serving.client.Cut` of the share.
      share: of the pixels.
      depth_kind: what N's output means, one of `alignment.KINDS`.
      scale: (low, high) of the colours of depth, the same for all frames.
      removal: what N sees of a removed pixel.
    Returns:
      (height, width, 3) uint8 RGB, height and width even, as video codecs want them.
    """
    unit = alignment.unit(depth_kind)
    full, masked = strips.drawable_pair(depth_kind, depth, cut.binary_depth)
    off = f"RMSE {cut.fidelity_rmse:.3g} {unit} from N(I)"
    drawn = [
        ("frame I", rgb, None),
        (f"{100 * share:g} % of the pixels", strips.as_seen(rgb, cut.binary_mask, removal), None),
        (
            "depth N(I)",
            colours.colourise_depth(full, *scale),
            (colours.DEPTH_COLOURS, *scale, f"depth, {unit}"),
        ),
        ("depth N(I * M')", colours.colourise_depth(masked, *scale), off),
    ]
    picture = panels.draw_panels(drawn, rgb.shape[:2], 2)
    return picture[: picture.shape[0] // 2 * 2, : picture.shape[1] // 2 * 2]


def write_video(path, pictures, rate):
    """Writes a film, completely or not at all.

    Args:
      path: pathlib.Path that ends in .mp4.
      pictures: iterable of (height, width, 3) uint8 RGB, all of one even size.
      rate: frames a second, a Fraction.
    Raises:
      InputError: PyAV is missing, or has no codec for it.
      WriteError: the file cannot be written.
    """
    av = load_av()
    codec = next((name for name in CODECS if name in av.codecs_available), None)
    if codec is None:
        raise InputError(f"PyAV {av.__version__} has none of the codecs {', '.join(CODECS)}")
    with (
        writing(path, av.FFmpegError),
        whole_file(path) as partial,
        av.open(str(partial), "w") as container,
    ):
        stream = None
        for picture in pictures:
            if stream is None:
                stream = container.add_stream(codec, rate=rate)
                stream.height, stream.width = picture.shape[:2]
                stream.pix_fmt = "yuv420p"
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def draw_curves(rows, unit):
    """Fidelity of each frame, and what changes from frame to frame, over time.

    Args:
      rows: dicts with the keys of `trainers.explain_video.COLUMNS`.
      unit: of the depth.
    Returns:
      (height, width, 3) uint8 RGB.
    """
    seconds = [row["seconds"] for row in rows]
    figure = Figure(figsize=(8, 5), dpi=DPI, layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    above.plot(seconds, [row["fidelity_rmse"] for row in rows], color="#1f77b4", lw=1.5)
    above.set(ylabel=f"N(I * M') from N(I), {unit}", ylim=(0, None))
    for name, colour, label in (
        ("depth_change", "#555555", "N(I)"),
        ("masked_depth_change", "#d95f02", "N(I * M')"),
    ):
        below.plot(seconds, [row[name] for row in rows], color=colour, lw=1.5, label=label)
    below.set(xlabel="seconds", ylabel=f"change from the frame before, {unit}", ylim=(0, None))
    beside = below.twinx()
    overlaps = [row["mask_overlap"] for row in rows]
    beside.plot(seconds, overlaps, color="#2ca02c", lw=1, ls="--", label="pixels that stay")
    least = min([0, *(value for value in overlaps if not math.isnan(value))])
    beside.set(ylabel="pixels that stay; 0 as by chance", ylim=(least, 1))
    lines = [*below.get_lines(), *beside.get_lines()]
    below.legend(lines, [line.get_label() for line in lines], fontsize=8, loc="upper right")
    for ax in (above, below):
        ax.grid(alpha=0.3)
    return rendered(figure)


def write_page(path, title, about, film, pictures, rows, commands):
    """Writes the page of a clip.

    Args:
      path: pathlib.Path.
      title: of the page.
      about: sentences on the networks, the clip and what came out.
      film: name of the film's file, next to the page.
      pictures: (caption, picture) of the curves and of single frames.
      rows: as of `draw_curves`.
      commands: (purpose, command line) of what a reader would run next.
    """
    worst = sorted(rows, key=lambda row: -row["fidelity_rmse"])[:5]
    cells = [
        [str(row["frame"]), f"{row['seconds']:.2f}", f"{row['fidelity_rmse']:.3g}"] for row in worst
    ]
    parts = [
        *(html.paragraph(text, "lead") for text in about),
        html.film(film),
        html.section("How to read it", *(html.paragraph(text) for text in GUIDE)),
        html.section("Over time", html.pictures(pictures)),
        html.section(
            "Frames that the mask explains worst",
            html.table(["frame", "seconds", "distance from N(I)"], cells),
        ),
        html.section("Next", html.command_lines(commands)),
        html.versions(),
    ]
    html.write_page(path, title, parts)
