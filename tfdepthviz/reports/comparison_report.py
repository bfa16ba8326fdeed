"""The page of a comparison: pictures, curves, tables, and what they do and do not show."""

from tfdepthviz.evaluation.summary import TOLERANCE, figure_at
from tfdepthviz.reports import html as page
from tfdepthviz.reports.comparison_figures import name
from tfdepthviz.reports.wording import ALIGNED, LIMITS

QUESTION = (
    "Which pixels of a photograph does a depth network need? A mask answers by a grey level for "
    "every pixel, and so do simple rules and the gradients of the network. Here each answer is put "
    "to the test: of every image the network is shown only the pixels that an answer puts first, "
    "in growing numbers, and its depth is compared with what it gave for the whole image."
)
# Shares in the tables.
COLUMNS = (0.05, 0.1, 0.2, 0.36, 0.5, 0.6)
# That of the paper's mask with lambda = 5.
PAPERS_SHARE = 0.36
# The claim is made for these: between them a mask should beat every control.
CLAIMED = (0.05, 0.6)

METHODS = (
    "random pixels: drawn anew for each image; errors are averaged over the draws.",
    "Sobel edges: the strongest edges of the grey image first.",
    "blurred edges: the mean strength of the edges in 5x5 pixels, so that an edge brings what lies "
    "beside it.",
    "centre first: nearest to the middle of the picture first; needs no look at the image.",
    "|gradient|: where a small change of the pixel would change the network's mean depth most.",
    "SmoothGrad: the same, averaged over noisy copies of the image.",
    "integrated gradients: what each pixel adds to the mean depth on the way from a picture of the "
    "mean colour to the image.",
    "equation (3): a mask searched for each image alone, through the network, for one share of the "
    "pixels; at other shares its logits rank them. The least of an explanation: the search finds "
    "pixels that steer the network, and no single rule for all images, as a mask network is, can "
    "be expected to reach it.",
)
HOW_TO_READ = (
    "F(k), distance from N(I): root of the mean squared difference between the depth from the top "
    "share k of the pixels and the depth from the whole image. Small means that these pixels were "
    "enough.",
    "insertion area: mean of F(k) / F(0) over all k, F(0) being the distance with nothing shown. "
    "Small is good; a straight fall has 0.5.",
    "deletion area: the same when the top pixels are removed and the rest is shown. Large is good.",
    "tolerance: the least share k at which F(k) is at most {tolerance:.0%} of the network's own "
    "RMSE against ground truth, read between the measured shares.",
    "binarisation gap: distance of the binarised mask M' = [M > {threshold:g}] minus that of the "
    "soft mask M. Far above 0, the grey levels told the network what the choice of pixels does "
    "not; below 0, the soft mask only dimmed what it keeps.",
    "entropy: how undecided M is, 0 bits for black and white alone, 1 bit for an even grey.",
    "In brackets the middle {level:.0%} of {resamples} bootstrap samples of the images: how far "
    "the figure could move with other images of the same kind. It says nothing of other networks, "
    "other training runs or other kinds of images.",
)
SHOWN = (
    "These curves show how much of the network's answer survives from a given number of pixels, "
    "all others having the mean colour. They compare masks and controls at equal numbers.",
    "Where a control is as good as a mask, the mask has not found what the network needs at that "
    "share, whatever it looks like.",
    "A mask is a trained choice that saw many images of this kind, the controls are not trained.",
    "Gradients explain the mean of the depth map, as the distance from N(I) has no gradient at I; "
    "other targets would give other controls.",
)


def write_report(path, *, title, found, pictures, strips, command, notes=()):
    """Writes the page of a comparison as a single HTML file.

    Args:
      path: the file to write, beside and renamed.
      title: one line.
      found: what `comparison_summary.summarise` gives.
      pictures: what `comparison_figures.pictures` gives.
      strips: sequence of (caption, (H, W, 3) uint8 picture).
      command: the command line that made it.
      notes: paragraphs about this run.
    """
    with_truth = found["images_with_truth"] > 0
    parts = [
        page.paragraph(QUESTION, "lead"),
        *(page.paragraph(note) for note in notes),
        page.section(
            "What came out",
            *(page.paragraph(text, "verdict") for text in verdict(found)),
            page.pictures([("Distance from N(I)", pictures["fidelity"])]),
            _shares_table(found, "fidelity_rmse", f"F(k), {found['unit']}"),
        ),
        page.section(
            "Areas",
            _areas_table(found),
            page.pictures([("Areas with their confidence", pictures["areas"])]),
        ),
        page.section("The masks themselves", _masks_table(found)) if found["masks"] else "",
        page.section("Accuracy", *_accuracy(found, pictures["accuracy"])) if with_truth else "",
        page.section("Near, middle and far", *_bands(pictures)),
        page.section(
            "Pixels removed", page.pictures([("Distance from N(I)", pictures["deletion"])])
        ),
        page.section("Pictures", page.pictures(strips)) if strips else "",
        page.section("How to read it", page.bullets(_filled(HOW_TO_READ, found))),
        page.section("The controls", page.bullets(METHODS)),
        page.section("What the numbers show, and what not", page.bullets((*SHOWN, *LIMITS))),
        page.section("Command", page.command_lines([("This page", command)])),
        page.section("Versions", page.versions()),
    ]
    page.write_page(path, title, parts)


