"""Wording: the texts of the reports, which explain rows, columns, results and limits."""

import math

from tfdepthviz.evaluation.paired import best_control, differences, too_few
from tfdepthviz.metrics import alignment

QUESTION = (
    "A depth network estimates the distance of every pixel from a single photograph. Which pixels "
    "does it need? A second network, the mask generator, was trained to remove as many pixels as "
    "possible while the depth network, which is not changed, still estimates nearly the same "
    "depth. The pixels that remain are the mask."
)

# row -> (name, what it means)
ROW_GUIDE = {
    "image": (
        "the whole image",
        "N(I): the depth network N on the unmasked image. A mask cannot be expected to reach a "
        "smaller error against ground truth.",
    ),
    "mask": (
        "image x mask",
        "N(I * M): the mask M fades each pixel towards {removal}. Its grey levels run from "
        "0 (removed) to 1 (kept).",
    ),
    "binary_mask": (
        "image x binarised mask",
        "N(I * M'): pixels with a grey level above {threshold:g} are kept unchanged, all others "
        "are removed. Trust this row: grey levels carry no information to the network here.",
    ),
    "sobel": (
        "as many edge pixels",
        "A control: the pixels with the strongest Sobel edges of each image, exactly as many as "
        "the binarised mask keeps.",
    ),
    "blurred_edges": (
        "as many pixels near edges",
        "A control: the same with edges averaged over 5x5 pixels, which also ranks the neighbours "
        "of an edge high.",
    ),
    "random": (
        "as many random pixels",
        "A control: random pixels of each image, exactly as many as the binarised mask keeps; "
        "the mean over several draws.",
    ),
    "random_blocks": (
        "as many pixels in random blocks",
        "A control: square blocks of 16 to 64 pixels at random places, cut to as many pixels as "
        "the binarised mask keeps; the mean over several draws.",
    ),
    "untrained": (
        "as many pixels of G before training",
        "A control: the top pixels of the mask generator as it was before training. A mask that "
        "is no better owes its result to the network's start.",
    ),
    "mean_map": (
        "the mean map, no pixels",
        "A control: N's mean depth over training images stands for its depth of every image. "
        "Pixels that bring N no closer to N(I) tell it nothing about the image.",
    ),
}

# column of the table -> (heading, what it means)
COLUMN_GUIDE = {
    "sparseness": (
        "pixels kept",
        "The share of pixels above the threshold of {threshold:g}, mean over the images.",
    ),
    "fidelity_rmse": (
        "distance from N(I),\u00a0{unit}",
        "Root mean squared difference from the depth that the network estimates from the whole "
        "image, in {unit_in_words}. Small means that the pixels shown are enough.",
    ),
    "rmse": (
        "RMSE,\u00a0m",
        "Root mean squared error against measured depth, in metres: the root of the mean over "
        "images of each image's mean squared error.",
    ),
    "mae": ("MAE,\u00a0m", "Mean absolute error against measured depth, in metres."),
    "rel": ("REL", "Mean absolute error divided by the measured depth."),
    "log10": ("log10", "Mean absolute difference between the decimal logarithms of both depths."),
    "delta1": (
        "<\u00a01.25",
        "Share of pixels whose depth is wrong by a factor of less than 1.25; 1 is best.",
    ),
    "delta2": ("<\u00a01.25²", "The same for a factor of 1.25² = 1.5625."),
    "delta3": ("<\u00a01.25³", "The same for a factor of 1.25³ = 1.953."),
}

UNITS_IN_WORDS = {
    "m": "metres",
    "σ": "standard deviations (σ) of the depth from the whole image, after alignment by scale and "
    "shift, because the network's output has no unit",
}
ALIGNED = (
    "This network's output has no unit. Each estimate was first aligned to measured depth by the "
    "best scale and shift; the errors in metres are those that remain."
)

LIMITS = (
    "The grey levels of a mask can themselves carry depth to the network. The report therefore "
    "lists the binarised mask as well; where the two rows differ much, trust the binarised one.",
    "Even the shape of a binarised mask can carry depth, because the network that drew it saw the "
    "whole image. A sufficient masked image does not prove that the depth network looks at these "
    "pixels when it sees the whole image. A second depth network, trained on randomly masked "
    "images, would expose part of such a code.",
    "A removed pixel takes the mean colour, unless another removal was asked for. The depth "
    "network was not trained on such images, and another fill can give another mask; "
    "trainers.audit_masks tries five.",
    "The mask belongs to this depth network and these images. To find out whether it depends on "
    "what the network has learned, train a mask generator for the same network with randomised "
    "weights.",
    "Fidelity to the network's own depth is not accuracy: a poor network can be explained "
    "faithfully. Compare with the error against measured depth in the first row.",
)


def verdict(table):
    """One paragraph: the share that the binarised mask keeps, its fidelity, and the best control's.

    Args:
      table: evaluation.Evaluation.
    Returns:
      str without markup.
    """
    rows = {row["row"]: row for row in table.rows}
    if "binary_mask" not in rows:
        rmse = rows["image"]["rmse"]
        if math.isnan(rmse):
            return f"The network was run on {_images(table)} without ground truth."
        return f"On {_images(table)} the network's RMSE against ground truth is {rmse:.3f} m."
    unit = alignment.unit(table.depth_kind)
    best = best_control(table)
    return (
        f"On {_images(table)} the binarised mask keeps "
        f"{rows['binary_mask']['sparseness']:.1%} of the pixels. From these alone the network "
        f"comes within {rows['binary_mask']['fidelity_rmse']:.3f} {unit} of the depth that it "
        f'estimates from the whole image. The best control, "{ROW_GUIDE[best][0]}", comes within '
        f"{rows[best]['fidelity_rmse']:.3f} {unit}. {_judged(table, best, unit)}"
    )


def _images(table):
    return f"{table.images} image{'s' * (table.images != 1)}"


def _judged(table, best, unit):
    """The difference of the binarised mask to the best control, and what follows."""
    every = differences(table)
    value, low, high = every[best].values()
    text = f"The difference is {value:+.3f} {unit}"
    if table.images > 1:
        text += f", with a 95% interval from {low:+.3f} to {high:+.3f}"
    text += ". "
    if few := too_few(table.images):
        return text + few
    if value >= 0:
        text += "So the mask does not show what the network needs: this control is as good."
    elif high >= 0:
        text += "The interval reaches 0, so the mask may be no better than this control."
    elif unsure := [name for name, other in every.items() if other["high"] >= 0]:
        names = ", ".join(f'"{ROW_GUIDE[name][0]}"' for name in unsure)
        text += f"But the intervals of other controls reach 0: {names}."
    else:
        text += "So the mask's pixels tell the network more than those of every control."
    return text


def binarisation(table):
    """One paragraph on the binarisation gap and the entropy of the mask; "" without a mask.

    Args:
      table: evaluation.Evaluation.
    Returns:
      str without markup.
    """
    if math.isnan(table.binarisation_gap):
        return ""
    unit = alignment.unit(table.depth_kind)
    text = (
        f"Binarisation gap: {table.binarisation_gap:+.3f} {unit}, the distance from N(I) with the "
        "binarised mask minus the distance with the soft mask. "
    )
    if not math.isnan(table.mask_entropy):
        text += (
            f"The entropy of the mask is {table.mask_entropy:.3f} bits a pixel: 0 if all pixels "
            "are black or white, 1 if all are a medium grey."
        )
    return text.strip()
