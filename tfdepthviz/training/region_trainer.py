"""RegionTrainer: trains a region network to rank pixels for any place of an image."""

import math

import tensorflow as tf

from tfdepthviz import metrics
from tfdepthviz.metrics import alignment
from tfdepthviz.training.ranking_trainer import RankingTrainer

# Least and greatest radius of a region, in parts of the depth map's shorter side, and half width
# of a depth range, in parts of the whole map's.
RADII, RANGES = (0.02, 0.3), (0.02, 0.1)


class RegionTrainer(RankingTrainer):
    """Trains a region network so that the top share of its scores keeps N's depth in a region.

        L = mean over images of D_R(N(I), N(I * p)) / E[D_R at a]

    D_R is the mean squared distance over the region R, a disc, box or depth range that
    `random_regions` draws for each image anew. All else is as in `RankingTrainer`, also what is
    logged: fidelity is that in the region.

    Example: here of made-up images.

        n = build_depth_net("compact", (64, 96, 3), weights="default")
        g = region_net(build_mask_net("compact_ranking", (64, 96, 3), weights="default"))
        trainer = RegionTrainer(DepthTarget(n).folded(), g, keep=(0.02, 0.5), steps=4)
        trainer.compile(build_optimizer("adamw", learning_rate=1e-3, weight_decay=1e-4))
        image = np.random.default_rng(0).normal(size=(4, 64, 96, 3)).astype("float32")
        depth = np.zeros((4, *n.output_shape[1:]), "float32")  # none is known
        batches = tf.data.Dataset.from_tensor_slices({"image": image, "depth": depth}).batch(2)
        trainer.fit(batches, epochs=2, shuffle=False)

    Args:
      target: N, a DepthTarget; a keras.Model on its own counts as one in metres. Frozen here.
      region_net: see `models.region_net`.
      keep, smaller, steps, seed: as for `RankingTrainer`.
    Raises:
      InputError: as `RankingTrainer`.
    """

    def __init__(self, target, region_net, keep=(0.02, 0.5), **kwargs):
        super().__init__(target, region_net, keep, terms=("l2",), **kwargs)

    def drawn_regions(self, y, seed):
        return random_regions(y, seed)

    def scores(self, image, region, training):
        # The ranking below is not trained: no dropout, and its batch statistics stay.
        return self.scores_net([image, region], training=False)

    def differences(self, y, y_shown, region):
        y, y_shown = self.target.comparable(y, y_shown, alignment.RIDGE)
        square = metrics.fidelity_mse(y, y_shown, region)
        return {"loss": square, "loss/l2": square}


def random_regions(depth, seed):
    """A random region of each depth map: a disc, a box, or all pixels of similar depth.

    Args:
      depth: (B, h, w, 1) float.
      seed: (2,) int; the same seed gives the same places.
    Returns:
      (B, h, w, 1) float32 of 0 and 1, with a 1 in each image.
    """
    batch, (height, width) = tf.shape(depth)[0], depth.shape[1:3]
    u = tf.unstack(tf.random.stateless_uniform([7, batch, 1, 1, 1], seed))
    row, column = tf.floor(u[0] * height), tf.floor(u[1] * width)
    rows = tf.range(height, dtype=tf.float32)[:, None, None] - row
    columns = tf.range(width, dtype=tf.float32)[:, None] - column
    radius = _between(RADII, u[2]) * min(height, width)
    disc = rows**2 + columns**2 <= radius**2
    # The sides of a box are up to twice as long and as short as the disc's diameter.
    tall, wide = (radius * _between((0.5, 2.0), side) for side in (u[3], u[4]))
    box = (tf.abs(rows) <= tall) & (tf.abs(columns) <= wide)
    here = (rows == 0) & (columns == 0)
    middle = tf.reduce_sum(tf.where(here, depth, 0), axis=(1, 2, 3), keepdims=True)
    span = tf.reduce_max(depth, (1, 2, 3), True) - tf.reduce_min(depth, (1, 2, 3), True)
    similar = tf.abs(depth - middle) <= _between(RANGES, u[5]) * span
    kind = tf.cast(3 * u[6], tf.int32)
    return tf.cast(tf.where(kind == 0, disc, tf.where(kind == 1, box, similar)), tf.float32)


def _between(ends, u):
    """A number between two ends, its logarithm even for even u in [0, 1)."""
    low, high = ends
    return low * tf.exp(u * math.log(high / low))