def verdict(found):
    """What came out in plain words, a paragraph for each mask.

    Args:
      found: what `comparison_summary.summarise` gives.
    Returns:
      list of str without markup.
    """
    texts = [_verdict(found, mask, others) for mask, others in found["against"].items()]
    if texts:
        return texts
    share = min(found["shares"], key=lambda k: abs(k - PAPERS_SHARE))
    values = {m: figure_at(found, m, share)["value"] for m in found["methods"]}
    best = min(values, key=values.get)
    return [
        f"On {found['images']} images, of these ways to choose {share:.0%} of the pixels "
        f"{name(best)} leave the network's depth closest to what it gives for the whole image: "
        f"within {values[best]:.3f} {found['unit']}. There is no mask in this comparison."
    ]


def _verdict(found, mask, others):
    low, high = CLAIMED
    claimed = [i for i, k in enumerate(found["shares"]) if low <= k <= high]
    losses = []
    for control, figures in others.items():
        lost = [i for i in claimed if figures[i]["value"] >= 0]
        unsure = [i for i in claimed if figures[i]["value"] < 0 <= figures[i]["high"]]
        if lost:
            losses.append(f"{name(control)} at {_ranges(found['shares'], lost)}")
        elif unsure:
            losses.append(f"{name(control)} for certain at {_ranges(found['shares'], unsure)}")
    row = found["masks"][mask]
    start = (
        f"{mask}: binarised, it keeps {row['sparseness']['value']:.1%} of the pixels, from which "
        f"the network comes within {row['fidelity_binary_mask']['value']:.3f} {found['unit']} of "
        f"the depth that it gives for the whole image"
    )
    if row["rmse_ratio"]["value"] is not None:
        start += (
            f"; against ground truth its error is {row['rmse_ratio']['value']:.2f} times that from "
            "the whole image"
        )
    where = f"the same number of pixels from {low:.0%} to {high:.0%}"
    if not losses:
        return f"{start}. Its top pixels beat every control at {where}."
    return f"{start}. At {where}, its top pixels do not beat {'; '.join(losses)}."


def _ranges(shares, places):
    """Shares at these places in words, neighbours drawn together: "5% to 20%, 40%"."""
    runs = []
    for place in places:
        if runs and place == runs[-1][-1] + 1:
            runs[-1].append(place)
        else:
            runs.append([place])
    ends = [(f"{shares[run[0]]:.0%}", f"{shares[run[-1]]:.0%}") for run in runs]
    return ", ".join(low if low == high else f"{low} to {high}" for low, high in ends)


def _shares_table(found, root, heading):
    shares = [k for k in COLUMNS if k in found["shares"]] or found["shares"]
    rows = [
        (name(m), *(f"{figure_at(found, m, k, root)['value']:.3f}" for k in shares))
        for m in found["methods"]
    ]
    return page.table([heading, *(f"{k:.0%}" for k in shares)], rows)


def _areas_table(found):
    keys = ("insertion_area", "deletion_area", "sparsity_at_tolerance")
    rows = [(name(m), *(_text(row[k]) for k in keys)) for m, row in found["methods"].items()]
    heads = ["", "insertion area", "deletion area", "share k at tolerance"]
    return page.table(heads, rows)


def _masks_table(found):
    heads = {
        "sparseness": "pixels kept by M'",
        "fidelity_mask": f"distance from N(I), M, {found['unit']}",
        "fidelity_binary_mask": f"distance from N(I), M', {found['unit']}",
        "binarisation_gap": f"binarisation gap, {found['unit']}",
        "entropy": "entropy, bits a pixel",
        "rmse_mask": "RMSE, M, m",
        "rmse_binary_mask": "RMSE, M', m",
        "rmse_ratio": "RMSE, M', over that of the whole image",
    }
    if not found["images_with_truth"]:
        heads = {key: head for key, head in heads.items() if not key.startswith("rmse")}
    rows = [
        (head, *(_text(row[key]) for row in found["masks"].values())) for key, head in heads.items()
    ]
    return page.table(["", *found["masks"]], rows)


def _accuracy(found, picture):
    text = (
        f"Against ground truth the network itself has an RMSE of {_text(found['rmse'])} m on "
        f"{found['images_with_truth']} of {found['images']} images."
    )
    if found["depth_kind"] != "metric":
        text += f" {ALIGNED}"
    return (
        page.paragraph(text),
        page.pictures([("Accuracy", picture)]),
        _shares_table(found, "rmse", "RMSE, m"),
    )


def _bands(pictures):
    text = "Each image's pixels in three equal parts by N(I): how well each part's depth is kept."
    parts = [page.paragraph(text)]
    parts.append(page.pictures([("Distance from N(I)", pictures["bands"])]))
    if "accuracy_bands" in pictures:
        captioned = [("Accuracy, parts by ground truth", pictures["accuracy_bands"])]
        parts.append(page.pictures(captioned))
    return parts


def _filled(texts, found):
    return [text.format(**found | {"tolerance": TOLERANCE}) for text in texts]


def _text(figure):
    if figure["value"] is None:
        return ""
    if figure["low"] is None:
        return f"{figure['value']:.3f}"
    return f"{figure['value']:.3f} ({figure['low']:.3f} to {figure['high']:.3f})"
