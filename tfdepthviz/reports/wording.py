"""The words and the looks of the report."""

import math

from tfdepthviz.metrics import alignment

QUESTION = (
    "A depth network sees a photograph and gives the distance of every pixel. Which pixels does it "
    "need for that? A second network was trained to remove as many pixels as it can while the "
    "depth network, which stays as it is, keeps giving nearly the same depth. What it leaves is "
    "the mask."
)

# row -> (name, what it means)
ROW_GUIDE = {
    "image": (
        "the whole image",
        "N(I): the depth network N on the image as it is. Its error against ground truth is the "
        "best that a mask can be expected to keep.",
    ),
    "mask": (
        "image x mask",
        "N(I * M): each pixel is faded towards the mean colour as far as the mask M says, which "
        "has grey levels from 0 (removed) to 1 (kept).",
    ),
    "binary_mask": (
        "image x binarised mask",
        "N(I * M'): pixels with a grey level above {threshold:g} are kept as they are, all others "
        "removed. Grey levels can tell the network nothing here, so this is the row to trust.",
    ),
    "sobel": (
        "as many edge pixels",
        "A control: in each image the strongest edges (Sobel) of the photograph, exactly as many "
        "pixels as the binarised mask keeps.",
    ),
    "random": (
        "as many random pixels",
        "A control: in each image exactly as many pixels as the binarised mask keeps, drawn at "
        "random; the mean over several draws.",
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
        "How far the depth is from what the network gave for the whole image: root of the mean "
        "squared difference in {unit_in_words}. Small means that the pixels shown were enough.",
    ),
    "rmse": (
        "RMSE,\u00a0m",
        "How far the depth is from measured depth: root of the mean over images of the mean "
        "squared error, in metres.",
    ),
    "mae": ("MAE,\u00a0m", "Mean absolute error against measured depth, in metres."),
    "rel": ("REL", "Mean absolute error divided by the measured depth."),
    "log10": ("log10", "Mean difference of the decimal logarithms of both depths."),
    "delta1": ("<\u00a01.25", "Share of pixels less than a factor of 1.25 off; 1 is best."),
    "delta2": ("<\u00a01.25²", "The same for a factor of 1.25² = 1.5625."),
    "delta3": ("<\u00a01.25³", "The same for a factor of 1.25³ = 1.953."),
}

UNITS_IN_WORDS = {
    "m": "metres",
    "σ": "standard deviations (σ) of the depth from the whole image, up to scale and shift, "
    "because the network's output has no unit",
}
ALIGNED = (
    "This network's output has no unit. Before it was compared with measured depth, each image was "
    "given the scale and shift that fit best; the errors in metres are what is left."
)

LIMITS = (
    "The grey levels of a mask could themselves carry depth to the network. The binarised mask "
    "stands beside the soft one for that reason; where the two rows differ much, read the "
    "binarised one.",
    "Even the shape of a binarised mask can carry an answer: it was drawn by a network that saw "
    "the whole image. That the masked image suffices does not prove that the untouched network "
    "looks at these pixels. A second depth network, trained on randomly masked images, would "
    "expose part of such a code.",
    "A removed pixel takes the mean colour. The depth network was not trained on such images, and "
    "another filling can give another mask.",
    "The mask belongs to this depth network and these images. Whether it depends on what the "
    "network has learned shows only when a mask generator is trained anew for the same network "
    "with randomised weights.",
    "Staying close to the network's own depth is not accuracy: a poor network can be explained "
    "faithfully. Compare with the error against measured depth in the first row.",
)


def verdict(table):
    """One paragraph in plain words: what the binarised mask keeps, and whether controls beat it.

    Args:
      table: evaluation.Evaluation.
    Returns:
      str without markup.
    """
    rows = {row["row"]: row for row in table.rows}
    if "binary_mask" not in rows:
        rmse = rows["image"]["rmse"]
        if math.isnan(rmse):
            return f"The network was run on {table.images} images without ground truth."
        return (
            f"On {table.images} images the network's depth is {rmse:.3f} m (RMSE) from the truth."
        )
    unit = alignment.unit(table.depth_kind)
    mask, sobel, random = (
        rows[name]["fidelity_rmse"] for name in ("binary_mask", "sobel", "random")
    )
    beaten = {"edge": mask < sobel, "random": mask < random}
    if all(beaten.values()):
        end = "So the mask's pixels tell the network more than either control's."
    elif any(beaten.values()):
        better, worse = sorted(beaten, key=beaten.get, reverse=True)
        end = (
            f"So the mask's pixels tell the network more than the {better} pixels, but not more "
            f"than the {worse} pixels: it has not found what the network needs."
        )
    else:
        end = (
            "So the mask's pixels tell the network no more than either control's: it has not "
            "found what the network needs."
        )
    return (
        f"On {table.images} images the binarised mask keeps "
        f"{rows['binary_mask']['sparseness']:.1%} of the pixels. From these alone the network "
        f"comes within {mask:.3f} {unit} of the depth that it gives for the whole image; from as "
        f"many edge pixels within {sobel:.3f} {unit}, from as many random pixels within "
        f"{random:.3f} {unit}. {end}"
    )


def binarisation(table):
    """One paragraph on how far the mask is from black and white; "" without a mask.

    Args:
      table: evaluation.Evaluation.
    Returns:
      str without markup.
    """
    if math.isnan(table.binarisation_gap):
        return ""
    unit = alignment.unit(table.depth_kind)
    text = (
        f"Binarisation gap: {table.binarisation_gap:+.3f} {unit}, the distance from N(I) of the "
        "binarised mask minus that of the soft one. "
    )
    if not math.isnan(table.mask_entropy):
        text += (
            f"The mask's entropy is {table.mask_entropy:.3f} bits a pixel: 0 for black and white "
            "alone, 1 for an even grey."
        )
    return text.strip()


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
img { display: block; max-width: 100%; height: auto; }
pre { background: #1d2733; color: #f0f3f6; padding: .8rem 1rem; border-radius: 6px;
  overflow-x: auto; font-size: .88rem; margin: 0 0 1rem; }
@media (max-width: 40rem) { dl { grid-template-columns: 1fr; } dd { margin-bottom: .5rem; }
  section { padding: 1rem; } }
@media print { body { background: #fff; } section { break-inside: avoid; } }
"""
