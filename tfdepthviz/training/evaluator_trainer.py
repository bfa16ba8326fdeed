"""EvaluatorTrainer: trains an N to work with missing pixels, which judges masks afterwards."""

import keras
import tensorflow as tf

from tfdepthviz import metrics
from tfdepthviz.models.target import as_target
from tfdepthviz.removal import check_removal
from tfdepthviz.training import finiteness
from tfdepthviz.training.base import StepTrainer

# Sides of the squares that are kept or removed together, pixels; each is drawn equally often.
SIDES = (1, 2, 4, 8, 16, 32)
LEAST_RATE = 0.02
# Rates of random pixels and of 8x8 blocks that validation measures.
RATED = (0.05, 0.2, 0.36, 0.6)
RATED_SIDES = (1, 8)


class EvaluatorTrainer(StepTrainer):
    """Trains N_e such that N_e(I * r) gives N(I), r random squares of pixels.

        L = mean over images of mean (N_e(I * r) - N(I))^2

    For each image of each step a side out of SIDES and a rate uniform in (0.02, 1) are drawn; each
    square is kept with that rate. N_e never sees a mask of a G, so it cannot learn its language. It
    runs in inference mode: batch statistics stay N's.

    Batches: as for `MaskTrainer`. Logged: `loss`; validation adds `fidelity/whole`, the distance of
    N_e(I) from N(I), and `fidelity/pixels_05` to `fidelity/blocks_60`, that of N_e(I * r) with 5 to
    60 % random pixels and 8x8 blocks.

    Example: here of made-up images.

        n = build_depth_net("compact", (64, 96, 3), weights="default")
        n_e = build_depth_net("compact", (64, 96, 3), weights="default")
        trainer = EvaluatorTrainer(n, n_e)
        trainer.compile(build_optimizer("adamw", learning_rate=1e-4, weight_decay=1e-4))
        image = np.random.default_rng(0).normal(size=(4, 64, 96, 3)).astype("float32")
        batches = tf.data.Dataset.from_tensor_slices({"image": image}).batch(2)
        trainer.fit(batches, shuffle=False)

    Args:
      target: N, a DepthTarget; a keras.Model on its own counts as one in metres. Frozen here.
      evaluator: N_e, a network of N's input and output that starts with N's weights.
      seed: of the masks.
    Raises:
      InputError: the target's removal cannot run in a graph.
    Source: EVAL-X (Jethani et al. 2021); Frye et al. 2020; Covert et al. 2021. Differs: squares.
    """

    def __init__(self, target, evaluator, *, seed=0, **kwargs):
        super().__init__(**kwargs)
        self.target = as_target(target)
        check_removal(self.target.removal, in_graph=True)
        self.target.net.trainable = False
        evaluator.trainable = True
        self.evaluator, self.seed = evaluator, seed
        self.trackers = {"loss": keras.metrics.Mean(name="loss")}
        for name in ("fidelity/whole", *(name for name, *_ in _rated())):
            self.trackers[name] = metrics.RootMean(name=name)

    def call(self, image, training=False):
        return self.evaluator(image, training=False)

    def step_and_faults(self, data):
        """Trains on a batch; see `StepTrainer`."""
        image = data["image"]
        y = self.target.net(image, training=False)
        shown = self._shown(image, random_squares(tf.shape(image), self._seed()))
        variables = self.evaluator.trainable_variables
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch([variable.value for variable in variables])
            of_image = self._squares(y, self.evaluator(shown, training=False))
            loss = self.replica_loss(tf.reduce_mean(of_image))
        gradients = self.descend(tape, loss, variables)
        self.trackers["loss"].update_state(of_image)
        logs = {"loss": self.trackers["loss"].result()}
        return logs, finiteness.faults({"loss": of_image}, gradients, variables)

    def test_step(self, data):
        image = data["image"]
        y = self.target.net(image, training=False)
        shown = {"fidelity/whole": image}
        for name, rate, side in _rated():
            mask = random_squares(tf.shape(image), (self.seed, 0), rate=rate, side=side)
            shown[name] = self._shown(image, mask)
        for name, seen in shown.items():
            of_image = self._squares(y, self.evaluator(seen, training=False))
            self.trackers[name].update_state(of_image)
            if name == _rated()[0][0]:
                self.trackers["loss"].update_state(of_image)
        return self.logged()

    def get_metrics_result(self):
        """Logged values; those of validation only after it."""
        return {
            name: tracker.result()
            for name, tracker in self.trackers.items()
            if name == "loss" or float(tf.convert_to_tensor(tracker.count)) > 0
        }

    def _shown(self, image, mask):
        return self.target.shown(image, tf.cast(mask, image.dtype))

    def _squares(self, y, y_shown):
        return metrics.fidelity_mse(*self.target.comparable(y, y_shown))

    def _seed(self):
        seed = tf.stack([self.seed, tf.cast(self.optimizer.iterations, tf.int32)])
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        return tf.random.experimental.stateless_fold_in(seed, replica)


def random_squares(shape, seed, *, rate=None, side=None):
    """Masks of random squares.

    Args:
      shape: (4,) int, of the images (B, H, W, 3).
      seed: (2,) int.
      rate: probability that a square is kept; None: drawn for each image, uniform in (0.02, 1).
      side: of the squares, pixels; None: drawn for each image out of SIDES.
    Returns:
      (B, H, W, 1) float32 of 0 and 1.
    """
    batch, height, width = shape[0], shape[1], shape[2]
    seeds = tf.unstack(tf.random.experimental.stateless_split(seed, 2 + len(SIDES)))
    if rate is None:
        rate = tf.random.stateless_uniform([batch, 1, 1, 1], seeds[0], LEAST_RATE, 1.0)
    sides = SIDES if side is None else (side,)
    drawn = [_squares(batch, height, width, s, seeds[2 + i]) for i, s in enumerate(sides)]
    chosen = tf.random.stateless_uniform([batch], seeds[1], 0, len(sides), tf.int32)
    u = tf.gather(tf.stack(drawn, axis=1), chosen, axis=1, batch_dims=1)
    return tf.cast(u < rate, tf.float32)


def _squares(batch, height, width, side, seed):
    """(B, H, W, 1) uniform in (0, 1), equal within squares that begin at a random offset."""
    rows, columns = (height + side - 1) // side + 1, (width + side - 1) // side + 1
    u = tf.random.stateless_uniform([batch, rows, columns, 1], seed)
    u = tf.repeat(tf.repeat(u, side, axis=1), side, axis=2)
    top, left = tf.unstack(tf.random.stateless_uniform([2], seed + 1, 0, side, tf.int32))
    return u[:, top : top + height, left : left + width]


def _rated():
    """(logged name, rate, side) of what validation measures."""
    return [
        (f"fidelity/{'pixels' if side == 1 else 'blocks'}_{round(100 * rate):02d}", rate, side)
        for side in RATED_SIDES
        for rate in RATED
    ]
