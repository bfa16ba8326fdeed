"""Page at the end of a training: its result, validation frames, and logged values over epochs."""

import csv

import numpy as np

from tfdepthviz.data import transforms
from tfdepthviz.reports import colours, html, panels
from tfdepthviz.reports.rendering import save_png
from tfdepthviz.reports.training_curves import training_curves


def write_page(workdir, *, title, result, frames, commands):
    """Writes report.html and the pictures in it, frame_0.png, ... and curves.png.

    Args:
      workdir: pathlib.Path of the run, with its history.csv.
      title: one line.
      result: what came out, in words.
      frames: pictures of validation frames, (height, width, 3) uint8 RGB.
      commands: (purpose, command line) of what a reader would run next.
    Returns:
      path of the page.
    """
    curves = training_curves(workdir / "history.csv")
    for number, picture in enumerate(frames):
        save_png(workdir / f"frame_{number}.png", picture)
    save_png(workdir / "curves.png", curves)
    captioned = [(f"validation frame {number}", picture) for number, picture in enumerate(frames)]
    html.write_page(
        workdir / "report.html",
        title,
        [
            html.paragraph(result, "verdict"),
            html.section("Validation frames", html.pictures(captioned)),
            html.section("Training", html.pictures([("logged values over the epochs", curves)])),
            html.section("Next", html.command_lines(commands)),
            html.versions(),
        ],
    )
    return workdir / "report.html"


def last_epoch(workdir):
    """The last line of a run's history.csv, a dict of logged name -> float; NaN for a blank."""
    with open(workdir / "history.csv", newline="", encoding="utf-8") as file:
        row = list(csv.DictReader(file))[-1]
    return {name: float(value or "nan") for name, value in row.items()}


def draw_depth(image, depth, truth):
    """Draws frames with the estimated and the measured depth, in one colour scale a frame.

    Args:
      image: (B, H, W, 3) float32, normalised.
      depth: (B, h, w, 1) float, N(I), metres.
      truth: (B, h, w, 1) float, metres; 0 = missing.
    Returns:
      list of B pictures, (height, width, 3) uint8 RGB.
    """
    rgb = np.clip(np.asarray(transforms.denormalise(image)), 0, 1)
    pictures = []
    for picture, estimate, measured in zip(rgb, depth, truth, strict=True):
        maps = [colours.one_map(y, "depth") for y in (estimate, measured)]
        scale = colours.depth_range(*maps)
        foot = (colours.DEPTH_COLOURS, *scale, "depth, m")
        titles = ("depth N(I)", "measured depth")
        shown = [
            (title, colours.colourise_depth(y, *scale), foot)
            for title, y in zip(titles, maps, strict=True)
        ]
        shown = [("image I", colours.rgb(picture), None), *shown]
        pictures.append(panels.draw_panels(shown, rgb.shape[1:3], 3))
    return pictures
