"""RegionStep: loss and step of a search for regions, and a whole search in one graph."""

import tensorflow as tf

from tfdepthviz import masks, metrics
from tfdepthviz.metrics import alignment
from tfdepthviz.models.layers import aligned_resize
from tfdepthviz.utils.errors import InputError

FIRST_TEMPERATURE, LAST_TEMPERATURE = 0.3, 0.03
BETA_1, BETA_2, EPSILON = 0.9, 0.99, 1e-9


class RegionStep:
    """The arithmetic of `region_search.RegionSearch`, which says what L is.

    Args:
      target: N, a DepthTarget; its net may be any differentiable function of an image and
        `training`.
      size: (H, W) of the image.
      learning_rate: of Adam, on the logits.
    """

    def __init__(self, target, size, learning_rate):
        self.target, self.size, self.learning_rate = target, size, learning_rate

    def predict(self, image):
        return self.target.net(image, training=False)

    def distance(self, y_full, y_shown, region):
        """(B,) mean squared distance in the region."""
        y_full, y_shown = self.target.comparable(y_full, y_shown, alignment.RIDGE)
        return metrics.fidelity_mse(y_full, y_shown, region)

    def scale(self, y_full, y_blank, region):
        """(B,) distance with nothing shown, which other distances are divided by."""
        # Where N gives the same with nothing shown, no pixel is needed.
        return tf.maximum(self.distance(y_full, y_blank, region), 1e-12)

    def loss(self, image, y_full, region, blank, mask):
        """(B,) L of soft or binary masks."""
        kept, deleted = (
            self.distance(y_full, self.predict(self.target.shown(image, shown)), region) / blank
            for shown in (mask, 1 - mask)
        )
        return kept + 1 / (1 + deleted)

    def descend(
        self, image, y_full, region, blank, logits, mean, square, number, share, temperature
    ):
        """Logits and moments after one step of Adam."""
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(logits)
            scores = aligned_resize(logits, self.size)
            shown = masks.exact_share(scores, share, temperature)
            loss = self.loss(image, y_full, region, blank, shown)
        # The gradient of the sum: for each region, that of its own loss.
        gradient = tape.gradient(loss, logits)
        if gradient is None:
            raise InputError("depth_net has no gradient, which a search for regions follows")
        mean = BETA_1 * mean + (1 - BETA_1) * gradient
        square = BETA_2 * square + (1 - BETA_2) * tf.square(gradient)
        root = tf.sqrt(square / (1 - BETA_2**number)) + EPSILON
        step = self.learning_rate * mean / (1 - BETA_1**number) / root
        return logits - step, mean, square

    def searched(self, image, y_full, region, share, logits, steps):
        """The scores after a search of fixed length, for one share of each image.

        Args:
          image: (B, H, W, 3) float32, normalised.
          y_full: (B, h, w, 1) float32, N(I).
          region: (B, h, w, 1) float32, weights of N's output pixels.
          share: (B,) float32, in (0, 1).
          logits: (1, a, b, 1) float32, the first logits of each image.
          steps: int, at least 1.
        Returns:
          (B, H, W, 1) float32.
        """
        y_blank = self.predict(self.target.shown(image, tf.zeros_like(image[..., :1])))
        batch = image, y_full, region, self.scale(y_full, y_blank, region)
        logits = tf.repeat(tf.constant(logits), tf.shape(image)[0], axis=0)

        def step(number, *state):
            temperature = temperature_at(number / max(1, steps - 1))
            state = self.descend(*batch, *state, number + 1, share, temperature)
            return number + 1, *state

        first = tf.constant(0.0), logits, tf.zeros_like(logits), tf.zeros_like(logits)
        _, logits, *_ = tf.while_loop(lambda number, *_: number < steps, step, first)
        return aligned_resize(logits, self.size)


def temperature_at(done):
    """The temperature when the part `done` of the steps, from 0 to 1, is done."""
    return FIRST_TEMPERATURE * (LAST_TEMPERATURE / FIRST_TEMPERATURE) ** done
