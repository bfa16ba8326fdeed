"""Evaluator: an N that learnt to work with missing pixels, on the masks of a G.

Masks that lead under N but not under such an N_e steer N, which never saw an image with holes.
"""

import numpy as np
import tensorflow as tf

from tfdepthviz.evaluation.audit.result import FAILED, PASSED, UNCLEAR, Result, figure, in_words
from tfdepthviz.evaluation.audit.result import judged as judged_difference
from tfdepthviz.evaluation.audit.sufficiency import NAMES
from tfdepthviz.utils.errors import InputError
from tfdepthviz.utils.graphs import compiled

CONTROLS = ("sobel", "blurred_edges", "random", "random_blocks")
BLOCK = 8
RATES = (0.05, 0.2, 0.36, 0.6)


def evaluator(subject, evaluator_net):
    """Distance from N(I) of N_e and of N, with the pixels of G and of controls.

    Single random pixels may win under N_e, because sparse samples in-paint well. So the same is
    measured with whole blocks of 8x8 pixels, which no method can scatter.

    Args:
      subject: Subject.
      evaluator_net: N_e, keras.Model of N's input and output.
    Source: EVAL-X (Jethani et al. 2021); Frye et al. 2020.
    """
    if evaluator_net.output_shape[1:] != subject.target.net.output_shape[1:]:
        raise InputError(
            f"evaluator must give maps of N's size {subject.target.net.output_shape[1:]}. "
            f"Received: {evaluator_net.output_shape[1:]}"
        )
    samples = subject.samples
    predict = compiled(lambda image: evaluator_net(image, training=False))
    scores = {"G": subject.scores} | {name: subject.control(name) for name in CONTROLS}
    errors = {}
    for name, values in scores.items():
        blocks = _block_scores(values, None if name != "random" else subject.seed)
        for size, ranked in (("pixels", values), ("blocks", blocks)):
            mask = subject.top(ranked)
            errors["N", size, name] = samples.rms(subject.distances(mask))
            errors["N_e", size, name] = samples.rms(subject.distances(mask, net=predict))
    differences = {
        (net, size): figure(
            errors[net, size, "G"] - np.min([errors[net, size, c] for c in CONTROLS], axis=0)
        )
        for net in ("N", "N_e")
        for size in ("pixels", "blocks")
    }
    verdict, says, measured = _judged(differences, errors, subject.unit)
    own = {"N_e(I)": samples.rms(subject.compared(subject.outputs(subject.images, predict)))}
    for rate in RATES:
        for name in ("random", "random_blocks"):
            mask = subject.top(scores[name], rate)
            key = f"N_e, {rate:.0%} {NAMES[name]}"
            own[key] = samples.rms(subject.distances(mask, net=predict))
    figures = {f"own/{name}": figure(values) for name, values in own.items()}
    figures |= {"/".join(key): figure(values) for key, values in errors.items()}
    figures |= {f"difference/{net}/{size}": d for (net, size), d in differences.items()}
    columns = [(net, size) for size in ("pixels", "blocks") for net in ("N", "N_e")]
    table = [["pixels of", *(f"{net}, {'8x8 ' * (s == 'blocks')}{s}" for net, s in columns)]]
    for name in scores:
        cells = (in_words(figures[f"{net}/{size}/{name}"]) for net, size in columns)
        table.append([NAMES.get(name, name), *cells])
    table += [[name, "", in_words(figure(values)), "", ""] for name, values in own.items()]
    return Result(verdict, says, measured, figures, table=tuple(table))


def _judged(differences, errors, unit):
    """Verdict by N_e's pixels, and sentences that say what the blocks do."""
    verdict = judged_difference(differences["N_e", "pixels"])
    best = min(CONTROLS, key=lambda name: errors["N_e", "pixels", name][0])
    says = {
        PASSED: "An N that knows of missing pixels finds more in G's pixels than in every "
        "control's, too",
        FAILED: f"To an N that knows of missing pixels, {NAMES[best]} tell as much as G's pixels: "
        "what G leads by under N steers N and is no more information",
        UNCLEAR: f"To an N that knows of missing pixels, {NAMES[best]} may tell as much as G's "
        "pixels",
    }[verdict]
    blocks = judged_difference(differences["N_e", "blocks"])
    whole = {PASSED: "G leads", FAILED: "G does not lead", UNCLEAR: "the lead is not clear"}[blocks]
    return (
        verdict,
        says,
        f"Difference under N_e {in_words(differences['N_e', 'pixels'], unit, '+')}, under N "
        f"{in_words(differences['N', 'pixels'], unit, '+')}. With whole 8x8 blocks {whole} under "
        f"N_e: {in_words(differences['N_e', 'blocks'], unit, '+')}.",
    )


def _block_scores(scores, seed):
    """Scores (N, H, W, 1) averaged in blocks of 8x8; drawn anew for each block with a seed."""
    height, width = scores.shape[1:3]
    size = -(-height // BLOCK), -(-width // BLOCK)
    if seed is None:
        padded = tf.nn.avg_pool2d(scores, BLOCK, BLOCK, "SAME").numpy()
    else:
        padded = np.random.default_rng(seed).random((len(scores), *size, 1))
    whole = np.repeat(np.repeat(padded, BLOCK, axis=1), BLOCK, axis=2)
    return np.ascontiguousarray(whole[:, :height, :width]).astype("float32")
