"""Score of an image for libraries that explain one number: minus N's squared distance from N(I)."""

import numpy as np
import tensorflow as tf

from tfdepthviz.utils.graphs import compiled


class Score:
    """-mean((N(x) - N(I))^2) of each image of a batch that all come from one image I.

    Args:
      net: N, keras.Model.
      image: I, (1, H, W, 3) float32, normalised.
    """

    def __init__(self, net, image):
        self.net = net
        self.full = net(image, training=False)
        self._values = compiled(self.of)

    def of(self, x):
        """(B,) tensor of x, (B, H, W, 3)."""
        squares = tf.square(self.net(x, training=False) - self.full)
        return -tf.reduce_mean(squares, axis=(1, 2, 3))

    def values(self, x):
        """(B,) array of x, an array (B, H, W, 3)."""
        return self._values(tf.convert_to_tensor(x)).numpy()

    def gradient(self, x, weights):
        """(B, H, W, 3) array: the gradient of sum(weights * score) at x."""
        x = tf.convert_to_tensor(x)
        with tf.GradientTape() as tape:
            tape.watch(x)
            total = tf.reduce_sum(self.of(x) * np.asarray(weights, "float32"))
        return tape.gradient(total, x).numpy()
