"""Agreement: G next to others that were trained alike, with another seed or for another N."""

import numpy as np

from tfdepthviz.evaluation.audit.result import FAILED, PASSED, UNCLEAR, Result, figure, in_words
from tfdepthviz.evaluation.audit.stability import OTHER, SAME
from tfdepthviz.evaluation.audit.subject import above_chance, overlap


def seeds(subject, rankings):
    """IoU above chance and Spearman's rho of G and of Gs trained with other seeds.

    Args:
      subject: Subject.
      rankings: list of functions of (image, first), as `ranking.ranking` gives.
    """
    figures, iou = _alike(subject, rankings)
    least = figures["agreement"]
    if least["low"] >= SAME:
        verdict, says = PASSED, "Another seed gives nearly the same mask"
    elif least["high"] < OTHER:
        verdict, says = FAILED, "Another seed gives another mask"
    else:
        verdict, says = UNCLEAR, "Another seed gives a somewhat different mask"
    return Result(verdict, says, _measured(figures), figures, {"agreement": iou.tolist()})


def sanity(subject, rankings):
    """The same for Gs retrained for an N that knows nothing: with random weights, for instance.

    A G that gives the same mask for such an N shows the image, not N.

    Args:
      subject, rankings: as for `seeds`.
    Source: Adebayo et al. 2018. Differs: G is trained anew, as N's weights alone do not change it.
    """
    figures, iou = _alike(subject, rankings)
    own = figures["agreement"]
    if own["high"] < SAME:
        verdict, says = PASSED, "A G for an N that knows nothing gives another mask"
    elif own["low"] >= SAME:
        verdict, says = FAILED, "A G for an N that knows nothing gives nearly the same mask"
    else:
        verdict, says = UNCLEAR, "A G for an N that knows nothing gives a somewhat different mask"
    return Result(verdict, says, _measured(figures), figures, {"agreement": iou.tolist()})


def _measured(figures):
    return (
        f"IoU above chance {in_words(figures['agreement'])} (with edges "
        f"{in_words(figures['edges'])}), Spearman's rho {in_words(figures['rho'])}."
    )


def _alike(subject, rankings):
    """Figures of G against all these rankings, and the mean agreement of each image."""
    from scipy import stats  # slow to load, and few commands audit

    iou, rho = [], []
    for ranking in rankings:
        scores = subject.scores_of(ranking)
        iou.append(above_chance(overlap(subject.top(scores), subject.mask), subject.share))
        pairs = zip(scores, subject.scores, strict=True)
        rho.append([stats.spearmanr(a, b, axis=None).statistic for a, b in pairs])
    edges = overlap(subject.top(subject.control("sobel")), subject.mask)
    iou, rho = np.mean(iou, axis=0), np.nan_to_num(np.mean(rho, axis=0))
    mean = subject.samples.mean
    figures = {
        "agreement": figure(mean(iou)),
        "edges": figure(mean(above_chance(edges, subject.share))),
        "rho": figure(mean(rho)),
    }
    return figures, iou
