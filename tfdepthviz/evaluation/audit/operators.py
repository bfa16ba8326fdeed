"""Removal operators: whether a mask's lead depends on what N sees instead of removed pixels."""

import itertools

import numpy as np
import tensorflow as tf

from tfdepthviz.evaluation.audit.result import (
    FAILED,
    PASSED,
    UNCLEAR,
    Result,
    figure,
    in_words,
    judged,
)
from tfdepthviz.evaluation.audit.sufficiency import NAMES
from tfdepthviz.removal import REMOVALS

CONTROLS = ("sobel", "blurred_edges", "random", "random_blocks")
# Pixels of the window over which the blurred mask averages scores.
BLUR = 5


def operators(subject):
    """Distance from N(I) of G and controls under each kind of removal, and Kendall's tau.

    tau says how alike two kinds order the methods: 1 the same, -1 the reverse. A mask whose scores
    are blurred must not do better than the mask.

    Source: Rong et al. 2022 (ROAD).
    """
    samples = subject.samples
    masks = {
        "G": subject.mask,
        "G, blurred": subject.top(tf.nn.avg_pool2d(subject.scores, BLUR, 1, "SAME").numpy()),
        **{name: subject.top(subject.control(name)) for name in CONTROLS},
    }
    errors = {
        kind: {m: samples.rms(subject.distances(mask, removal=kind)) for m, mask in masks.items()}
        for kind in REMOVALS
    }
    differences = {
        kind: figure(of["G"] - np.min([of[name] for name in CONTROLS], axis=0))
        for kind, of in errors.items()
    }
    verdicts = {kind: judged(difference) for kind, difference in differences.items()}
    own = subject.target.removal
    blurred = figure(errors[own]["G, blurred"] - errors[own]["G"])
    ahead, behind = (
        [kind for kind in REMOVALS if verdicts[kind] == verdict] for verdict in (PASSED, FAILED)
    )
    if behind or blurred["high"] < 0:
        verdict = FAILED
    else:
        verdict = PASSED if len(ahead) == len(REMOVALS) else UNCLEAR
    taus = _taus(errors)
    says = {
        PASSED: "G's lead does not depend on what stands for a removed pixel",
        FAILED: "G's lead depends on what stands for a removed pixel",
        UNCLEAR: "G's lead may depend on what stands for a removed pixel",
    }[verdict]
    if blurred["high"] < 0:
        says = "A blurred mask does better than the mask"
    measured = (
        f"G is ahead of every control with {len(ahead)} of {len(REMOVALS)} kinds of removal"
        f"{f' ({_listed(ahead)})' if ahead else ''}"
        f"{f', and clearly behind one with {_listed(behind)}' if behind else ''}. The order of the "
        f"methods: Kendall's tau of {np.mean(list(taus.values())):.2f} between two kinds, at least "
        f"{min(taus.values()):.2f}. Blurring the mask changes the distance by "
        f"{in_words(blurred, subject.unit, '+')}."
    )
    figures = {f"difference/{kind}": value for kind, value in differences.items()}
    figures["blurred_minus_mask"] = blurred
    for kind, of in errors.items():
        figures |= {f"{kind}/{method}": figure(values) for method, values in of.items()}
    figures |= {
        f"tau/{a}/{b}": {"value": tau, "low": tau, "high": tau} for (a, b), tau in taus.items()
    }
    table = [["pixels of", *REMOVALS]]
    for method in masks:
        values = (f"{errors[kind][method][0]:.3f}" for kind in REMOVALS)
        table.append([NAMES.get(method, method), *values])
    table.append(["G minus the strongest", *(in_words(d, sign="+") for d in differences.values())])
    return Result(verdict, says, measured, figures, table=tuple(table))


def _taus(errors):
    """(kind, kind) -> Kendall's tau of the methods' distances; equal orders of ties count as 1."""
    from scipy import stats  # slow to load, and few commands audit

    values = {kind: [of[method][0] for method in of] for kind, of in errors.items()}
    taus = {}
    for one, other in itertools.combinations(errors, 2):
        tau = stats.kendalltau(values[one], values[other]).statistic
        taus[one, other] = float(tau) if np.isfinite(tau) else 1.0
    return taus


def _listed(kinds):
    return ", ".join(kinds)
