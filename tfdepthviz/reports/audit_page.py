"""Files of an audit: audit.html, audit.json, figures.csv, per_image.csv, a PNG for each test."""

import dataclasses
import json

import numpy as np

from tfdepthviz.data.transforms import denormalise
from tfdepthviz.evaluation.audit import NOT_AUDITED, RULES, TESTS
from tfdepthviz.evaluation.audit.result import in_words
from tfdepthviz.removal import REMOVALS
from tfdepthviz.reports import colours, html, panels
from tfdepthviz.reports.audit_figures import figure_of
from tfdepthviz.reports.rendering import save_png
from tfdepthviz.utils.tables import write_csv, write_json

LEAD = (
    "A mask is a claim: these pixels are what the depth network N needs. This page tries to prove "
    "the claim wrong. Each test can be failed, by a mask that is no better than a simple rule, by "
    "one whose shape encodes the depth, and by one that holds only for one fill colour or one seed."
)
# Test -> (title, what a sceptic says).
TITLES = {
    "swap": ("Another image's mask", "N reads the mask, not the image."),
    "flat_fill": ("All kept pixels in one colour", "The shape of the mask is enough for N."),
    "stability": ("The image hardly changed", "The mask is chance: a little noise moves it."),
    "mask_only": ("The mask alone", "The shape of the mask tells the depth."),
    "encode_meter": ("The shape next to the colours", "The shape adds what the pixels do not say."),
    "controls": ("Every simple rule", "Edges, random pixels or nothing at all do as well."),
    "operators": (
        "Other fills",
        "N was shown paint that it never saw; another paint, another mask.",
    ),
    "order": ("The order of the pixels", "The order among the pixels means nothing."),
    "seeds": ("Another seed", "Another training would show other pixels."),
    "sanity": ("An N that knows nothing", "G shows the image, whatever N has learnt."),
    "evaluator": ("An N that has seen masks", "The mask steers an N that never saw holes."),
}
LIMITS = (
    "Intervals are the middle 95 % of bootstrap samples of the images. They cover other images of "
    "the same kind, not other networks, trainings or data sets.",
    "A passed test is no proof. It says that this way of being wrong was tried and not found.",
    "The readers of the mask's shape see up to a few hundred images; a finer code could escape "
    "them.",
    "A position that N prefers whatever the image shows is a need, too: rules that keep the same "
    "pixels as G without looking at the image are not counted as rivals.",
)
FIGURE_COLUMNS = ("test", "figure", "value", "low", "high", "verdict")
IMAGE_COLUMNS = ("image", "test", "figure", "value")


