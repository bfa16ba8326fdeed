"""The report of optimised masks, equation (3): tables, Figure 3 and an HTML page."""

import io
import math

import numpy as np
from PIL import Image

from tfdepthviz import evaluation
from tfdepthviz.metrics import alignment
from tfdepthviz.reports import colours, evaluation_report, grids
from tfdepthviz.utils.files import write_whole
from tfdepthviz.utils.tables import is_nan, without_nan, write_csv, write_json

SEARCHED = "(3)"
QUESTION = (
    "A depth network estimates the distance of every pixel from a single photograph. Which pixels "
    "does it need? Here the mask of each image was optimised on its own: gradients through the "
    "depth network, which is not changed, adapted its logits step by step. No second network had "
    "to learn one rule for all images."
)
CAUTION = (
    "These masks show that the pixels suffice, not that the network looks at them: optimising the "
    "mask of a single image can find pixels that steer the network, as adversarial examples do. "
    "Where two searches of an image overlap no more than random masks of the same share, the image "
    "does not determine which pixels are kept."
)
DELETED = (
    "The search looked for the pixels that the network misses most. The mask shows the pixels that "
    "remain, and a large distance is the aim. Statements below about small distances therefore "
    "hold the other way round."
)
# Figures that are averaged as the root of the mean square, as every RMSE; the others as the mean.
ROOTS = ("fidelity_rmse", "binary_fidelity_rmse")


def summarise(rows):
    """Figures of each mask over all frames.

    Args:
      rows: dicts with "frame", "mask" (its name), and figures, None where one does not apply.
    Returns:
      dict of name -> dict of float: root of the mean square of ROOTS, mean of the others; None
      where no row has a number.
    """
    summary = {}
    for name in dict.fromkeys(row["mask"] for row in rows):
        own = [row for row in rows if row["mask"] == name]
        summary[name] = {
            figure: _mean([row[figure] for row in own], figure in ROOTS)
            for figure in own[0]
            if figure not in ("frame", "mask")
        }
    return summary


def write_tables(folder, about, rows, summary, table):
    """Writes masks.csv, masks.json, and the tables of `evaluation.write_table`.

    Args:
      folder: pathlib.Path.
      about: dict of the options that made the masks.
      rows, summary: as for `summarise`.
      table: evaluation.Evaluation of the optimised masks.
    """
    rows = [without_nan(row) for row in rows]
    write_csv(folder / "masks.csv", list(rows[0]), rows)
    write_json(folder / "masks.json", {"options": about, "summary": summary, "rows": rows})
    evaluation.write_table(table, folder)


def save_mask(path, mask):
    """Writes (H, W, 1) grey levels in [0, 1] as a 16-bit PNG file, 65535 = 1."""
    stream = io.BytesIO()
    Image.fromarray(np.round(65535 * mask[..., 0]).astype("uint16")).save(stream, format="PNG")
    write_whole(path, stream.getvalue())


def figure_3(frames, rows, unit):
    """A row for each image: the image, and each mask with its share and fidelity below.

    Args:
      frames: sequence of (image (H, W, 3) float RGB in [0, 1], {name: mask (H, W, 1)}).
      rows: as for `summarise`, in the order of the frames and of their masks.
      unit: unit of fidelity, see `alignment.unit`.
    Returns:
      (height, width, 3) uint8 RGB.
    Source: Hu et al. 2019 (ICCV), figure 3.
    """
    names = list(frames[0][1])
    pictures, feet = [], []
    for number, (rgb, masks) in enumerate(frames):
        own = rows[number * len(names) : (number + 1) * len(names)]
        whole = np.round(255 * rgb).astype("uint8")
        pictures.append([whole, *(colours.grey(masks[name]) for name in names)])
        feet.append(["", *(_foot(row, unit) for row in own)])
    titles = ["image", *(f"mask by {name.replace(' ', chr(10), 1)}" for name in names)]
    return grids.grid(pictures, titles, width=280, feet=feet)


def in_words(figures, images, unit):
    """The result of the search, and the agreement of its restarts, in one or two sentences.

    Args:
      figures: summary of the optimised masks, see `summarise`.
      images: number of images.
      unit: unit of fidelity.
    """
    result = (
        f"The masks of {images} images keep {figures['sparseness']:.1%} of the pixels after "
        f"{figures['steps']:.0f} steps and {figures['seconds']:.0f} s an image. With the binarised "
        f"masks the depth is {figures['binary_fidelity_rmse']:.3f} {unit} from that of the whole "
        "image."
    )
    if figures["iou"] is None:
        return f"{result} A single search cannot show whether another one would find the same mask."
    return (
        f"{result} Two searches of the same image overlap with an IoU of {figures['iou']:.3f}; "
        f"random masks of the same share have {figures['iou_by_chance']:.3f}."
    )


def write_page(path, *, title, table, summary, objective, figure, strips, command):
    """Writes report.html.

    Args:
      path: the file.
      title: one line.
      table: evaluation.Evaluation of the optimised masks.
      summary: result of `summarise`.
      objective: "preserve" or "delete".
      figure: picture of `figure_3`.
      strips: sequence of (caption, picture).
      command: the command line.
    """
    result = in_words(summary[SEARCHED], table.images, alignment.unit(table.depth_kind))
    evaluation_report.write_report(
        path,
        title=title,
        table=table,
        strips=[("Figure 3: masks by equation (3) next to masks of G", figure), *strips],
        curves=None,
        commands=[("This page", command)],
        notes=[result, *([DELETED] if objective == "delete" else []), CAUTION],
        question=QUESTION,
    )


def _foot(row, unit):
    return (
        f"{row['sparseness']:.1%} kept, {row['fidelity_rmse']:.3f} {unit} from N(I)\n"
        f"binarised {row['binary_fidelity_rmse']:.3f} {unit}"
    )


def _mean(values, root):
    values = [value for value in values if value is not None and not is_nan(value)]
    if not values:
        return None
    return math.sqrt(np.mean(np.square(values))) if root else float(np.mean(values))
