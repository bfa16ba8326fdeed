"""How lambda follows the share of pixels that is to be kept."""

import tensorflow as tf

# Within a step and for good, of the distance from the target.
PULL, ADAPTATION = 10.0, 1.0
# Where a share is not reached for long, lambda would grow until no difference in depth counts
# beside it.
MOST = 1000.0


def prices(sparsity_weight, kept, difference, *, target, first):
    """lambda in this step and lambda after it.

    Let s be the share that is kept, a the target, and u = |lambda| + l_dif, so that lambda passes 0
    and does not depend on what depth is measured in. The price in a step is
    lambda + 10 * u * (s - a) / a, and after the step u * (s - a) is added to lambda: u * a at most,
    as it cannot fall faster either, and a mask that starts far open would leave a lambda that takes
    epochs to come back. It stays below 1000 times the sum of l_dif and the lambda of the start.

    Args:
      sparsity_weight: (), lambda; negative where N asks for fewer pixels than the target.
      kept: (), share of the pixels that M' keeps, mean over the batch.
      difference: (), l_dif, mean over the batch.
      target: float in (0, 1).
      first: float, the lambda that training started from.
    Returns:
      (price, adapted), each ().
    Source: ours.
    """
    excess = kept - target
    unit = tf.abs(sparsity_weight) + difference
    price = sparsity_weight + PULL * unit * excess / target
    most = MOST * (first + tf.maximum(difference, 0.0))
    adapted = sparsity_weight + ADAPTATION * unit * tf.minimum(excess, target)
    return price, tf.minimum(adapted, most)
