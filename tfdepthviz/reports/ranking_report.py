"""Report of a ranking: one HTML page with its masks at several shares, and every control."""

from tfdepthviz.evaluation import sweep as sweeps
from tfdepthviz.evaluation.paired import too_few
from tfdepthviz.evaluation.summary import figure_at
from tfdepthviz.reports import html, wording
from tfdepthviz.reports.comparison_figures import name

QUESTION = (
    "A depth network N estimates the distance of every pixel from a single photograph. Which "
    "pixels does it need? A second network, the mask generator G, was trained to rank the pixels, "
    "so that N keeps its depth from the top of the ranking alone. N itself is not changed. M' is "
    "the top share of the ranking: exactly that many pixels of each image, all others removed."
)
READING = (
    "RMSE is the distance from measured depth. Fidelity is the distance from N(I), what N says of "
    "the whole image: root mean squared error over the pixels of all images. Small is good.",
    "Controls keep exactly as many pixels of each image, chosen without training or by chance. The "
    "mean map shows N no pixel at all: it is N's mean depth over training images. The untrained G "
    "is G as it was before training.",
    "An interval is the middle {level:.0%} of {resamples} bootstrap samples of the images. All "
    "methods share the samples, so differences are paired. It does not cover other networks, other "
    "training runs or other kinds of images.",
    "Masks are nested: the pixels of 10 % lie within those of 20 %.",
)


def verdict(summary, ranking, share):
    """The result at one share in words: which controls M' beats, and which it does not.

    Args:
      summary: result of `evaluation.summary.summarise`.
      ranking: name of the ranking in it.
      share: one of its shares.
    Returns:
      str without markup.
    """
    place, unit = summary["shares"].index(share), summary["unit"]
    groups = {"ahead": [], "unsure": [], "behind": []}
    for control, figures in summary["against"][ranking].items():
        difference = figures[place]
        text = name(control).partition(",")[0]
        if judged(difference) != "ahead":
            text += f" ({_signed(difference)} {unit})"
        groups[judged(difference)].append(text)
    distance = figure_at(summary, ranking, share)["value"]
    text = f"At {_percent(share)} of the pixels, M' leaves N {distance:.3f} {unit} from N(I)."
    if few := too_few(summary["images"]):
        return f"{text} {few}"
    if not groups["unsure"] and not groups["behind"]:
        return f"{text} M' is ahead of every control, each interval clear of 0."
    if groups["ahead"]:
        text += f" M' is ahead of {_listed(groups['ahead'])}, each interval clear of 0."
    if groups["unsure"]:
        text += f" M' is not ahead for certain of {_listed(groups['unsure'])}."
    if groups["behind"]:
        text += f" M' does not beat {_listed(groups['behind'])}."
    return text


def judged(difference):
    """ "ahead", "unsure" or "behind": the fidelity of M' minus that of a control, with interval."""
    if difference["high"] < 0:
        return "ahead"
    return "unsure" if difference["value"] < 0 else "behind"


def write_report(
    path,
    *,
    title,
    summary,
    ranking,
    opening,
    verdicts,
    pictures,
    commands,
    frames=(),
    curves=None,
    notes=(),
):
    """Writes the html.

    Args:
      path: file to write.
      title: one line.
      summary: result of `evaluation.summary.summarise`.
      ranking: name of the ranking in it.
      opening: (caption, picture) of the frame that the page opens with.
      verdicts: paragraphs of the result, such as `verdict` gives.
      pictures: sequence of (caption, picture): the curves over the share.
      commands: sequence of (what it does, command line).
      frames: sequence of (caption, picture) of further frames.
      curves: picture of the training curves, or None.
      notes: sentences on networks, data and time.
    """
    reading = [text.format(**summary) for text in READING]
    html.write_page(
        path,
        title,
        [
            html.paragraph(QUESTION, "lead"),
            html.section("One frame", html.pictures([opening])),
            html.section("Result", *(html.paragraph(text, "verdict") for text in verdicts)),
            html.section("Curves over the share", html.pictures(pictures)),
            html.section(
                "Table 1", *_tables(summary, ranking), *(html.paragraph(n, "small") for n in notes)
            ),
            html.section("M' minus each control", *_differences(summary, ranking)),
            html.section("How to read it", html.bullets(reading)),
            html.section("Further frames", html.pictures(frames)) if frames else "",
            html.section("Training", html.pictures([("Training curves", curves)]))
            if curves is not None
            else "",
            html.section("What a mask does not prove", html.bullets(wording.LIMITS)),
            html.section("Commands", html.command_lines(commands)),
            html.section("Versions", html.versions()),
        ],
    )


def _tables(summary, ranking):
    for title, headings, rows in sweeps.tables(sweeps.gather_shares(summary, ranking)):
        yield html.paragraph(title)
        yield html.table(headings, rows)


def _differences(summary, ranking):
    """A table of the paired differences in fidelity, with intervals."""
    words = {"ahead": " ahead", "unsure": " not certain", "behind": " not ahead"}
    few = too_few(summary["images"])

    def said(figure):
        return "" if few else words[judged(figure)]

    rows = [
        (name(control), *(_signed(figure) + said(figure) for figure in figures))
        for control, figures in summary["against"][ranking].items()
    ]
    headings = [f"difference, {summary['unit']}", *map(_percent, summary["shares"])]
    text = (
        "Fidelity of M' minus that of the control, with its interval. Below 0, M' is closer to "
        "N(I); it is ahead where the whole interval lies below 0."
    )
    return html.paragraph(text), html.table(headings, rows)


def _signed(figure):
    return f"{figure['value']:+.3f} [{figure['low']:+.3f}, {figure['high']:+.3f}]"


def _percent(share):
    return f"{100 * share:g} %"


def _listed(texts):
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"
