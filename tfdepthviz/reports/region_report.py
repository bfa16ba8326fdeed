"""Region report: what N's depth at places of one photograph stands on, as pictures and a page."""

import numpy as np
from PIL import Image

from tfdepthviz.metrics import alignment
from tfdepthviz.reports import colours, html, panels, strips
from tfdepthviz.training import regions
from tfdepthviz.training.region_explanation import CONTROLS, NETWORK, SEARCHED
from tfdepthviz.utils.constants import IMAGENET_MEAN

OUTLINE = (255, 0, 200)
NAMES = {
    SEARCHED: "searched",
    NETWORK: "in one pass",
    "nearest_edges": "nearest edges",
    "nearest": "nearest pixels",
    "random_areas": "random areas",
    "random": "random pixels",
}
GUIDE = (
    "The pink outline is the place. The upper row shows the pixels that answer, from which "
    "N should give the same depth at the place. Below are the depth from these pixels alone, and "
    "the depth from all others; RMSE says how far each is off there. A removed pixel has the mean "
    "colour. Only the depth inside of the outline counts; N was free to change its mind elsewhere.",
    "Kept pixels outside of the place are context: N takes the depth of the place from them, too. "
    "Where two searches find other pixels (a low IoU), those that only one of them has can be "
    "replaced by others; one picture shows one of several answers.",
    "The controls are as many pixels without a search: the edges nearest to the place, the pixels "
    "nearest to it, random areas as smooth as searched ones, and random pixels. If a control keeps "
    "the depth as well, the answer tells nothing more than the control.",
)


def draw_answer(rgb, explanation, depth_kind):
    """Draws the kept pixels of each share, and the depth from them and from all others.

    Args:
      rgb: (h, w, 3) uint8, the part of the photograph that N sees.
      explanation: training.RegionExplanation.
      depth_kind: what N's output means, one of `alignment.KINDS`.
    Returns:
      (height, width, 3) uint8 RGB.
    """
    shown, kept, deleted = _image_and_depth(rgb, explanation, depth_kind)
    for number, share in enumerate(explanation.shares):
        title = f"{100 * share:g} % of the pixels"
        column = _column(rgb, explanation, depth_kind, explanation.mask_name, number, title)
        for row, panel in zip((shown, kept, deleted), column, strict=True):
            row.append(panel)
    return panels.draw_panels([*shown, *kept, *deleted], rgb.shape[:2], len(shown))


def draw_controls(rgb, explanation, depth_kind, number=0):
    """Draws the mask of one share that answers next to the controls; rows as of `draw_answer`.

    Args:
      rgb, explanation, depth_kind: as for `draw_answer`.
      number: of the share.
    """
    columns = [
        _column(rgb, explanation, depth_kind, name, number, NAMES[name])
        for name in explanation.masks
    ]
    rows = [panel for row in zip(*columns, strict=True) for panel in row]
    return panels.draw_panels(rows, rgb.shape[:2], len(columns))


def in_words(explanation):
    """Sentences that answer the question, one for each share."""
    unit, first = explanation.unit, explanation.rows[0]
    sentences = [f"N puts this place at {first['depth']:.3g} {unit}."]
    for share in explanation.shares:
        row = explanation.row(share=share)
        control = min(CONTROLS, key=lambda name: explanation.row(name, share)["kept_rmse"])
        best = explanation.row(control, share)["kept_rmse"]
        sentences.append(
            f"From {100 * share:g} % of the pixels it gives {row['kept_depth']:.3g} {unit} "
            f"(RMSE {row['kept_rmse']:.2g} {unit} there), without them {row['deleted_depth']:.3g} "
            f"{unit} (RMSE {row['deleted_rmse']:.2g} {unit}); {_percent(row)} of these pixels lie "
            f"outside of the place."
        )
        if row["iou"] is not None:
            sentences.append(
                f"Searches agree with an IoU of {row['iou']:.2f}, chance gives "
                f"{row['iou_by_chance']:.2f}."
            )
        if best <= row["kept_rmse"]:
            sentences.append(
                f"The control {NAMES[control]!r} keeps the depth as well (RMSE {best:.2g} {unit}): "
                "at this share the answer tells nothing more."
            )
        else:
            sentences.append(f"The best control is {NAMES[control]!r}: RMSE {best:.2g} {unit}.")
    return sentences