def write_audit(
    folder, *, title, grade, results, about, pictures, commands, unit="m", examples=None, notes=()
):
    """Writes all files of an audit.

    Args:
      folder: pathlib.Path.
      title: one line.
      grade: a key of `audit.RULES`.
      results: name of a test -> `audit.Result`, in the order of the page.
      about: dict that JSON can hold: networks, data, share, removal and "places" of the images.
      pictures: sequence of (caption, (H, W, 3) uint8).
      commands: (purpose, command line).
      unit: of distances from N(I).
      examples: name of a test -> (caption, picture) of what N saw in it.
      notes: paragraphs about this run.
    Returns:
      dict, the content of audit.json.
    """
    tests = {name: dataclasses.asdict(result) for name, result in results.items()}
    content = {"grade": grade, "rule": RULES[grade], **about, "tests": tests}
    content = json.loads(json.dumps(content))  # as a reader of the file gets it
    write_json(folder / "audit.json", content)
    rows, image_rows = [], []
    for name, result in results.items():
        for key, number in result.figures.items():
            rows.append({"test": name, "figure": key, **number, "verdict": result.verdict})
        for key, values in result.per_image.items():
            for place, value in zip(about["places"], values, strict=True):
                image_rows.append({"image": place, "test": name, "figure": key, "value": value})
    write_csv(folder / "figures.csv", FIGURE_COLUMNS, rows)
    write_csv(folder / "per_image.csv", IMAGE_COLUMNS, image_rows)
    fill = REMOVALS[about["removal"]]
    summary = (
        f"{len(about['places'])} images, {about['share']:.1%} of the pixels kept; a removed pixel "
        f"becomes {fill}, unless a test says otherwise."
    )
    figures = {name: figure_of(name, result, unit) for name, result in results.items()}
    for name, picture in figures.items():
        save_png(folder / f"{name}.png", picture)
    html.write_page(
        folder / "audit.html",
        title,
        [
            html.paragraph(LEAD, "lead"),
            *(html.paragraph(note) for note in notes),
            html.section(
                f"Grade: {grade}",
                html.paragraph(in_one_line(grade, results), "verdict"),
                html.paragraph(summary),
                html.table(
                    ["the sceptic says", "verdict", "what follows"],
                    [(TITLES[n][1], r.verdict, r.says) for n, r in results.items()],
                ),
            ),
            html.section("Frames", html.pictures(pictures)) if pictures else "",
            *(
                _section(name, result, figures[name], (examples or {}).get(name))
                for name, result in results.items()
            ),
            html.section("Rules of the grade", html.bullets(f"{g}: {t}" for g, t in RULES.items())),
            html.section("What an audit does not show", html.bullets(LIMITS)),
            html.section("Commands", html.command_lines(commands)),
            html.section("Versions", html.versions()),
        ],
    )
    return content


def in_one_line(grade, results):
    """The grade and how many tests had which verdict, as a sentence."""
    verdicts = [result.verdict for result in results.values()]
    counts = ", ".join(f"{verdicts.count(v)} {v}" for v in ("passed", "failed", "unclear"))
    missing = [name for name in TESTS if name not in results]
    text = f"Grade {grade}" if grade != NOT_AUDITED else "Not audited"
    text += f": {RULES[grade]} Of {len(verdicts)} tests: {counts}."
    return text + (f" Not run: {', '.join(missing)}." if missing else "")


def draw_frame(target, image, mask):
    """An image, its kept pixels as N sees them, and N's depth of both.

    Args:
      target: N, a DepthTarget.
      image: (H, W, 3) float32, normalised.
      mask: (H, W, 1) float32 of 0 and 1.
    Returns:
      (height, width, 3) uint8 RGB.
    """
    shown = np.asarray(target.shown(image[None], mask[None]))
    full, seen = (np.asarray(target.net(x, training=False)) for x in (image[None], shown))
    full, seen = (np.asarray(y)[0] for y in target.drawable(full, seen))
    scale = colours.depth_range(full[..., 0], seen[..., 0])
    rgb = [np.clip(np.asarray(denormalise(x)), 0, 1) for x in (image, shown[0])]
    foot = (colours.DEPTH_COLOURS, *scale, f"depth, {target.unit}")
    pictures = [
        ("image I", colours.rgb(rgb[0]), None),
        ("what N sees", colours.rgb(rgb[1]), f"{mask.mean():.1%} of the pixels kept"),
        ("N(I)", colours.colourise_depth(full[..., 0], *scale), foot),
        ("N of what it sees", colours.colourise_depth(seen[..., 0], *scale), foot),
    ]
    return panels.draw_panels(pictures, image.shape[:2], 4)


def _section(name, result, picture, example):
    title, sceptic = TITLES[name]
    if result.table:
        heads, *rows = result.table
    else:
        heads = ["figure", "value"]
        rows = [(key, in_words(number)) for key, number in result.figures.items()]
    return html.section(
        f"{title}: {result.verdict}",
        html.paragraph(f"The sceptic says: {sceptic}", "small"),
        html.paragraph(f"{result.says}. {result.measured}", "verdict"),
        html.pictures([("With 95 % bootstrap intervals", picture)]),
        html.table(heads, rows),
        html.pictures([example]) if example else "",
    )
