"""Shares of pixels that a ranking is trained for: how they are drawn, and how they are weighed.

The logarithms of all shares are cut into BINS equal parts. For each part a running mean of l_dif is
kept, by which the l_dif of an image is divided: otherwise small shares, which leave N far from
N(I), would count for most.
"""

import dataclasses

import tensorflow as tf

from tfdepthviz.utils.errors import InputError

BINS = 8
# Part of a running mean that one image replaces.
RATE = 0.02


@dataclasses.dataclass(frozen=True)
class Shares:
    """A range of shares of the pixels.

        shares = Shares(0.02, 0.9)
        a = shares.draw(8, seed=(0, 1))  # (8,), for a batch of 8

    Attributes:
      low, high: least and greatest share, in (0, 1); equal for a single share.
      smaller: above 1, small shares are drawn more often: with u uniform in (0, 1), the logarithm
        of the share is log(low) + u^smaller * (log(high) - log(low)).
    Raises:
      InputError: not 0 < low <= high < 1.
    """

    low: float
    high: float
    smaller: float = 1.5

    def __post_init__(self):
        if not 0 < self.low <= self.high < 1:
            raise InputError(
                "keep must be a share, or LOW:HIGH with 0 < LOW <= HIGH < 1. "
                f"Received: {self.low:g}:{self.high:g}"
            )

    def draw(self, count, seed):
        """Draws a share for each image of a batch, stratified: one in each of `count` equal parts.

        Args:
          count: () int, images in the batch.
          seed: (2,) int.
        Returns:
          (count,) float32.
        """
        place, jitter = tf.unstack(tf.random.split(seed, 2))
        order = tf.argsort(tf.random.stateless_uniform([count], place))
        u = tf.cast(order, tf.float32) + tf.random.stateless_uniform([count], jitter)
        u = (u / tf.cast(count, tf.float32)) ** self.smaller
        return self.low * (self.high / self.low) ** u

    def bins(self, shares):
        """(B,) shares -> (B,) int32, the number of the part that each lies in."""
        if self.low == self.high:
            return tf.zeros_like(shares, tf.int32)
        place = tf.math.log(shares / self.low) / tf.math.log(self.high / self.low)
        return tf.clip_by_value(tf.cast(place * BINS, tf.int32), 0, BINS - 1)


def bounds(text):
    """(low, high) of a share such as "0.36", or of a range such as "0.02:0.9".

    Raises:
      ValueError: the text is neither.
    """
    parts = [float(part) for part in str(text).split(":")]
    low, high = parts * 2 if len(parts) == 1 else parts
    return low, high


def updated_means(state, values, bins, add_up=lambda parts: parts):
    """Running means of each part after a batch.

    Args:
      state: (2, BINS) float: weighted sums, and sums of the weights; zeros at the start.
      values: (B,) of the state's dtype.
      bins: (B,) int32, see `Shares.bins`.
      add_up: function that adds up a (2, BINS) tensor over all replicas.
    Returns:
      state after the batch, (2, BINS), and the running mean at each value, (B,).
    """
    of_bin = tf.one_hot(bins, BINS, dtype=values.dtype)
    # Not a matrix product, which may round differently with another number of replicas.
    parts = tf.stack([tf.reduce_sum(of_bin * values[:, None], 0), tf.reduce_sum(of_bin, 0)])
    parts = add_up(parts)
    state = (1.0 - RATE) ** parts[1] * state + RATE * parts
    return state, tf.gather(tf.math.divide_no_nan(state[0], state[1]), bins)
