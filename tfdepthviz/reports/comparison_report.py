"""The report of a comparison: verdict, curves, tables, strips and limits on one HTML page."""

from tfdepthviz.evaluation.summary import AREAS, TOLERANCE, figure_at
from tfdepthviz.removal import REMOVALS
from tfdepthviz.reports import html
from tfdepthviz.reports.comparison_figures import name
from tfdepthviz.reports.comparison_verdict import shown_shares, verdict
from tfdepthviz.reports.wording import ALIGNED, LIMITS

QUESTION = (
    "Which pixels of a photograph does a depth network need? A mask ranks the pixels by its grey "
    "levels; simple rules and the gradients of the network rank them, too. This page tests each "
    "ranking: the network sees only the top-ranked pixels of every image, in growing numbers, and "
    "its depth is compared with its depth for the whole image."
)
# Control -> what it is.
METHODS = {
    "random": "drawn for each image; errors are averaged over several draws.",
    "random_blocks": "square blocks of 16 to 64 pixels at random places, drawn for each image; "
    "errors are averaged over several draws.",
    "sobel": "the strongest edges of the grey image first.",
    "blurred_edges": "edge strength averaged over 5x5 pixels, which also ranks the neighbours of "
    "an edge high.",
    "blurred_edges_9": "edge strength averaged over 9x9 pixels.",
    "centre": "pixels nearest to the centre first, whatever the image shows.",
    "untrained": "the mask generator as it was before training. A mask that is no better owes its "
    "result to the network's start.",
    "swapped": "the pixels that the mask generator keeps of another image, half the set away.",
    "mean_map": "the network's mean depth over training images stands for its depth of every "
    "image. Pixels that bring the network no closer to N(I) tell it nothing about the image.",
    "gradient": "pixels first where a small change would change the network's mean depth most.",
    "smoothgrad": "|gradient|, averaged over noisy copies of the image.",
    "integrated_gradients": "contribution of each pixel to the mean depth, integrated on the path "
    "from an image of the mean colour to the image.",
    "optimised": "a mask optimised for each image alone, through the network, for one share of "
    "the pixels; at other shares its logits rank them. It explains least, because the search finds "
    "pixels that steer the network. A mask network is one rule for all images and cannot be "
    "expected to reach it, so the result above leaves it out.",
}
HOW_TO_READ = (
    "F(k), distance from N(I): root mean squared difference between the depth from the top share k "
    "of the pixels and the depth from the whole image. Small means that these pixels are enough.",
    "insertion area: mean of F(k) / F(0) over all k, where F(0) is the distance with no pixel "
    "shown. Small is good; a linear decrease has an area of 0.5.",
    "deletion area: the same if the top pixels are removed and all others shown. Large is good.",
    "tolerance: the smallest share k at which F(k) is at most {tolerance:.0%} of the network's own "
    "RMSE against ground truth, interpolated between the measured shares.",
    "binarisation gap: distance of the binarised mask M' = [M > {threshold:g}] minus distance of "
    "the soft mask M. A gap far above 0 means that grey levels carried information that the choice "
    "of pixels does not; a gap below 0 means that the soft mask only dimmed the pixels it keeps.",
    "entropy: indecision of M, 0 bits if all pixels are black or white, 1 bit if all are a medium "
    "grey.",
    "In brackets: the middle {level:.0%} of {resamples} bootstrap samples of the images, the range "
    "to expect with other images of the same kind. It does not cover other networks, other "
    "training runs or other kinds of images.",
)
SHOWN = (
    "The curves show how much of the network's depth remains if it sees a given number of pixels "
    "and {removal} everywhere else. They compare masks and controls at equal numbers.",
    "Where a control is as good as a mask, the mask does not show what the network needs at that "
    "share, however plausible it looks.",
    "A mask generator was trained on many images of this kind; the controls are not trained.",
    "The gradients explain the mean of the depth map, because the distance from N(I) has no "
    "gradient at I. Gradients of another quantity would be other controls.",
)


def write_report(path, *, title, summary, pictures, strips, command, notes=()):
    """Writes the page of a comparison as a single HTML file.

    Args:
      path: the file to write; it is complete or not there at all.
      title: one line.
      summary: result of `evaluation.summary.summarise`.
      pictures: result of `comparison_figures.pictures`.
      strips: sequence of (caption, (H, W, 3) uint8 picture).
      command: the command line that wrote the page.
      notes: paragraphs about this run.
    """
    with_truth = summary["images_with_truth"] > 0
    parts = [
        html.paragraph(QUESTION, "lead"),
        *(html.paragraph(note) for note in notes),
        html.section(
            "Result",
            *(html.paragraph(text, "verdict") for text in verdict(summary)),
            html.pictures([("Distance from N(I)", pictures["fidelity"])]),
            _shares_table(summary, "fidelity_rmse", f"F(k), {summary['unit']}"),
        ),
        *_against(summary),
        html.section(
            "Areas",
            _areas_table(summary),
            html.pictures([("Areas with confidence intervals", pictures["areas"])]),
        ),
        html.section("The masks at their own shares", _masks_table(summary))
        if summary["masks"]
        else "",
        html.section("Accuracy", *_accuracy(summary, pictures["accuracy"])) if with_truth else "",
        html.section("Near, middle and far", *_bands(pictures)),
        html.section(
            "Pixels removed", html.pictures([("Distance from N(I)", pictures["deletion"])])
        )
        if "deletion" in pictures
        else "",
        html.section("Pictures", html.pictures(strips)) if strips else "",
        html.section("How to read it", html.bullets(_filled(HOW_TO_READ, summary))),
        html.section("The controls", html.bullets(_methods(summary))),
        html.section(
            "What the numbers show, and what they do not",
            html.bullets((*_filled(SHOWN, summary), *LIMITS)),
        ),
        html.section("Command", html.command_lines([("This page", command)])),
        html.section("Versions", html.versions()),
    ]
    html.write_page(path, title, parts)


