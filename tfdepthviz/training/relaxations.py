"""Relaxations: differentiable stand-ins for a binary mask during training.

A ranking is trained with `exact_share`: a soft mask that keeps exactly the share that was asked
for. By the published objective N sees grey levels while G learns, and may read depth off them; the
binary mask then keeps less of the depth (`evaluation.Evaluation.binarisation_gap`). `relaxed` shows
N a mask that is nearer to a binary one and passes gradients.
"""

import tensorflow as tf
from keras import ops

from tfdepthviz.masks import top_share_mask
from tfdepthviz.utils.errors import InputError

RELAXATIONS = ("none", "concrete", "stochastic")
FIRST_TEMPERATURE, LAST_TEMPERATURE = 1.0, 0.1
# Temperature of the gradient that a search follows, in standard deviations of the logits. With a
# logit for each pixel, 0.1 finds only 34 of 38 pixels of a known best mask in 80 steps. With
# logit_stride 4 the edge of 0.1 was slightly better: mean loss -1.071 instead of -1.046, 0.155 m
# instead of 0.166 m from N(I) (compact N, six embedded frames, share 0.36, 60 steps, three seeds).
SEARCH_SOFTNESS = 0.3
# Halvings of the range that the level lies in. The sum is then exact to float32's own error.
HALVINGS = 24
# Added to the variance of an image's scores, so that equal scores have a gradient.
LEAST_VARIANCE = 1e-6
# Shares of 0 and 1 have no finite level.
LEAST_SHARE = 1e-6


def exact_share(scores, share, temperature):
    """The relaxed top share of the scores: p with mean(p) = share in each image.

        p_i = s((z_i - b) / t), z the scores of an image with mean 0 and deviation 1,
        s the logistic function, b such that mean(p) = share

    b is found by halving its range. Its gradient comes from the implicit function theorem: with
    d_i = p_i (1 - p_i) / t and g = dL/dp,

        dL/dz_i = d_i (g_i - sum_j q_j g_j),  q = d / sum(d)

    so raising all scores of an image together changes nothing.

    Args:
      scores: (B, H, W, 1) float.
      share: (B,) float in [0, 1], share of the pixels of each image to keep.
      temperature: () float above 0, t in deviations of the scores. Towards 0, p becomes the binary
        mask `masks.top_share_mask(scores, share)`, ties apart: equal scores have equal p.
    Returns:
      (B, H, W, 1) float32 in [0, 1].
    Source: entropic optimal transport onto two values (Xie et al. 2020, SOFT top-k); Differs: the
      level is found by halving, not by Sinkhorn iterations.
    Example:
      shown = exact_share(scores, ops.convert_to_tensor([0.05, 0.36]), 0.1)  # two images
    """
    scores = ops.cast(scores, "float32")
    share = ops.clip(ops.cast(share, "float32"), LEAST_SHARE, 1 - LEAST_SHARE)
    share = ops.reshape(share, (-1, 1, 1, 1))
    z = _standardised(scores) / temperature
    fixed = ops.stop_gradient(z)
    level = _level(fixed, share)
    p = ops.sigmoid(fixed - level)
    d = p * (1 - p)
    q = d / ops.maximum(ops.sum(d, axis=(1, 2, 3), keepdims=True), 1e-12)
    # The sum is 0. It gives the level its gradient q.
    level = level + ops.sum(q * (z - fixed), axis=(1, 2, 3), keepdims=True)
    return ops.sigmoid(z - level)


def _standardised(scores):
    axes = {"axis": (1, 2, 3), "keepdims": True}
    centred = scores - ops.mean(scores, **axes)
    return centred * ops.rsqrt(ops.mean(ops.square(centred), **axes) + LEAST_VARIANCE)


def _level(z, share):
    """b with mean(s(z - b)) = share, (B, 1, 1, 1); a constant to the gradient."""
    axes = {"axis": (1, 2, 3), "keepdims": True}
    logit = ops.log(share) - ops.log1p(-share)
    # With equal scores b would be z - logit. So it lies between these for the least and the
    # greatest score.
    low, high = ops.min(z, **axes) - logit, ops.max(z, **axes) - logit
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        too_many = ops.mean(ops.sigmoid(z - middle), **axes) > share
        low, high = ops.where(too_many, middle, low), ops.where(too_many, high, middle)
    return (low + high) / 2


def check_relaxation(name):
    """Returns `name`, and raises InputError unless it is one of RELAXATIONS."""
    if name not in RELAXATIONS:
        raise InputError(f"relaxation must be one of {', '.join(RELAXATIONS)}. Received: {name!r}")
    return name


def relaxed(name, mask, *, done, seed):
    """The mask R(M) that N sees while G learns by the published objective.

        none         M
        concrete     sigmoid((logit M + logit u) / T), T falls from 1 to 0.1 during training
        stochastic   [u < M], with the gradient of M

    u is uniform in (0, 1) and drawn for every pixel and step.

    Args:
      name: out of RELAXATIONS.
      mask: (B, H, W, 1) float in [0, 1].
      done: () float in [0, 1], the finished part of the training.
      seed: (2,) int, fixes u.
    Returns:
      (B, H, W, 1) of the mask's dtype.
    Source: Maddison et al. 2017 and Jang et al. 2017 (concrete); Bengio et al. 2013 (stochastic).
    """
    if name == "none":
        return mask
    # The logits of 0 and 1 are infinite.
    u = tf.random.stateless_uniform(tf.shape(mask), seed, 1e-6, 1 - 1e-6)
    if name == "stochastic":
        return mask + tf.stop_gradient(tf.cast(u < mask, mask.dtype) - mask)
    temperature = FIRST_TEMPERATURE * (LAST_TEMPERATURE / FIRST_TEMPERATURE) ** done
    return tf.sigmoid((_logit(tf.clip_by_value(mask, 1e-6, 1 - 1e-6)) + _logit(u)) / temperature)


def binary_top_share(logits, share):
    """The top share of the logits as 0 and 1, with the gradient of `exact_share`.

    Args:
      logits: (B, H, W, 1) float.
      share: float in (0, 1).
    Returns:
      (B, H, W, 1) of the logits' dtype, exactly `masks.top_share_mask` of them.
    Source: Bengio et al. 2013 (straight-through).
    """
    soft = tf.cast(exact_share(logits, [share], SEARCH_SOFTNESS), logits.dtype)
    binary = top_share_mask(logits, share)
    # In this order the sum is the binary mask to the last bit.
    return tf.stop_gradient(binary) + (soft - tf.stop_gradient(soft))


def _logit(p):
    return tf.math.log(p) - tf.math.log1p(-p)
