"""The result of a comparison in words: which masks beat which controls, and for certain."""

from tfdepthviz.evaluation.controls import FITTED
from tfdepthviz.evaluation.paired import too_few
from tfdepthviz.evaluation.summary import figure_at
from tfdepthviz.reports.comparison_figures import name
from tfdepthviz.utils.constants import SHARE

# Shares in the tables; all if there are only a few.
MOST_COLUMNS = 8
COLUMNS = (0.05, 0.1, 0.2, 0.36, 0.5, 0.6)
# Range of shares in which a mask should beat every control.
CLAIMED = (0.05, 0.6)


def verdict(summary):
    """The result in words: for each mask a paragraph, and a line for each share of the tables.

    Args:
      summary: result of `evaluation.summary.summarise`.
    Returns:
      list of str without markup.
    """
    texts = []
    for mask, others in summary["against"].items():
        texts += [_verdict(summary, mask, others), *_lines(summary, mask)]
    if texts:
        return texts
    share = min(summary["shares"], key=lambda k: abs(k - SHARE))
    figures = {m: figure_at(summary, m, share) for m in summary["methods"]}
    best = min(figures, key=lambda method: figures[method]["value"])
    value, low, high = figures[best].values()
    return [
        f"This comparison has no mask. With {share:.0%} of the pixels, on {summary['images']} "
        f'images, "{name(best)}" leaves the network {value:.3f} {summary["unit"]} '
        f"[{low:.3f}, {high:.3f}] from its depth for the whole image, the least of all ways to "
        "choose them here; whether it "
        "would be on other images is not tested."
    ]


def _verdict(summary, mask, others):
    low, high = CLAIMED
    claimed = [i for i, k in enumerate(summary["shares"]) if low <= k <= high]
    losses = []
    for control, figures in others.items():
        if control == FITTED:
            continue
        lost = [i for i in claimed if figures[i]["value"] >= 0]
        unsure = [i for i in claimed if figures[i]["value"] < 0 <= figures[i]["high"]]
        if lost:
            losses.append(f"{name(control)} at {_ranges(summary['shares'], lost)}")
        elif unsure:
            losses.append(f"{name(control)} for certain at {_ranges(summary['shares'], unsure)}")
    row = summary["masks"][mask]
    start = (
        f"{mask}: the binarised mask keeps {row['sparseness']['value']:.1%} of the pixels. From "
        f"these the network comes within {row['fidelity_binary_mask']['value']:.3f} "
        f"{summary['unit']} of its depth for the whole image"
    )
    if row["rmse_ratio"]["value"] is not None:
        start += (
            f"; its RMSE against ground truth is {row['rmse_ratio']['value']:.2f} times that from "
            "the whole image"
        )
    if few := too_few(summary["images"]):
        return f"{start}. {few}"
    where = f"the same number of pixels from {low:.0%} to {high:.0%}"
    if not losses:
        besides = " but equation (3)" if FITTED in others else ""
        return f"{start}. Its top pixels beat every control{besides} at {where}."
    return f"{start}. At {where}, its top pixels do not beat {'; '.join(losses)}."


def _lines(summary, mask):
    """The mask and the best control at each share of the tables, in words."""
    shares = shown_shares(summary) if summary["best_control"] else []
    unit, few = summary["unit"], too_few(summary["images"])
    for share in shares:
        place = summary["shares"].index(share)
        best = summary["best_control"][place]
        difference = summary["against"][mask][best][place]
        text = (
            f"{mask} at {share:.0%}: {figure_at(summary, mask, share)['value']:.3f} {unit}. Best "
            f"control: {name(best)}, {figure_at(summary, best, share)['value']:.3f} {unit}; "
            f"difference {difference['value']:+.3f} {unit} [{difference['low']:+.3f}, "
            f"{difference['high']:+.3f}]{'' if few else f', {judged(difference)}'}."
        )
        if "sobel" in summary["ratios"][mask]:
            ratio = summary["ratios"][mask]["sobel"][place]
            text += (
                f" {ratio['value']:.2f} [{ratio['low']:.2f}, {ratio['high']:.2f}] times the "
                "distance of as many Sobel edge pixels."
            )
        yield text


def judged(difference):
    if difference["high"] < 0:
        return "ahead, clear of 0"
    return "behind, clear of 0" if difference["low"] > 0 else "not clear of 0"


def shown_shares(summary):
    """The shares of the tables."""
    if len(summary["shares"]) <= MOST_COLUMNS:
        return summary["shares"]
    return [k for k in COLUMNS if k in summary["shares"]] or summary["shares"]


def _ranges(shares, places):
    """The shares at these places as text, neighbours joined: "5% to 20%, 40%"."""
    runs = []
    for place in places:
        if runs and place == runs[-1][-1] + 1:
            runs[-1].append(place)
        else:
            runs.append([place])
    ends = [(f"{shares[run[0]]:.0%}", f"{shares[run[-1]]:.0%}") for run in runs]
    return ", ".join(low if low == high else f"{low} to {high}" for low, high in ends)
