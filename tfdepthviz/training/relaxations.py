"""What N sees of a mask while G learns, so that the mask may be cut to 0 and 1 afterwards.

N is shown grey levels while G learns by the published objective, and may read depth off them; the
binarised mask then keeps less of it (`evaluation.Evaluation.binarisation_gap`). Each relaxation
shows N something nearer to a binary mask, through which gradients still pass.
"""

import tensorflow as tf

from tfdepthviz.masks import soft_top_share_mask
from tfdepthviz.utils.errors import InputError

RELAXATIONS = ("none", "concrete", "stochastic", "top_share")
FIRST_TEMPERATURE, LAST_TEMPERATURE = 1.0, 0.1


def check_relaxation(name, target_sparseness):
    """The relaxation to use; None stands for what suits the objective.

    Args:
      name: out of RELAXATIONS, or None: "top_share" with a target, or else "none".
      target_sparseness: share of the pixels to keep, or None.
    Returns:
      out of RELAXATIONS.
    Raises:
      InputError: another name, or "top_share" without a share.
    """
    if name is None:
        return "none" if target_sparseness is None else "top_share"
    if name not in RELAXATIONS:
        raise InputError(f"relaxation must be one of {', '.join(RELAXATIONS)}. Received: {name!r}")
    if name == "top_share" and target_sparseness is None:
        raise InputError("relaxation=top_share: needs target_sparseness, the share that is shown")
    return name


def relaxed(name, mask, *, share, softness, done, seed):
    """What N is shown in place of M.

    none: M. concrete: sigmoid((logit M + logit u) / T), T falling from 1 to 0.1 as training goes
    on. stochastic: [u < M], its gradient that of M. top_share: `masks.soft_top_share_mask`.
    u is uniform in (0, 1) and drawn anew for every pixel.

    Args:
      name: out of RELAXATIONS.
      mask: (B, H, W, 1) float in [0, 1].
      share, softness: of the top share.
      done: () float in [0, 1], the part of the training that is done.
      seed: (2,) int, fixes u.
    Returns:
      (B, H, W, 1) of the mask's dtype.
    Source: Maddison et al. 2017 and Jang et al. 2017 (concrete); Bengio et al. 2013 (stochastic);
      top_share is ours.
    """
    if name == "none":
        return mask
    if name == "top_share":
        return soft_top_share_mask(mask, share, softness)
    # A number below the least that float32 tells from 0 and 1 would have no logit.
    u = tf.random.stateless_uniform(tf.shape(mask), seed, 1e-6, 1 - 1e-6)
    if name == "stochastic":
        return mask + tf.stop_gradient(tf.cast(u < mask, mask.dtype) - mask)
    temperature = FIRST_TEMPERATURE * (LAST_TEMPERATURE / FIRST_TEMPERATURE) ** done
    return tf.sigmoid((_logit(tf.clip_by_value(mask, 1e-6, 1 - 1e-6)) + _logit(u)) / temperature)


def _logit(p):
    return tf.math.log(p) - tf.math.log1p(-p)
