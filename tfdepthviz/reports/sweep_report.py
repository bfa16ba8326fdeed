"""Report of a sweep over lambda: one HTML page with Table 1, Figure 4 and how to read them."""

from tfdepthviz.evaluation import sweep as sweeps
from tfdepthviz.reports import html, wording

READING = (
    "A mask generator was trained for each value; each was rated on images that it had not seen. "
    "RMSE is the distance from measured depth, fidelity the distance from N(I), what the network "
    "says of the whole image. M is the mask with its grey levels, M' is binarised and is the one "
    "to trust. Sparseness is the share of pixels that M' keeps. The others are controls: in each "
    "image exactly as many pixels as M' keeps; the mean map is N's mean over training images, no "
    "pixel being shown."
)
THE_PAPERS = (
    "The paper's N is hu_resnet50, trained on 50K pairs of NYU-v2, its G drn_d_22, and its data "
    "the 654 test images of NYU-v2."
)
# The paper's experiment.
PUBLISHED = {"depth_net": "hu_resnet50", "mask_net": "drn_d_22"}
PUBLISHED_IMAGES = 654


def notes(sweep, *, depth_net, depth_weights, mask_net, dataset):
    """Sentences on the networks and data of a sweep, and on how it differs from the paper's.

    Args:
      sweep: evaluation.sweep.Sweep.
      depth_net, mask_net: names of N and G.
      depth_weights: the weights of N; None: N brings its own.
      dataset: name of the data set.
    Returns:
      list of str.
    """
    binary = f"M' = M > {sweep.threshold:g}"
    if sweep.parameter == "share":
        binary = "M' keeps exactly the share of each image, the pixels that G ranks highest"
    sentences = [
        f"Ours: N is {depth_net} (weights: {depth_weights or 'its own'}), G is {mask_net}, rated "
        f"on {sweep.images} images of {dataset}; {binary}."
    ]
    if sweep.has_truth:
        sentences.append(THE_PAPERS)
        same = (
            {"depth_net": depth_net, "mask_net": mask_net} == PUBLISHED
            and dataset.startswith("nyu")
            and sweep.images == PUBLISHED_IMAGES
        )
        if not same:
            sentences.append(
                "Ours is another experiment: compare how the columns run and their ratio to the "
                "first row, not their values."
            )
    return sentences


def write_report(path, sweep, sentences, curves, pictures, command):
    """Writes the html.

    Args:
      path: file to write.
      sweep: evaluation.sweep.Sweep.
      sentences: of `notes`.
      curves: (H, W, 3) uint8 picture of `sweep_figures.curves`.
      pictures: (H, W, 3) uint8 picture of each frame, of `sweep_figures.frame`.
      command: command line that made the sweep.
    """
    tables = []
    for title, headings, rows in sweeps.tables(sweep):
        tables += [html.paragraph(title) if title else "", html.table(headings, rows)]
    frames = [(f"validation frame {i}", picture) for i, picture in enumerate(pictures)]
    html.write_page(
        path,
        "How many pixels does the depth network need?",
        [
            html.paragraph(wording.QUESTION, "lead"),
            html.section(
                "Table 1",
                *tables,
                *(html.paragraph(sentence, "small") for sentence in sentences),
            ),
            html.section("How to read it", html.paragraph(READING)),
            html.section("Figure 4, the curves", html.pictures([("the rows of Table 1", curves)])),
            html.section("Figure 4, the masks", html.pictures(frames)),
            html.section("What a mask does not prove", html.bullets(wording.LIMITS)),
            html.section("Commands", html.command_lines([("This page", command)])),
            html.section("Versions", html.versions()),
        ],
    )