def write_page(path, title, answers, command):
    """Writes the page of all places of one photograph.

    Args:
      path: pathlib.Path of index.html; pictures lie next to it.
      title: names the photograph.
      answers: list of (name of the place, RegionExplanation, names of its picture files).
      command: command line that made them.
    """
    parts = [html.section("How to read the pictures", *map(html.paragraph, GUIDE))]
    for name, explanation, files in answers:
        parts.append(
            html.section(
                name,
                html.paragraph(" ".join(in_words(explanation)), "verdict"),
                *(html.linked_picture(file, f"{name}: {file}") for file in files),
                _table(explanation),
            )
        )
    parts += [html.section("Command", html.command_lines([("This page:", command)]))]
    html.write_page(path, title, [*parts, html.versions()])


def outlined(picture, region):
    """A picture with the outline of a region, which takes the picture's size.

    Args:
      picture: (h, w, 3) uint8.
      region: weights.
    """
    size = picture.shape[:2]
    inside = regions.resized(region, size) >= 0.5
    width = max(1, round(min(size) / 150))
    # Pixels of the region that are near to its outside, and not those at the picture's border.
    padded = np.pad(inside, width, mode="edge")
    core = np.ones(size, bool)
    for down in range(2 * width + 1):
        for right in range(2 * width + 1):
            core &= padded[down : down + size[0], right : right + size[1]]
    return np.where((inside & ~core)[..., np.newaxis], np.array(OUTLINE, "uint8"), picture)


def _image_and_depth(rgb, explanation, depth_kind):
    """First panels of the three rows."""
    full, scale = _full_depth(explanation, depth_kind)
    unit = alignment.unit(depth_kind)
    picture = outlined(colours.colourise_depth(full, *scale), explanation.region)
    foot = (colours.DEPTH_COLOURS, *scale, f"depth, {unit}")
    image = ("image I and the place", outlined(rgb, explanation.region), None)
    return [image], [("depth N(I)", picture, foot)], [None]


def _column(rgb, explanation, depth_kind, name, number, title):
    """Panels of one mask: its pixels, the depth from them, and the depth from all others."""
    full, scale = _full_depth(explanation, depth_kind)
    row = explanation.row(name, explanation.shares[number])
    mask = explanation.masks[name][number]
    seen = np.asarray(Image.fromarray(rgb).resize(mask.shape[::-1], Image.Resampling.BILINEAR))
    removed = np.round(255 * np.array(IMAGENET_MEAN)).astype("uint8")
    pixels = np.where(mask[..., np.newaxis] > 0, seen, removed)
    count = f"{row['pixels']} pixels, {_percent(row)} outside of the place"
    column = [(title, outlined(pixels, explanation.region), count)]
    for what, maps in (("kept", explanation.kept_depth), ("deleted", explanation.deleted_depth)):
        shown = strips.drawable_pair(depth_kind, explanation.depth, maps[name][number])[1]
        picture = outlined(colours.colourise_depth(shown, *scale), explanation.region)
        words = "N of these pixels" if what == "kept" else "N of all others"
        unit = explanation.unit
        figures = f"{row[f'{what}_depth']:.3g} {unit}, RMSE {row[f'{what}_rmse']:.2g} {unit} there"
        column.append((words, picture, figures))
    return column


def _full_depth(explanation, depth_kind):
    full, _ = strips.drawable_pair(depth_kind, explanation.depth, explanation.depth)
    return full, colours.depth_range(full)


def _percent(row):
    """Part of the kept pixels that lie outside of the place, as text."""
    return f"{100 * row['outside']:.0f} %"


def _table(explanation):
    unit = explanation.unit
    headings = [
        *("pixels", "share", f"depth from them, {unit}", "RMSE", f"depth without, {unit}", "RMSE"),
        *("outside of the place", "IoU of searches", "by chance"),
    ]
    rows = []
    for row in explanation.rows:
        iou = ["", ""]
        if row["iou"] is not None:
            iou = [f"{row['iou']:.2f}", f"{row['iou_by_chance']:.2f}"]
        names = ("kept_depth", "kept_rmse", "deleted_depth", "deleted_rmse")
        figures = [f"{row[name]:.3f}" for name in names]
        share = f"{100 * row['share']:g} %"
        rows.append([NAMES[row["mask"]], share, *figures, _percent(row), *iou])
    return html.table(headings, rows)
