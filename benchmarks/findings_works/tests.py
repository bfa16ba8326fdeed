"""Tests of the paper's findings on one Subject: figures with bootstrap intervals, and verdicts."""

import numpy as np
from findings_works import pixels
from scipy import stats

from tfdepthviz.data.transforms import denormalise
from tfdepthviz.evaluation.audit.result import figure, in_words
from tfdepthviz.evaluation.paired import too_few

# Pixels that are chosen, out of the strongest edges: both as shares of the image.
CHOSEN, EDGES = 0.1, 0.36
# Segments below the first and above the second share of the image are compared.
SMALL, LARGE = 0.01, 0.1
NEAR = 0.08  # widths of the image around the vanishing point
HOLDS, FAILS, UNCLEAR = "holds", "does not hold", "is not clear"


def rankings(subject):
    """Name -> (N, H, W, 1) scores of G and of what it is compared with."""
    scores = {"G": subject.scores, "G before training": subject.control("untrained")}
    scores["Sobel edges"] = subject.control("sobel")
    scores["edges blurred 5x5"] = subject.control("blurred_edges")
    return scores


def edges_by_use(subject, scores):
    """Distance from N(I) with a tenth of the pixels, all among the strongest edges.

    If edges are chosen by use, those that G ranks first are worth more to N than the strongest.
    """
    samples = subject.samples
    edges = subject.top(scores["Sobel edges"], EDGES) > 0
    orders = {"by G": scores["G"], "by G before training": scores["G before training"]}
    orders |= {"by strength": scores["Sobel edges"], "at random": subject.control("random")}
    lowest = {name: np.where(edges, s, s.min() - 1) for name, s in orders.items()}
    errors = {
        name: samples.rms(subject.distances(subject.top(values, CHOSEN)))
        for name, values in lowest.items()
    }
    figures = {f"distance/{name}": figure(values) for name, values in errors.items()}
    for name in list(errors)[1:]:
        figures[f"by G minus {name}"] = figure(errors["by G"] - errors[name])
    rho = [
        stats.spearmanr(g[e], s[e]).statistic
        for g, s, e in zip(scores["G"], scores["Sobel edges"], edges, strict=True)
    ]
    figures["rank correlation of G and strength on these edges"] = figure(samples.mean(rho))
    difference = figures["by G minus by strength"]
    words = f"by G minus by strength {in_words(difference, subject.unit, '+')}"
    return figures, _verdict(subject, [difference], -1), words


def by_distance(subject, scores):
    """Mean rank in G minus mean rank in edges, and their rank correlation, by tenths of N(I)."""
    depth = -subject.full if subject.target.depth_kind == "inverse" else subject.full
    places = pixels.distances(depth, subject.images.shape[1:3])
    ranked = {name: pixels.ranks(values) for name, values in scores.items()}
    figures = {}
    for tenth in range(pixels.DISTANCES):
        where = places == tenth
        for name in ("G", "G before training", "edges blurred 5x5"):
            apart = ranked[name] - ranked["Sobel edges"]
            figures[f"{name} minus edges/{tenth}"] = _share(subject, apart, where)
        rho = [
            stats.spearmanr(g[w], e[w]).statistic
            for g, e, w in zip(ranked["G"], ranked["Sobel edges"], where, strict=True)
        ]
        figures[f"rank correlation/{tenth}"] = figure(subject.samples.mean(np.nan_to_num(rho)))
    return figures, None, ""


def filled_regions(subject, scores):
    """Share that a mask keeps of the pixels inside segments, by the size of the segment.

    Pixels among the strongest edges do not count: a filled region has more than its outline.
    Edges blurred over 5x5 fill small segments, too, since these lie near their own outline.
    """
    rgb = np.clip(denormalise(subject.images).numpy(), 0, 1)
    bins = np.stack([pixels.sizes(pixels.segments(image)) for image in rgb])
    inside = subject.top(scores["Sobel edges"], EDGES)[..., 0] == 0
    kept = {name: subject.top(scores[name])[..., 0] for name in scores if name != "Sobel edges"}
    figures = {}
    for place in range(len(pixels.SIZES) - 1):
        for name, mask in kept.items():
            where = inside & (bins == place)
            figures[f"{name}/{pixels.SIZES[place]:g}"] = _share(subject, mask, where)
    ends = np.array(pixels.SIZES)
    small, large = (
        inside & np.isin(bins, places)
        for places in (np.flatnonzero(ends[1:] <= SMALL), np.flatnonzero(ends[:-1] >= LARGE))
    )
    more = {
        name: _ratio(subject, mask, small) - _ratio(subject, mask, large)
        for name, mask in kept.items()
    }
    figures |= {f"small minus large/{name}": figure(values) for name, values in more.items()}
    beyond = figure(more["G"] - more["edges blurred 5x5"])
    figures["small minus large/G minus edges blurred 5x5"] = beyond
    own = figures["small minus large/G"]
    words = f"small minus large {in_words(own, '', '+')}, {in_words(beyond, '', '+')} beyond edges"
    return figures, _verdict(subject, [own, beyond], 1), words


def vanishing_point(subject, scores, point):
    """Share that a mask keeps in rings around the vanishing point."""
    rings = np.broadcast_to(
        pixels.rings(subject.images.shape[1:3], point), subject.images.shape[:3]
    )
    kept = {name: subject.top(values)[..., 0] for name, values in scores.items()}
    figures = {}
    for place, radius in enumerate(pixels.RINGS):
        for name, mask in kept.items():
            figures[f"{name}/{radius:g}"] = _share(subject, mask, rings == place)
    near = rings <= pixels.RINGS.index(NEAR)
    apart = [
        figure(_ratio(subject, kept["G"], near) - _ratio(subject, kept[name], near))
        for name in ("Sobel edges", "edges blurred 5x5")
    ]
    for name, difference in zip(("Sobel edges", "edges blurred 5x5"), apart, strict=True):
        figures[f"near it/G minus {name}"] = difference
    least = min(apart, key=lambda difference: difference["value"])
    words = f"share near it minus that of the stronger edges {in_words(least, '', '+')}"
    return figures, _verdict(subject, apart, 1), words


def _ratio(subject, values, where):
    """Statistic: mean of values over all pixels where `where` holds."""
    total = subject.samples.mean((values * where).sum(axis=(1, 2)))
    return total / np.maximum(subject.samples.mean(where.sum(axis=(1, 2))), 1e-9)


def _share(subject, values, where):
    return figure(_ratio(subject, values, where))


def _verdict(subject, differences, sign):
    """HOLDS if all differences have a sign, intervals included; FAILS if one clearly has not."""
    if few := too_few(len(subject.images)):
        return few
    lows = [min(sign * d["low"], sign * d["high"]) for d in differences]
    highs = [max(sign * d["low"], sign * d["high"]) for d in differences]
    if min(lows) > 0:
        return HOLDS
    return FAILS if min(highs) <= 0 else UNCLEAR
