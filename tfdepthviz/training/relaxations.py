"""Relaxations: differentiable stand-ins for a binary mask during training.

A ranking is trained with `masks.exact_share`: a soft mask that keeps exactly the share that was
asked for. By the published objective N sees grey levels while G learns, and may read depth off
them; the binary mask then keeps less of the depth (`evaluation.Evaluation.binarisation_gap`).
`relaxed` shows N a mask that is nearer to a binary one and passes gradients.
"""

import tensorflow as tf

from tfdepthviz.masks import exact_share, top_share_mask
from tfdepthviz.utils.errors import InputError

__all__ = ["RELAXATIONS", "binary_top_share", "check_relaxation", "exact_share", "relaxed"]

RELAXATIONS = ("none", "concrete", "stochastic")
FIRST_TEMPERATURE, LAST_TEMPERATURE = 1.0, 0.1
# Temperature of the gradient that a search follows, in standard deviations of the logits. With a
# logit for each pixel, 0.1 finds only 34 of 38 pixels of a known best mask in 80 steps. With
# logit_stride 4 the edge of 0.1 was slightly better: mean loss -1.071 instead of -1.046, 0.155 m
# instead of 0.166 m from N(I) (compact N, six embedded frames, share 0.36, 60 steps, three seeds).
SEARCH_SOFTNESS = 0.3


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
    """The top share of the logits as 0 and 1, with the gradient of a soft `masks.exact_share`.

    Args:
      logits: (B, H, W, 1) float.
      share: float in (0, 1).
    Returns:
      (B, H, W, 1) of the logits' dtype, exactly `masks.top_share_mask` of them.
    Source: Bengio et al. 2013 (straight-through).
    """
    # With a gradient of the deviation, a search finds only 35 of 38 pixels of a known best mask.
    soft = exact_share(logits, share, SEARCH_SOFTNESS, constant_deviation=True)
    soft = tf.cast(soft, logits.dtype)
    binary = top_share_mask(logits, share)
    # In this order the sum is the binary mask to the last bit.
    return tf.stop_gradient(binary) + (soft - tf.stop_gradient(soft))


def _logit(p):
    return tf.math.log(p) - tf.math.log1p(-p)
