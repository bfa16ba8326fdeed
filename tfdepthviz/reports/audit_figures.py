"""Figures of an audit: one for each test, drawn from its Result, and what N saw in some tests."""

import numpy as np
from matplotlib.figure import Figure

from tfdepthviz.data.transforms import denormalise
from tfdepthviz.evaluation.audit import leaks
from tfdepthviz.evaluation.audit.sufficiency import NAMES
from tfdepthviz.removal import REMOVALS
from tfdepthviz.reports import colours, panels
from tfdepthviz.reports.rendering import DPI, rendered
from tfdepthviz.utils.constants import IMAGENET_MEAN, IMAGENET_STD

# Test -> (title, {figure: label}); figures of a name that ends in "/" are all that begin with it.
BARS = {
    "swap": (
        "share of the images",
        {
            "follows_mask": "nearer to the mask's image",
            "more_than_third_mask": "more than with a third mask",
        },
    ),
    "flat_fill": ("distance from N(I), {unit}", {"distance/": ""}),
    "stability": ("IoU above chance: 0 random pixels, 1 the same mask", {"agreement/": ""}),
    "mask_only": (
        "share of N(I)'s variance that the shape alone tells",
        {"G": "G", "sobel": "", "blurred_edges": "", "needless": "pixels of G that N does not use"},
    ),
    "encode_meter": (
        "nats a cell that the shape adds",
        {"G": "G", "sobel": "", "blurred_edges": ""},
    ),
    "controls": ("distance from N(I), {unit}", {"distance": "G", "distance/": ""}),
    "seeds": ("agreement with G", {"agreement": "IoU above chance", "edges": "", "rho": "rho"}),
}
BARS["sanity"] = BARS["seeds"]
WORDS = NAMES | {
    "mean_map": "mean map",
    "nothing": "no pixel at all",
    "jpeg": "JPEG",
    "edges": "the same of edges",
}
COLUMNS = {
    f"{net}/{size}": f"{net}, {size}" for size in ("pixels", "blocks") for net in ("N", "N_e")
}
MARKERS = "os^DvP"
COLOURS = ("#000000", "#777777", "#ee7733", "#009988", "#0077bb", "#cc3311")


def figure_of(name, result, unit):
    """The picture of a test's figures.

    Args:
      name: a key of `audit.TESTS`.
      result: its `audit.Result`.
      unit: of distances from N(I).
    Returns:
      (height, width, 3) uint8 RGB.
    """
    figures = result.figures
    if name in BARS:
        label, chosen = BARS[name]
        rows = {}
        for key, text in chosen.items():
            keys = [k for k in figures if k.startswith(key)] if key.endswith("/") else [key]
            for k in keys:
                rows[text or _words(k.rpartition("/")[2])] = figures[k]
        return bars(rows, label.format(unit=unit))
    if name == "order":
        return _curves(figures, unit)
    columns = {kind: kind for kind in REMOVALS} if name == "operators" else COLUMNS
    return _points(figures, columns, unit)