def _against(summary):
    """A section for each mask: differences to every control, with intervals."""
    shares = shown_shares(summary)
    places = [summary["shares"].index(share) for share in shares]
    note = html.paragraph(
        "Below 0 the mask is closer to N(I). An interval that does not contain 0 would hardly "
        "change its sign with other images of the same kind."
    )
    for mask, controls in summary["against"].items():
        rows = [
            (name(control), *(_signed(figures[place]) for place in places))
            for control, figures in controls.items()
        ]
        heads = [f"F of {mask} minus F of, {summary['unit']}", *(f"{k:.0%}" for k in shares)]
        yield html.section(f"{mask} against each control", html.table(heads, rows), note)


def _signed(figure):
    return f"{figure['value']:+.3f} ({figure['low']:+.3f} to {figure['high']:+.3f})"


def _methods(summary):
    """What the controls of this comparison are."""
    for method in summary["methods"]:
        kind = "untrained" if method.startswith("untrained") else method
        if method not in summary["masks"] and kind in METHODS:
            yield f"{name(method)}: {METHODS[kind]}"


def _shares_table(summary, root, heading):
    shares = shown_shares(summary)
    rows = [
        (name(m), *(f"{figure_at(summary, m, k, root)['value']:.3f}" for k in shares))
        for m in summary["methods"]
    ]
    return html.table([heading, *(f"{k:.0%}" for k in shares)], rows)


def _areas_table(summary):
    keys = AREAS
    heads = ["", "insertion area", "deletion area", "share k at tolerance"]
    if "delete" not in summary["views"]:
        keys, heads = (keys[0], keys[2]), [*heads[:2], heads[3]]
    rows = [(name(m), *(_text(row[k]) for k in keys)) for m, row in summary["methods"].items()]
    return html.table(heads, rows)


def _masks_table(summary):
    heads = {
        "sparseness": "pixels kept by M'",
        "fidelity_mask": f"distance from N(I), M, {summary['unit']}",
        "fidelity_binary_mask": f"distance from N(I), M', {summary['unit']}",
        "binarisation_gap": f"binarisation gap, {summary['unit']}",
        "entropy": "entropy, bits a pixel",
        "rmse_mask": "RMSE, M, m",
        "rmse_binary_mask": "RMSE, M', m",
        "rmse_ratio": "RMSE, M', over that of the whole image",
    }
    if not summary["images_with_truth"]:
        heads = {key: head for key, head in heads.items() if not key.startswith("rmse")}
    rows = [
        (head, *(_text(row[key]) for row in summary["masks"].values()))
        for key, head in heads.items()
    ]
    return html.table(["", *summary["masks"]], rows)


def _accuracy(summary, picture):
    text = (
        f"Against ground truth the network itself has an RMSE of {_text(summary['rmse'])} m on "
        f"{summary['images_with_truth']} of {summary['images']} images."
    )
    if summary["depth_kind"] != "metric":
        text += f" {ALIGNED}"
    return (
        html.paragraph(text),
        html.pictures([("Accuracy", picture)]),
        _shares_table(summary, "rmse", "RMSE, m"),
    )


def _bands(pictures):
    text = (
        "The pixels of each image are divided into three equal parts by N(I). The curves show how "
        "well the depth of each part is kept."
    )
    parts = [html.paragraph(text)]
    parts.append(html.pictures([("Distance from N(I)", pictures["bands"])]))
    if "accuracy_bands" in pictures:
        captioned = [("Accuracy, divided by ground truth", pictures["accuracy_bands"])]
        parts.append(html.pictures(captioned))
    return parts


def _filled(texts, summary):
    words = {"tolerance": TOLERANCE, "removal": REMOVALS[summary["removal"]]}
    return [text.format(**summary | words) for text in texts]


def _text(figure):
    if figure["value"] is None:
        return ""
    if figure["low"] is None:
        return f"{figure['value']:.3f}"
    return f"{figure['value']:.3f} ({figure['low']:.3f} to {figure['high']:.3f})"