def examples(subject, places, results):
    """What N saw of the typical frame in the tests swap and flat_fill.

    Args:
      subject: `audit.Subject`.
      places: numbers of its images in their data set.
      results: name of a test -> `audit.Result`.
    Returns:
      dict of name -> (caption, (height, width, 3) uint8 RGB), for those that were run.
    """
    number = int(np.argsort(subject.squares, kind="stable")[len(places) // 2])
    other = leaks.others(len(places))[number]
    image, mask = subject.images[number], subject.mask[number]
    drawn = {}
    if "swap" in results:
        words = f"Frame {places[number]} (i) through the mask of frame {places[other]} (j)"
        through = (subject.target, image, subject.images[other], subject.mask[other])
        drawn["swap"] = words, seen_through(*through)
    if "flat_fill" in results:
        picture = in_one_colour(subject.target, image, mask)
        drawn["flat_fill"] = f"Frame {places[number]}", picture
    return drawn


def seen_through(target, image, other, mask):
    """One image through the mask of another: both images, what N sees, and three depths.

    Args:
      target: N, a DepthTarget.
      image, other: (H, W, 3) float32, normalised.
      mask: (H, W, 1), of the other image.
    Returns:
      (height, width, 3) uint8 RGB.
    """
    seen = np.asarray(target.shown(image[None], mask[None]))[0]
    names = ("image i", "image j", "i through the mask of j")
    return _images_and_depths(target, dict(zip(names, (image, other, seen), strict=True)))


def in_one_colour(target, image, mask):
    """The kept pixels as they are, white, and black, and N's depth of each.

    Args:
      target, image, mask: as for `seen_through`, the mask of this image.
    """
    seen = {"kept pixels": image}
    for name, grey in (("all white", 1.0), ("all black", 0.0)):
        colour = (grey - np.array(IMAGENET_MEAN)) / np.array(IMAGENET_STD)
        seen[name] = np.broadcast_to(colour.astype("float32"), image.shape)
    shown = {n: np.asarray(target.shown(x[None], mask[None]))[0] for n, x in seen.items()}
    return _images_and_depths(target, {"image": image} | shown)


def _images_and_depths(target, images):
    depths = np.asarray(target.net(np.stack(list(images.values())), training=False))
    first = np.repeat(depths[:1], len(depths), axis=0)
    drawn = np.asarray(target.drawable(first, depths)[1])[..., 0]
    scale = colours.depth_range(*drawn)
    foot = (colours.DEPTH_COLOURS, *scale, f"depth, {target.unit}")
    pictures = [
        (name, colours.rgb(np.clip(np.asarray(denormalise(x)), 0, 1)), None)
        for name, x in images.items()
    ]
    pictures += [
        (f"N of {name}", colours.colourise_depth(depth, *scale), foot)
        for name, depth in zip(images, drawn, strict=True)
    ]
    return panels.draw_panels(pictures, next(iter(images.values())).shape[:2], len(images))


def _words(name):
    return WORDS.get(name, name)


def bars(rows, label, own="G"):
    """Numbers with intervals as bars.

    Args:
      rows: dict of name -> `audit.result.figure`.
      label: what the numbers are.
      own: name of the row in colour.
    Returns:
      (height, width, 3) uint8 RGB.
    """
    page = Figure(figsize=(7.2, 0.9 + 0.32 * len(rows)), dpi=DPI, layout="constrained")
    ax = page.subplots()
    for place, (name, number) in enumerate(rows.items()):
        colour = "#0077bb" if name == own else "#bbbbbb"
        ax.barh(place, number["value"], xerr=_reach([number]), color=colour, capsize=3)
    ax.axvline(0, color="#000000", lw=0.8)
    ax.set_yticks(range(len(rows)), rows, fontsize=9)
    ax.invert_yaxis()
    ax.set_xlabel(label, fontsize=9)
    ax.spines[["top", "right"]].set_visible(False)
    return rendered(page)


def _points(figures, columns, unit):
    """Distances of each method in each column, with intervals: "COLUMN/METHOD" of figures."""
    first = next(iter(columns))
    methods = [key.removeprefix(f"{first}/") for key in figures if key.startswith(f"{first}/")]
    page = Figure(figsize=(8.6, 3.6), dpi=DPI, layout="constrained")
    ax = page.subplots()
    for place, method in enumerate(methods):
        numbers = [figures[f"{column}/{method}"] for column in columns]
        x = np.arange(len(columns)) + 0.1 * (place - len(methods) / 2)
        style = {"color": COLOURS[place % len(COLOURS)], "marker": MARKERS[place % len(MARKERS)]}
        values = [number["value"] for number in numbers]
        ax.errorbar(x, values, _reach(numbers), ls="none", capsize=3, label=_words(method), **style)
    ax.set_xticks(range(len(columns)), columns.values())
    ax.set_ylim(bottom=0)
    ax.set_ylabel(f"distance from N(I), {unit}")
    ax.grid(axis="y", alpha=0.25)
    ax.spines[["top", "right"]].set_visible(False)
    page.legend(loc="outside right upper", frameon=False, fontsize=9)
    return rendered(page)


def _curves(figures, unit):
    """Distance against the share shown, most and least relevant first: "top/METHOD/SHARE"."""
    methods = dict.fromkeys(key.split("/")[1] for key in figures if key.startswith("top/"))
    if not methods:  # a result of before the curves were kept
        return bars(
            {_words(k[6:]): f for k, f in figures.items() if k.startswith("apart/")}, "area"
        )
    page = Figure(figsize=(9.6, 3.9), dpi=DPI, layout="constrained")
    axes = page.subplots(1, 2, sharey=True)
    titles = ("insertion: most relevant first", "deletion, read backwards: least relevant first")
    for ax, part, title in zip(axes, ("top", "bottom"), titles, strict=True):
        for place, method in enumerate(methods):
            rows = {k: f for k, f in figures.items() if k.startswith(f"{part}/{method}/")}
            share = [float(key.rpartition("/")[2]) for key in rows]
            value, low, high = np.array([list(number.values()) for number in rows.values()]).T
            style = {"color": COLOURS[place], "marker": MARKERS[place], "ms": 4}
            style["lw"] = 2.2 if method == "G" else 1.3
            label = _words(method) if part == "top" else None
            ax.plot(share, value, label=label, **style)
            ax.fill_between(share, low, high, color=COLOURS[place], alpha=0.12, lw=0)
        ax.set_title(title, fontsize=10)
        ax.set_xlabel("share of the pixels shown")
        ax.grid(alpha=0.25)
        ax.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylim(bottom=0)
    axes[0].set_ylabel(f"distance from N(I), {unit}")
    page.legend(loc="outside right upper", frameon=False, fontsize=9)
    return rendered(page)


def _reach(numbers):
    """(2, K) lengths of error bars; a percentile interval need not contain the value."""
    value, low, high = np.array([[n["value"], n["low"], n["high"]] for n in numbers]).T
    return np.maximum([value - low, high - value], 0)
